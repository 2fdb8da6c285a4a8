// Folders and files of tests: a folder that goes with its owner, contents, names, and a limit on what may be written.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/poison.h"
#include "base/random.h"
#include "transfer/digest.h"

namespace godwit {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "godwit-test-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path operator/(std::string_view name) const { return path_ / name; }
  // Names of everything in it, hidden files too, sorted.
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) result.push_back(entry.path().filename());
    std::ranges::sort(result);
    return result;
  }

 private:
  std::filesystem::path path_;
};

inline std::vector<std::uint8_t> random_bytes(std::size_t size, std::uint64_t seed = 1) {
  std::vector<std::uint8_t> bytes(size);
  DeterministicRandom(seed).fill(bytes);
  return bytes;
}

inline void write_file(const std::filesystem::path& path, ByteView bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  ASSERT_TRUE(out.good()) << path;
}

inline std::vector<std::uint8_t> read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  EXPECT_TRUE(in.good()) << path;
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline std::array<std::uint8_t, kSha256Size> sha256(ByteView bytes) {
  FileHash hash;
  hash.update(bytes);
  return hash.finish();
}

// No file of this process grows beyond `bytes` while it lives: writes fail as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limited{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limited);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int);
};

// So many descriptors are left to this process while it lives.
class DescriptorLimit {
 public:
  // UBSan's check of virtual tables asks through a pipe whether memory can be read, and takes a pipe that it cannot
  // have for a no: nothing may then start a thread while no descriptor is left.
#if defined(GODWIT_ADDRESS_SANITIZER)
  static constexpr bool kSanitizerNeedsSome = true;
#else
  static constexpr bool kSanitizerNeedsSome = false;
#endif

  explicit DescriptorLimit(rlim_t left) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const int lowest = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    EXPECT_GE(lowest, 0);
    ::close(lowest);
    // What is free below the highest open one counts as well.
    rlim_t limit = static_cast<rlim_t>(lowest);
    for (rlim_t free = 0; free < left; ++limit) free += ::fcntl(static_cast<int>(limit), F_GETFD) == -1 ? 1U : 0U;
    const rlimit limited{limit, before_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &limited);
  }
  ~DescriptorLimit() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  DescriptorLimit(const DescriptorLimit&) = delete;
  DescriptorLimit& operator=(const DescriptorLimit&) = delete;

 private:
  rlimit before_{};
};

}  // namespace godwit
