// For tests: a folder that stands for "/", filled by the test and removed at its end.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "measure/system_files.h"

namespace godwit::measure {

class FakeFiles {
 public:
  FakeFiles() {
    std::string pattern = (std::filesystem::temp_directory_path() / "godwit-files-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
  }
  ~FakeFiles() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  FakeFiles(const FakeFiles&) = delete;
  FakeFiles& operator=(const FakeFiles&) = delete;

  // `path` begins with a slash.
  void write(std::string_view path, std::string_view content) {
    const std::filesystem::path full = root_ + std::string(path);
    std::filesystem::create_directories(full.parent_path());
    std::ofstream(full) << content;
  }
  [[nodiscard]] SystemFiles files() const { return SystemFiles(root_); }
  [[nodiscard]] const std::string& root() const { return root_; }

 private:
  std::string root_;
};

}  // namespace godwit::measure
