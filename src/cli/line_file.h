// A file that lines are appended to while a command runs, each by one write, so that whoever reads along sees whole
// lines and several threads may write.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/result.h"

namespace godwit::cli {

class LineFile {
 public:
  struct Options {
    mode_t mode = 0666;         // of a file that is made, less the umask
    bool private_only = false;  // refuses a file that is there and that others may read or change
    std::uint64_t most_bytes;   // what is appended beyond them is left out
  };
  // Makes the file, or appends to the one that is there. Errors: kInvalidArgument, with the cause.
  [[nodiscard]] static Result<std::unique_ptr<LineFile>> open(const std::string& path, const Options& options);
  ~LineFile();
  LineFile(const LineFile&) = delete;
  LineFile& operator=(const LineFile&) = delete;

  // `line` has its end. The first one that cannot be written is told as a warning; those behind it are tried as well.
  void append(std::string_view line);

 private:
  LineFile(int descriptor, std::string path, std::uint64_t most_bytes);
  void warn_once(const std::string& why);

  std::mutex mutex_;
  int descriptor_;
  std::string path_;
  std::uint64_t left_bytes_;
  bool warned_ = false;
};

}  // namespace godwit::cli
