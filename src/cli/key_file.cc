#include "cli/key_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/download_folder.h"

namespace godwit::cli {
namespace {

constexpr std::size_t kDigits = 2 * kSecretKeySize;

std::unexpected<Error> file_failure(const std::string& what, const std::filesystem::path& path, int error) {
  const ErrorCode code = error == ENOENT                     ? ErrorCode::kNotFound
                         : error == EACCES || error == EPERM ? ErrorCode::kPermission
                                                             : ErrorCode::kSystem;
  return failure(code, what + " " + path.string() + ": " + std::strerror(error));
}

// Closes and, unless kept, removes a half-written file.
class NewFile {
 public:
  NewFile(int descriptor, std::filesystem::path path) : descriptor_(descriptor), path_(std::move(path)) {}
  ~NewFile() {
    ::close(descriptor_);
    ::unlink(path_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  [[nodiscard]] bool write(ByteView bytes) const {
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return false;
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return ::fsync(descriptor_) == 0;
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  int descriptor_;
  std::filesystem::path path_;
};

// Others can exchange a file in a folder that they can write, unless it is theirs alone to remove (sticky).
bool others_may_replace(const std::filesystem::path& path) {
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  struct stat status{};
  if (::stat(folder.c_str(), &status) != 0) return false;
  return (status.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (status.st_mode & S_ISVTX) == 0;
}

// Why a file is no place for a secret, and what to do; nothing when it is one. `status` is that of the open file: what
// a symbolic link leads to counts, and so do both folders.
std::optional<std::string> distrust(const std::filesystem::path& path, const struct stat& status) {
  const unsigned mode = status.st_mode & 07777U;
  const bool written = (mode & (S_IWGRP | S_IWOTH)) != 0;
  const uid_t self = ::geteuid();
  if (status.st_uid != self && status.st_uid != 0 && self != 0) return "belongs to another user: use a key of your own";
  if ((mode & (S_IRWXG | S_IRWXO)) != 0) {
    return std::string(written ? "can be changed by others" : "can be read by others") + ": chmod 600 it";
  }
  std::error_code failed;
  const std::filesystem::path real = std::filesystem::canonical(path, failed);
  if (others_may_replace(path) || (!failed && others_may_replace(real))) {
    return "is in a folder where others can replace it: chmod go-w the folder";
  }
  return std::nullopt;
}

}  // namespace

Result<std::filesystem::path> default_key_path() {
  if (const char* const folder = std::getenv("XDG_CONFIG_HOME"); folder != nullptr && *folder == '/') {
    return std::filesystem::path(folder) / "godwit" / "key";
  }
  const std::string home = home_folder();
  if (home.empty()) {
    return failure(ErrorCode::kNotFound, "no place for a key: neither XDG_CONFIG_HOME nor HOME is set; use --key FILE");
  }
  return std::filesystem::path(home) / ".config" / "godwit" / "key";
}

Result<LoadedKey> load_key(const std::filesystem::path& path, KeyFileTrust trust) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (descriptor < 0) return file_failure("cannot read the key file", path, errno);
  struct stat status{};
  std::array<std::uint8_t, kDigits + 3> text{};
  const bool regular = ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
  const ssize_t size = regular ? ::read(descriptor, text.data(), text.size()) : -1;
  const int error = errno;
  ::close(descriptor);
  if (!regular) return failure(ErrorCode::kInvalidArgument, "the key file " + path.string() + " is not a regular file");
  if (size < 0) return file_failure("cannot read the key file", path, error);
  if (trust == KeyFileTrust::kOwnerOnly) {
    if (const auto why = distrust(path, status)) {
      wipe(text);
      return failure(ErrorCode::kPermission,
                     "the key file " + path.string() + " " + *why + ", or say --insecure-key if that does not matter");
    }
  }
  std::size_t digits = static_cast<std::size_t>(size);
  while (digits > 0 && (text[digits - 1] == '\n' || text[digits - 1] == '\r')) --digits;
  auto secret = from_hex({reinterpret_cast<const char*>(text.data()), digits});
  wipe(text);
  if (!secret || secret->size() != kSecretKeySize) {
    if (secret) wipe(*secret);
    return failure(ErrorCode::kInvalidArgument,
                   "the key file " + path.string() + " does not hold 64 hexadecimal digits");
  }
  auto keys = KeyPair::from_secret(*secret);
  wipe(*secret);
  if (!keys) return std::unexpected(keys.error());
  return LoadedKey{.keys = std::move(*keys), .path = path};
}

Result<LoadedKey> create_key(const std::filesystem::path& path, RandomSource& random, bool replace) {
  auto keys = KeyPair::generate(random);
  if (!keys) return std::unexpected(keys.error());
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  std::error_code problem;
  if (!std::filesystem::exists(folder, problem)) {
    std::filesystem::create_directories(folder, problem);
    if (problem) return file_failure("cannot make a folder for the key file", path, problem.value());
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, problem);
  }
  std::string temporary = (folder / ".key.XXXXXX").string();
  // mkostemp makes the file with mode 0600.
  const int descriptor = ::mkostemp(temporary.data(), O_CLOEXEC);
  if (descriptor < 0) return file_failure("cannot write the key file", path, errno);
  const NewFile file(descriptor, temporary);
  std::string text = to_hex(keys->secret().bytes()) + "\n";
  const bool written = file.write(as_bytes(text));
  const int write_error = errno;
  wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  if (!written) return file_failure("cannot write the key file", path, write_error);
  // link() does not replace, so that two first uses at once agree on one key.
  const int result = replace ? ::rename(temporary.c_str(), path.c_str()) : ::link(temporary.c_str(), path.c_str());
  if (result != 0) return file_failure("cannot write the key file", path, errno);
  return LoadedKey{.keys = std::move(*keys), .path = path, .created = true};
}

Result<LoadedKey> load_or_create_key(const std::filesystem::path& path, RandomSource& random, KeyFileTrust trust) {
  if (!path.empty()) return load_key(path, trust);
  const auto standard = default_key_path();
  if (!standard) return std::unexpected(standard.error());
  auto loaded = load_key(*standard, trust);
  if (loaded || loaded.error().code != ErrorCode::kNotFound) return loaded;
  auto created = create_key(*standard, random);
  if (created) return created;
  // Somebody else was faster.
  auto theirs = load_key(*standard, trust);
  return theirs ? std::move(theirs) : std::move(created);
}

Result<LoadedKey> load_or_make_key(const std::filesystem::path& path, RandomSource& random, KeyFileTrust trust) {
  auto loaded = load_or_create_key(path, random, trust);
  if (loaded || !path.empty()) return loaded;
  // A file that is there is meant: what is wrong with it is said.
  std::error_code unknown;
  const auto standard = default_key_path();
  if (standard && std::filesystem::exists(std::filesystem::symlink_status(*standard, unknown))) return loaded;
  auto keys = KeyPair::generate(random);
  if (!keys) return std::unexpected(keys.error());
  return LoadedKey{.keys = std::move(*keys), .path = {}, .ephemeral_because = loaded.error().message};
}

}  // namespace godwit::cli
