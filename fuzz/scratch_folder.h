// Where targets that read and write files have theirs.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "base/assert.h"

namespace godwit::fuzz {

// A folder in memory where there is one, with files to send; gone when the process ends.
class Folder {
 public:
  Folder() {
    const bool memory = std::filesystem::is_directory("/dev/shm");
    std::string name = (memory ? "/dev/shm" : std::filesystem::temp_directory_path().string()) + "/godwit-fuzz-XXXXXX";
    GODWIT_ASSERT(::mkdtemp(name.data()) != nullptr);
    path_ = name;
    std::filesystem::create_directory(path_ / "received");
    std::ofstream(path_ / "some.bin") << std::string(20'000, 'x');
    std::ofstream(path_ / "empty.bin");
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  [[nodiscard]] std::filesystem::path operator/(std::string_view name) const { return path_ / name; }
  void remove_received() const {
    for (const auto& entry : std::filesystem::directory_iterator(path_ / "received"))
      std::filesystem::remove_all(entry.path());
  }
  // Nothing but files, each directly in the folder of received ones.
  void check() const {
    std::size_t entries = 0;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) entries += entry.is_regular_file() ? 1 : 0;
    GODWIT_ASSERT(entries == 2);
    for (const auto& entry : std::filesystem::directory_iterator(path_ / "received"))
      GODWIT_ASSERT(entry.is_regular_file());
  }

 private:
  std::filesystem::path path_;
};

inline const Folder& folder() {
  static const Folder instance;
  return instance;
}

}  // namespace godwit::fuzz
