#include "transfer/folder_listing.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <system_error>

#include "transfer/file_name.h"
#include "transfer/folder_path.h"

namespace godwit {
namespace {

std::string cannot_read(const std::filesystem::path& path, int error) {
  return "cannot read '" + path.string() + "': " + std::strerror(error);
}

FileAttributes attributes_of(const struct stat& status) {
  return {.mode = static_cast<std::uint16_t>(status.st_mode & FileAttributes::kPermissionBits),
          .modified = FileTime{.seconds = status.st_mtim.tv_sec,
                               .nanoseconds = static_cast<std::uint32_t>(status.st_mtim.tv_nsec)}};
}

std::string_view kind_of(mode_t mode) {
  if (S_ISLNK(mode)) return "a symbolic link";
  if (S_ISFIFO(mode)) return "a named pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

// Names in the folder, sorted; nothing, and errno, where it cannot be read.
std::optional<std::vector<std::string>> names_in(int folder) {
  struct Close {
    void operator()(DIR* open) const { ::closedir(open); }
  };
  // The directory stream owns a descriptor of its own.
  OwnedDescriptor own(::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!own) return std::nullopt;
  const std::unique_ptr<DIR, Close> open(::fdopendir(own.get()));
  if (!open) return std::nullopt;
  static_cast<void>(own.release());
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* const entry = ::readdir(open.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;
  }
  if (errno != 0) return std::nullopt;
  std::ranges::sort(names);
  return names;
}

class Lister {
 public:
  Lister(std::filesystem::path top, FolderListing& listing) : top_(std::move(top)), listing_(listing) {}

  // False, and errno, where it cannot be read. `depth`: names in the paths of what is in it, the top folder's among
  // them.
  bool list(int folder, const std::filesystem::path& below, std::size_t depth) {
    struct stat status{};
    if (::fstat(folder, &status) != 0) return false;
    const auto names = names_in(folder);
    if (!names) return false;
    const std::size_t before = listing_.files.size() + listing_.folders.size();
    for (const std::string& name : *names) add(folder, below / name, name, depth);
    const bool empty = before == listing_.files.size() + listing_.folders.size();
    listing_.folders.push_back({.below = below, .attributes = attributes_of(status), .empty = empty});
    return true;
  }

 private:
  void add(int folder, const std::filesystem::path& below, const std::string& name, std::size_t depth) {
    struct stat status{};
    if (::fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return problem(below, errno);
    if (S_ISREG(status.st_mode)) {
      listing_.files.push_back({.below = below, .size = static_cast<std::uint64_t>(status.st_size)});
      return;
    }
    if (!S_ISDIR(status.st_mode)) {
      listing_.problems.push_back(
          {.below = below,
           .why = "'" + (top_ / below).string() + "' is " + std::string(kind_of(status.st_mode)) + ": not sent"});
      return;
    }
    if (depth > kMaxPathNames) return problem(below, ELOOP);
    const OwnedDescriptor inner = open_folder_in(folder, name);
    if (!inner || !list(inner.get(), below, depth + 1)) problem(below, errno);
  }
  void problem(const std::filesystem::path& below, int error) {
    const std::string why =
        error == ELOOP ? "'" + (top_ / below).string() + "' is too deep: not sent" : cannot_read(top_ / below, error);
    listing_.problems.push_back({.below = below, .why = why});
  }

  const std::filesystem::path top_;
  FolderListing& listing_;
};

}  // namespace

Result<FolderListing> list_folder(const std::filesystem::path& folder) {
  FolderListing listing;
  const OwnedDescriptor open(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (open && Lister(folder, listing).list(open.get(), {}, 2)) return listing;
  return failure(errno == EACCES ? ErrorCode::kPermission : ErrorCode::kSystem, cannot_read(folder, errno));
}

std::string name_of_folder(const std::filesystem::path& folder) {
  std::filesystem::path path = folder.lexically_normal();
  if (path.filename().empty()) path = path.parent_path();
  if (!path.filename().empty() && path.filename() != "." && path.filename() != "..") return path.filename().string();
  std::error_code ignored;
  return std::filesystem::canonical(folder, ignored).filename().string();
}

std::optional<std::string> folder_change(const std::filesystem::path& folder, const FileAttributes& attributes) {
  struct stat status{};
  if (::stat(folder.c_str(), &status) != 0) return cannot_read(folder, errno);
  if (attributes_of(status).modified == attributes.modified) return std::nullopt;
  return "'" + folder.string() + "' changed while it was being sent: what it holds now may not be what was sent";
}

}  // namespace godwit
