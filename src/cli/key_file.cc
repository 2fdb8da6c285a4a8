#include "cli/key_file.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

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

}  // namespace

Result<std::filesystem::path> default_key_path() {
  if (const char* const folder = std::getenv("XDG_CONFIG_HOME"); folder != nullptr && *folder == '/') {
    return std::filesystem::path(folder) / "godwit" / "key";
  }
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home == '\0') {
    const passwd* const entry = ::getpwuid(::getuid());
    home = entry == nullptr ? nullptr : entry->pw_dir;
  }
  if (home == nullptr || *home == '\0') {
    return failure(ErrorCode::kNotFound, "no place for a key: neither XDG_CONFIG_HOME nor HOME is set; use --key FILE");
  }
  return std::filesystem::path(home) / ".config" / "godwit" / "key";
}

Result<LoadedKey> load_key(const std::filesystem::path& path) {
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
  return LoadedKey{.keys = std::move(*keys), .path = path, .loose = (status.st_mode & (S_IRWXG | S_IRWXO)) != 0};
}

Result<LoadedKey> create_key(const std::filesystem::path& path, RandomSource& random, bool replace) {
  auto keys = KeyPair::generate(random);
  if (!keys) return std::unexpected(keys.error());
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  std::error_code ignored;
  if (!std::filesystem::exists(folder, ignored)) {
    std::filesystem::create_directories(folder, ignored);
    if (!ignored) std::filesystem::permissions(folder, std::filesystem::perms::owner_all, ignored);
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

Result<LoadedKey> load_or_create_key(const std::filesystem::path& path, RandomSource& random) {
  if (!path.empty()) return load_key(path);
  const auto standard = default_key_path();
  if (!standard) return std::unexpected(standard.error());
  auto loaded = load_key(*standard);
  if (loaded || loaded.error().code != ErrorCode::kNotFound) return loaded;
  auto created = create_key(*standard, random);
  if (created) return created;
  // Somebody else was faster.
  auto theirs = load_key(*standard);
  return theirs ? std::move(theirs) : std::move(created);
}

}  // namespace godwit::cli
