// A file on its way out: a thread reads it ahead, block by block into a bounded ring, and hashes it in passing, so that
// the data path waits neither for the disk nor for SHA-256 and the file is read once. The loop's thread takes bytes as
// a stream's body does: in order from the ring, and again (for a retransmission) from the ring or from the file. Bytes
// that cannot be read any more, as of a file that has shrunk, fail the read and nothing else.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "transfer/control.h"

namespace godwit {

class FileReader {
 public:
  struct Facts {
    std::string name;  // the last component of the path
    std::uint64_t size = 0;
  };
  // What open() would find now.
  [[nodiscard]] static Result<Facts> inspect(const std::filesystem::path& path);
  // Opens a regular file; its size is fixed from now on. `wake` is called from the thread when more is available, when
  // all has been hashed and when reading has failed. Errors name the file.
  [[nodiscard]] static Result<std::unique_ptr<FileReader>> open(const std::filesystem::path& path,
                                                                std::function<void()> wake);
  ~FileReader();
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;

  [[nodiscard]] std::uint64_t size() const { return size_; }
  // The last component of the path.
  [[nodiscard]] const std::string& name() const { return name_; }

  // --- The loop's thread ---
  // Begins to read ahead. Once.
  void start();
  // Bytes from the start that read() delivers.
  [[nodiscard]] std::uint64_t available() const { return available_.load(std::memory_order_acquire); }
  // How far read() has come.
  [[nodiscard]] std::uint64_t taken() const { return taken_; }
  // A view until the next call. Nothing beyond available(), and when the file cannot be read any more. length <=
  // kLongestRead.
  [[nodiscard]] std::optional<ByteView> read(std::uint64_t offset, std::size_t length);
  // SHA-256 of the whole file; nothing before its end has been read.
  [[nodiscard]] std::optional<std::array<std::uint8_t, kSha256Size>> hash() const;
  [[nodiscard]] std::optional<std::string> failure() const;

  static constexpr std::size_t kLongestRead = 4096;
  static constexpr std::size_t kBlockBytes = std::size_t{512} << 10;
  static constexpr std::size_t kBlocks = 16;

 private:
  FileReader(int descriptor, std::uint64_t size, std::string name, std::function<void()> wake);

  void run();
  [[nodiscard]] bool fill(std::uint64_t block, std::size_t bytes);
  [[nodiscard]] bool wait_for_room(std::uint64_t block);
  void release(std::uint64_t blocks);
  [[nodiscard]] std::uint8_t* place(std::uint64_t block) const { return ring_.get() + block % kBlocks * kBlockBytes; }
  [[nodiscard]] std::optional<ByteView> read_again(std::uint64_t offset, std::size_t length);
  void fail(std::string why);

  const int descriptor_;
  const std::uint64_t size_;
  const std::string name_;
  const std::function<void()> wake_;
  std::unique_ptr<std::uint8_t[]> ring_;  // kBlocks, fewer for a small file
  std::atomic<std::uint64_t> available_{0};

  // The loop's thread alone.
  std::uint64_t taken_ = 0;
  std::uint64_t released_ = 0;  // blocks
  std::array<std::uint8_t, kLongestRead> scratch_{};

  mutable std::mutex mutex_;
  std::condition_variable room_;
  std::uint64_t released_shared_ = 0;
  bool stopping_ = false;
  std::optional<std::array<std::uint8_t, kSha256Size>> hash_;
  std::optional<std::string> failure_;

  std::thread thread_;
};

}  // namespace godwit
