#include "transfer/partial_file.h"

#include <fcntl.h>
#include <sys/file.h>
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

// Gives `from` in a folder the name `to` in the same or another one, which must not exist. 0 or an errno value.
int rename_new(int folder, const std::string& from, int to_folder, const std::string& to) {
  if (::renameat2(folder, from.c_str(), to_folder, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  // A file system without the flag: a second name does not replace either.
  if (::linkat(folder, from.c_str(), to_folder, to.c_str(), 0) == 0) {
    ::unlinkat(folder, from.c_str(), 0);
    return 0;
  }
  if (errno != EPERM && errno != ENOSYS && errno != EOPNOTSUPP) return errno;
  // One without second names: what is replaced is an empty file of our own.
  const int placeholder = ::openat(to_folder, to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (placeholder < 0) return errno;
  ::close(placeholder);
  if (::renameat(folder, from.c_str(), to_folder, to.c_str()) == 0) return 0;
  const int error = errno;
  ::unlinkat(to_folder, to.c_str(), 0);
  return error;
}

}  // namespace

Result<std::unique_ptr<PartialFile>> PartialFile::create(FolderNames& names, Description description) {
  if (!description.kept_as.empty()) {
    if (auto kept = open_kept(names, description)) return kept;
    description.kept_as.clear();
  }
  constexpr int kAttempts = 8;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    std::string temporary = partial_file_name(description.name, random_suffix());
    // Nobody else reads what has not been verified.
    const int descriptor = ::openat(names.folder(), temporary.c_str(),
                                    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
    if (descriptor >= 0) {
      std::string reserved = description.open_folder ? std::string() : names.reserve(description.name);
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
  const bool keeps = !named_ && !worthless_ && !description_.kept_as.empty() && hashed_ >= kKeptUnit &&
                     descriptor_ >= 0 && ::ftruncate(descriptor_, static_cast<off_t>(hashed_)) == 0;
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!named_ && !keeps) ::unlinkat(names_.folder(), temporary_.c_str(), 0);
  if (!reserved_.empty()) names_.release(reserved_);
}

// --- What was kept ---

// Nothing where the name is somebody else's: another program's, or another receiver's that uses it now.
std::unique_ptr<PartialFile> PartialFile::open_kept(FolderNames& names, Description& description) {
  std::string temporary = partial_file_name(description.name, description.kept_as);
  OwnedDescriptor file(::openat(names.folder(), temporary.c_str(),
                                O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600));
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_nlink != 1 ||
      status.st_uid != ::geteuid() || ::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    return nullptr;
  }
  std::string reserved = description.open_folder ? std::string() : names.reserve(description.name);
  std::unique_ptr<PartialFile> made(
      new PartialFile(names, file.release(), std::move(description), std::move(reserved), std::move(temporary)));
  made->measure_kept();
  return made;
}

// A receiver that was killed has left holes, for bytes that came before their turn, and in front of one perhaps a page
// that is not full: without the last unit before the hole, what is there has been written.
void PartialFile::measure_kept() {
  const off_t hole = description_.anew ? 0 : ::lseek(descriptor_, 0, SEEK_HOLE);
  const off_t end = ::lseek(descriptor_, 0, SEEK_END);
  if (hole > 0) kept_ = static_cast<std::uint64_t>(hole == end ? hole : hole - 1);
  kept_ = std::min(kept_, description_.size) / kKeptUnit * kKeptUnit;
  // What is behind it goes, so that every byte that is there has been read.
  if (::ftruncate(descriptor_, static_cast<off_t>(kept_)) != 0) kept_ = 0;
}

Result<bool> PartialFile::read_kept() {
  constexpr std::uint64_t kSlice = std::uint64_t{16} << 20;
  if (const Status read = hash_until(std::min(kept_, hashed_ + kSlice)); !read) return std::unexpected(read.error());
  if (hashed_ < kept_) return false;
  written_ = kept_;
  return true;
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
  Status written = write_at(offset, bytes);
  if (!written) worthless_ = true;
  return written;
}

Status PartialFile::write_at(std::uint64_t offset, ByteView bytes) {
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
  ahead_.add(offset, end);
  return {};
}

Status PartialFile::hash_what_follows() {
  while (const auto end = ahead_.take(hashed_)) {
    if (Status read = hash_until(*end); !read) return read;
  }
  return {};
}

Status PartialFile::hash_until(std::uint64_t end) {
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
  return {};
}

Result<std::string> PartialFile::finish(const std::array<std::uint8_t, kSha256Size>& expected, bool sync) {
  auto name = complete(expected, sync);
  if (!name) worthless_ = true;
  return name;
}

Result<std::string> PartialFile::complete(const std::array<std::uint8_t, kSha256Size>& expected, bool sync) {
  if (hashed_ != description_.size) return failure(ErrorCode::kProtocol, "bytes are missing");
  if (hash_.finish() != expected) return failure(ErrorCode::kProtocol, "the SHA-256 differs from the sender's");
  apply_attributes();
  if (sync && ::fsync(descriptor_) != 0) return disk_failure("the file cannot be written", errno);
  // Some file systems say only here that a write has failed (close(2)).
  if (::close(std::exchange(descriptor_, -1)) != 0 && errno != EINTR) {
    return disk_failure("the file cannot be written", errno);
  }
  return description_.open_folder ? give_name_in_folder(sync) : give_name(sync);
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

Result<std::string> PartialFile::give_name(bool sync) {
  for (int attempt = 0; attempt < kNamingAttempts; ++attempt) {
    const int error = rename_new(names_.folder(), temporary_, names_.folder(), reserved_);
    if (error == 0) {
      named_ = true;
      // The name is the folder's.
      if (sync && ::fsync(names_.folder()) != 0) return disk_failure("the folder cannot be written", errno);
      return reserved_;
    }
    if (error != EEXIST) return disk_failure("the file cannot be given its name", error);
    names_.release(reserved_);
    reserved_ = names_.reserve(description_.name);
  }
  return failure(ErrorCode::kSystem, "the file cannot be given its name: somebody takes every one");
}

Result<std::string> PartialFile::give_name_in_folder(bool sync) {
  const auto opened = description_.open_folder();
  if (!opened) return std::unexpected(opened.error());
  FolderNames there(opened->folder.get());
  for (int attempt = 0; attempt < kNamingAttempts; ++attempt) {
    const std::string name = there.reserve(description_.name);
    const int error = rename_new(names_.folder(), temporary_, there.folder(), name);
    if (error != 0 && error != EEXIST) return disk_failure("the file cannot be given its name", error);
    there.release(name);
    if (error != 0) continue;
    named_ = true;
    const OwnedDescriptor folder(sync ? ::openat(there.folder(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1);
    if (sync && (!folder || ::fsync(folder.get()) != 0)) return disk_failure("the folder cannot be written", errno);
    return opened->path + name;
  }
  return failure(ErrorCode::kSystem, "the file cannot be given its name: somebody takes every one");
}

}  // namespace godwit
