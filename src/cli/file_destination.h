// Where `godwit listen` puts what it receives: a folder, or standard output, which then has the bytes of one file and
// nothing else.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "cli/byte_ends.h"
#include "transfer/file_store.h"

namespace godwit::cli {

class FileDestination {
 public:
  struct Options {
    std::string output;  // --output: a folder, "-", or nothing for the default folder
    bool sync = false;
    std::function<void()> wake;  // as FileStore's
  };
  // Errors name what cannot be written.
  [[nodiscard]] static Result<std::unique_ptr<FileDestination>> open(const Options& options);
  // Ends a write that waits for whoever reads standard output.
  ~FileDestination();
  FileDestination(const FileDestination&) = delete;
  FileDestination& operator=(const FileDestination&) = delete;

  [[nodiscard]] FileStore& store() { return *store_; }
  [[nodiscard]] bool is_standard_output() const { return standard_output_.is_open(); }
  // Empty for standard output.
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

 private:
  FileDestination() = default;
  [[nodiscard]] Status pass_on(ByteView bytes);

  std::filesystem::path folder_;
  ByteEnd standard_output_;
  std::atomic<bool> stopping_{false};
  std::unique_ptr<FileStore> store_;  // its thread uses all of the above
};

}  // namespace godwit::cli
