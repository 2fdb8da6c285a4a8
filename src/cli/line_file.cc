#include "cli/line_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "cli/console.h"

namespace godwit::cli {

Result<std::unique_ptr<LineFile>> LineFile::open(const std::string& path, const Options& options) {
  const auto refuse = [&path](const std::string& why) {
    return failure(ErrorCode::kInvalidArgument, "cannot write " + path + ": " + why);
  };
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, options.mode);
  if (descriptor < 0) return refuse(std::strerror(errno));
  std::unique_ptr<LineFile> file(new LineFile(descriptor, path, options.most_bytes));
  struct stat status{};
  if (options.private_only && (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode) ||
                               status.st_uid != ::geteuid() || (status.st_mode & 077) != 0)) {
    return refuse("it is not a file that its owner alone can read (chmod 600)");
  }
  return file;
}

LineFile::LineFile(int descriptor, std::string path, std::uint64_t most_bytes)
    : descriptor_(descriptor), path_(std::move(path)), left_bytes_(most_bytes) {}

LineFile::~LineFile() {
  ::close(descriptor_);
}

void LineFile::append(std::string_view line) {
  const std::lock_guard lock(mutex_);
  if (line.size() > left_bytes_) {
    left_bytes_ = 0;
    return warn_once("it has as much as it may have of one process");
  }
  left_bytes_ -= line.size();
  while (!line.empty()) {
    const ssize_t written = ::write(descriptor_, line.data(), line.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return warn_once(std::strerror(errno));
    line.remove_prefix(static_cast<std::size_t>(written));
  }
}

void LineFile::warn_once(const std::string& why) {
  if (!std::exchange(warned_, true)) print_warning("lines for " + path_ + " are lost: " + why);
}

}  // namespace godwit::cli
