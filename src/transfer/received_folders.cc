#include "transfer/received_folders.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "transfer/digest.h"
#include "transfer/file_name.h"

namespace godwit {
namespace {

// Folders whose numbers are remembered. What comes for one that was forgotten goes into a new folder.
constexpr std::size_t kMostGroups = 65'536;
// Somebody else takes every name.
constexpr int kMostAttempts = 16;

std::unexpected<Error> folder_failure(std::string_view path, int error) {
  const ErrorCode code = error == EACCES || error == EPERM ? ErrorCode::kPermission : ErrorCode::kSystem;
  return failure(code, "the folder '" + std::string(path) + "' cannot be made: " + std::strerror(error));
}

}  // namespace

Result<ReceivedFolders::Opened> ReceivedFolders::open(std::uint64_t group, std::string_view path, bool itself) {
  auto names = names_of_path(path);
  if (!itself) names.pop_back();
  auto top = name_of(group, names.front());
  if (!top) return std::unexpected(top.error());
  names.front() = *top;
  Opened opened;
  for (const std::string_view name : names) {
    opened.path.append(name).append("/");
    opened.folder = make_folder(opened.folder ? opened.folder.get() : names_.folder(), name);
    if (!opened.folder) return folder_failure(opened.path, errno);
  }
  return opened;
}

Result<std::string> ReceivedFolders::name_of(std::uint64_t group, std::string_view wanted) {
  if (const auto known = groups_.find(group); known != groups_.end()) {
    known->second.used = ++uses_;
    return known->second.name;
  }
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    std::string name = names_.reserve(std::string(wanted));
    const int made = ::mkdirat(names_.folder(), name.c_str(), 0700);
    const int error = errno;
    names_.release(name);
    if (made != 0 && error == EEXIST) continue;
    if (made != 0) return folder_failure(name, error);
    ++made_;
    if (groups_.size() >= kMostGroups) {
      groups_.erase(std::ranges::min_element(groups_, {}, [](const auto& each) { return each.second.used; }));
    }
    groups_[group] = {.name = name, .used = ++uses_};
    return name;
  }
  return folder_failure(wanted, EEXIST);
}

// Nobody else reads what is in it until it is complete.
OwnedDescriptor ReceivedFolders::make_folder(int folder, std::string_view name) {
  OwnedDescriptor there = open_folder_in(folder, name);
  if (there || errno != ENOENT) return there;
  if (::mkdirat(folder, std::string(name).c_str(), 0700) == 0) {
    ++made_;
  } else if (errno != EEXIST) {
    return {};
  }
  return open_folder_in(folder, name);
}

Status ReceivedFolder::write(std::uint64_t, ByteView) {
  return failure(ErrorCode::kProtocol, "a folder has no bytes");
}

Result<std::string> ReceivedFolder::finish(const std::array<std::uint8_t, kSha256Size>& expected, bool sync) {
  if (FileHash().finish() != expected) return failure(ErrorCode::kProtocol, "the SHA-256 differs from the sender's");
  auto opened = folders_.open(group_, path_, true);
  if (!opened) return std::unexpected(opened.error());
  // The one that passes through it can do neither.
  const OwnedDescriptor folder(::openat(opened->folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return folder_failure(opened->path, errno);
  const mode_t mode = attributes_.mode ? (*attributes_.mode & FileAttributes::kPermissionBits) : 0777;
  // Its owner can look into it whatever the sender says.
  static_cast<void>(::fchmod(folder.get(), (mode & ~folders_.mask()) | S_IRUSR | S_IXUSR));
  if (attributes_.modified) {
    const timespec times[2] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT},
                               {.tv_sec = attributes_.modified->seconds, .tv_nsec = attributes_.modified->nanoseconds}};
    static_cast<void>(::futimens(folder.get(), times));
  }
  if (sync && ::fsync(folder.get()) != 0) return folder_failure(opened->path, errno);
  return opened->path;
}

}  // namespace godwit
