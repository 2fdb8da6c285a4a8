#include "transfer/partial_file.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>

#include "transfer/file_name.h"

namespace godwit {
namespace {

constexpr std::size_t kReadBack = std::size_t{1} << 20;
// Somebody else takes the reserved name, again and again.
constexpr int kNamingAttempts = 16;
// Room is set aside for as many bytes again as have come, and a little more.
constexpr std::uint64_t kLeastSetAside = std::uint64_t{4} << 20;

std::unexpected<Error> disk_failure(std::string_view what, int error) {
  const ErrorCode code = error == EACCES || error == EPERM ? ErrorCode::kPermission : ErrorCode::kSystem;
  return failure(code, std::string(what) + ": " + std::strerror(error));
}

std::string random_suffix() {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz234567";
  std::array<std::uint8_t, 6> bytes{};
  // Not a secret: O_EXCL is what keeps names apart.
  static_cast<void>(::getrandom(bytes.data(), bytes.size(), 0));
  std::string result;
  for (const std::uint8_t byte : bytes) result += kLetters[byte % kLetters.size()];
  return result;
}

// Gives `from` the name `to`, which must not exist. 0 or an errno value.
int rename_new(int folder, const std::string& from, const std::string& to) {
  if (::renameat2(folder, from.c_str(), folder, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  // A file system without the flag: a second name does not replace either.
  if (::linkat(folder, from.c_str(), folder, to.c_str(), 0) == 0) {
    ::unlinkat(folder, from.c_str(), 0);
    return 0;
  }
  if (errno != EPERM && errno != ENOSYS && errno != EOPNOTSUPP) return errno;
  // One without second names: what is replaced is an empty file of our own.
  const int placeholder = ::openat(folder, to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (placeholder < 0) return errno;
  ::close(placeholder);
  if (::renameat(folder, from.c_str(), folder, to.c_str()) == 0) return 0;
  const int error = errno;
  ::unlinkat(folder, to.c_str(), 0);
  return error;
}

}  // namespace

Result<std::unique_ptr<PartialFile>> PartialFile::create(FolderNames& names, Description description) {
  constexpr int kAttempts = 8;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    std::string temporary = partial_file_name(description.name, random_suffix());
    // Nobody else reads what has not been verified.
    const int descriptor = ::openat(names.folder(), temporary.c_str(),
                                    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
    if (descriptor >= 0) {
      std::string reserved = names.reserve(description.name);
      return std::unique_ptr<PartialFile>(
          new PartialFile(names, descriptor, std::move(description), std::move(reserved), std::move(temporary)));
    }
    if (errno == EMFILE || errno == ENFILE) {
      return failure(ErrorCode::kWouldBlock, std::string("the file cannot be created: ") + std::strerror(errno));
    }
    if (errno != EEXIST) return disk_failure("the file cannot be created", errno);
  }
  return failure(ErrorCode::kSystem, "the file cannot be created: no free temporary name");
}

PartialFile::PartialFile(FolderNames& names, int descriptor, Description description, std::string reserved,
                         std::string temporary)
    : names_(names),
      descriptor_(descriptor),
      description_(std::move(description)),
      reserved_(std::move(reserved)),
      temporary_(std::move(temporary)) {}

PartialFile::~PartialFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!named_) ::unlinkat(names_.folder(), temporary_.c_str(), 0);
  names_.release(reserved_);
}

// Where the file system cannot do it, or the size is beyond a limit that the write itself will meet, the receiver's own
// account of promised bytes has to do (FileReceiver).
Status PartialFile::set_space_aside(std::uint64_t end) {
  const std::uint64_t wanted = std::min(description_.size, 2 * written_ + kLeastSetAside);
  if (!can_set_aside_ || wanted <= set_aside_ || end <= set_aside_) return {};
  const int result = ::fallocate(descriptor_, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(set_aside_),
                                 static_cast<off_t>(wanted - set_aside_));
  if (result == 0) {
    set_aside_ = wanted;
  } else if (errno == ENOSPC || errno == EDQUOT) {
    return disk_failure("the file cannot be written", errno);
  } else if (errno != EINTR) {
    can_set_aside_ = false;
  }
  return {};
}

Status PartialFile::write(std::uint64_t offset, ByteView bytes) {
  if (const Status room = set_space_aside(offset + bytes.size()); !room) return room;
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t written =
        ::pwrite(descriptor_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return disk_failure("the file cannot be written", errno);
    if (written == 0) return disk_failure("the file cannot be written", ENOSPC);
    done += static_cast<std::size_t>(written);
  }
  written_ += bytes.size();
  const std::uint64_t end = offset + bytes.size();
  if (offset == hashed_) {
    hash_.update(bytes);
    hashed_ = end;
    return hash_what_follows();
  }
  // Neighbours join, so that pieces of one stream are one entry.
  auto next = ahead_.lower_bound(offset);
  if (next != ahead_.begin() && std::prev(next)->second == offset) {
    const auto before = std::prev(next);
    before->second = end;
    if (next != ahead_.end() && next->first == end) {
      before->second = next->second;
      ahead_.erase(next);
    }
    return {};
  }
  if (next != ahead_.end() && next->first == end) {
    const std::uint64_t last = next->second;
    ahead_.erase(next);
    ahead_.emplace(offset, last);
    return {};
  }
  ahead_.emplace(offset, end);
  return {};
}

Status PartialFile::hash_what_follows() {
  while (!ahead_.empty() && ahead_.begin()->first == hashed_) {
    const std::uint64_t end = ahead_.begin()->second;
    scratch_.resize(kReadBack);
    while (hashed_ < end) {
      const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(end - hashed_, scratch_.size()));
      const ssize_t got = ::pread(descriptor_, scratch_.data(), wanted, static_cast<off_t>(hashed_));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return disk_failure("the file cannot be read back", errno);
      if (got == 0) return failure(ErrorCode::kSystem, "the file cannot be read back: somebody cut it");
      hash_.update(ByteView(scratch_).first(static_cast<std::size_t>(got)));
      hashed_ += static_cast<std::uint64_t>(got);
    }
    ahead_.erase(ahead_.begin());
  }
  return {};
}

Result<std::string> PartialFile::finish(const std::array<std::uint8_t, kSha256Size>& expected, bool sync) {
  if (hashed_ != description_.size) return failure(ErrorCode::kProtocol, "bytes are missing");
  if (hash_.finish() != expected) return failure(ErrorCode::kProtocol, "the SHA-256 differs from the sender's");
  apply_attributes();
  if (sync && ::fsync(descriptor_) != 0) return disk_failure("the file cannot be written", errno);
  // Some file systems say only here that a write has failed (close(2)).
  if (::close(std::exchange(descriptor_, -1)) != 0 && errno != EINTR) {
    return disk_failure("the file cannot be written", errno);
  }
  auto name = give_name();
  // The name is the folder's.
  if (name && sync && ::fsync(names_.folder()) != 0) return disk_failure("the folder cannot be written", errno);
  return name;
}

// A file whose mode or time cannot be set, as on a FAT file system, is received all the same.
void PartialFile::apply_attributes() const {
  const FileAttributes& attributes = description_.attributes;
  const mode_t mode = attributes.mode ? (*attributes.mode & FileAttributes::kPermissionBits) : 0666;
  // Its owner can read it whatever the sender says.
  static_cast<void>(::fchmod(descriptor_, (mode & ~description_.mask) | S_IRUSR));
  if (!attributes.modified) return;
  const timespec time{.tv_sec = attributes.modified->seconds, .tv_nsec = attributes.modified->nanoseconds};
  const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, time};
  static_cast<void>(::futimens(descriptor_, times));
}

Result<std::string> PartialFile::give_name() {
  for (int attempt = 0; attempt < kNamingAttempts; ++attempt) {
    const int error = rename_new(names_.folder(), temporary_, reserved_);
    if (error == 0) {
      named_ = true;
      return reserved_;
    }
    if (error != EEXIST) return disk_failure("the file cannot be given its name", error);
    names_.release(reserved_);
    reserved_ = names_.reserve(description_.name);
  }
  return failure(ErrorCode::kSystem, "the file cannot be given its name: somebody takes every one");
}

}  // namespace godwit
