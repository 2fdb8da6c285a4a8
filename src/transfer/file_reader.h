// A file on its way out. A thread finds out how long it is and reads it, so that the data path waits neither for the
// disk, nor for a pipe, nor for SHA-256:
//   * a large regular file is read ahead, block by block into a bounded ring, and hashed in passing, once;
//   * a small one is read into memory as a whole, and its descriptor closed;
//   * what does not say its size (a pipe, a file of /proc) is copied to an unlinked temporary file first, as the wire
//     needs the size before the first byte.
// Where the receiver holds the beginning already, that is read and hashed alone, and compared.
// The loop's thread takes bytes as a stream's body does: in order from memory, and again (for a retransmission) from
// memory or from the file. Bytes that cannot be read any more, as of a file that has shrunk, fail the read and nothing
// else; whether a file has grown is asked at the end.
#pragma once

#include <sys/types.h>

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
#include "transfer/digest.h"
#include "transfer/folder_path.h"

namespace godwit {

class FileReader {
 public:
  static constexpr std::size_t kLongestRead = 9216;  // the payload of the largest datagram
  static constexpr std::size_t kBlockBytes = std::size_t{512} << 10;
  static constexpr std::size_t kBlocks = 16;
  // A regular file of at most so many bytes is read into memory as a whole.
  static constexpr std::size_t kSmallBytes = std::size_t{256} << 10;

  struct Facts {
    std::string name;
    std::uint64_t size = 0;  // as its folder says it; 0 for what is no regular file
    bool regular = false;
  };
  // What open() would find now, without opening a named pipe: its writer waits for open(). "-" is standard input.
  // Errors name the file: what does not exist, may not be read, is a folder or a device.
  [[nodiscard]] static Result<Facts> inspect(const std::filesystem::path& path);
  // As above; begins to find out the size where it is not certain. `wake` is called from the thread when prepared() or
  // available() changes, when all has been hashed and when reading has failed.
  [[nodiscard]] static Result<std::unique_ptr<FileReader>> open(const std::filesystem::path& path,
                                                                std::function<void()> wake);
  // The same of a regular file in a folder, which `below` leads to from there through no symbolic link.
  [[nodiscard]] static Result<std::unique_ptr<FileReader>> open_in(const std::filesystem::path& folder,
                                                                   const std::filesystem::path& below,
                                                                   std::function<void()> wake);
  // No bytes, with these attributes: what a folder is offered as.
  [[nodiscard]] static std::unique_ptr<FileReader> nothing(std::string name, const FileAttributes& attributes);
  ~FileReader();
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;

  // The last component of the path, as it is: any bytes. "stdin" for standard input.
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const FileAttributes& attributes() const { return attributes_; }
  // Whether the size is known; it is fixed from then on.
  [[nodiscard]] bool prepared() const { return prepared_.load(std::memory_order_acquire); }
  // 0 before it is known.
  [[nodiscard]] std::uint64_t size() const { return prepared() ? size_ : 0; }
  // All of it is in memory: it can neither change nor fail any more.
  [[nodiscard]] bool whole() const { return prepared() && whole_; }
  // Whether the thread has something to do; for tests in virtual time.
  [[nodiscard]] bool working() const { return working_.load(std::memory_order_acquire); }

  // --- The loop's thread ---
  // Begins to read ahead: from `from` on, if what is before it has this hash. Requires prepared(), and a `from` that is
  // a multiple of kBlockBytes within the file. Once; later calls change nothing.
  void start(std::uint64_t from = 0, const std::array<std::uint8_t, kSha256Size>& hash = {});
  // What is before `from` has another hash: nothing more is read.
  [[nodiscard]] bool differs() const { return differs_.load(std::memory_order_acquire); }
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
  // Why the file is not the one whose bytes were read any more: it has another size now, or was written to. Asks the
  // system each time.
  [[nodiscard]] std::optional<std::string> change() const;

 private:
  // What a file was when it was opened.
  struct Identity {
    dev_t device = 0;
    ino_t inode = 0;
    std::uint64_t size = 0;
    FileTime modified;
  };
  struct Source {
    int descriptor = -1;
    std::filesystem::path path;
    std::string name;
    bool regular = false;
    Identity identity;
    FileAttributes attributes;
  };
  [[nodiscard]] static Result<Source> open_source(const std::filesystem::path& path);
  [[nodiscard]] static Result<Source> describe(OwnedDescriptor file, const std::filesystem::path& path,
                                               bool standard_input);
  FileReader(Source source, std::function<void()> wake);

  void run();
  void prepare();
  [[nodiscard]] bool read_whole(std::vector<std::uint8_t>& bytes);
  [[nodiscard]] bool spool(ByteView begun);
  [[nodiscard]] std::optional<std::size_t> read_some(std::uint8_t* to, std::size_t bytes);
  void read_ahead();
  [[nodiscard]] bool hash_beginning(FileHash& hash);
  [[nodiscard]] bool stopping() const;
  [[nodiscard]] bool fill(std::uint64_t block, std::size_t bytes);
  [[nodiscard]] bool wait_for_room(std::uint64_t block);
  void release(std::uint64_t blocks);
  [[nodiscard]] std::uint8_t* place(std::uint64_t block) const { return ring_.get() + block % kBlocks * kBlockBytes; }
  [[nodiscard]] std::optional<ByteView> read_again(std::uint64_t offset, std::size_t length);
  [[nodiscard]] std::string shown() const;
  void fail(std::string why);

  // The thread's until prepared(), but for path, name, regular and attributes.
  int descriptor_;
  Identity identity_;
  std::uint64_t size_ = 0;
  bool whole_ = false;
  bool spooled_ = false;

  const std::filesystem::path path_;
  const std::string name_;
  const bool regular_;
  const FileAttributes attributes_;
  const std::function<void()> wake_;
  std::vector<std::uint8_t> small_;       // all of a small file
  std::unique_ptr<std::uint8_t[]> ring_;  // of another: kBlocks, or as many as it has
  std::atomic<bool> prepared_{false};
  std::atomic<bool> working_{false};
  std::atomic<bool> differs_{false};
  std::atomic<std::uint64_t> available_{0};

  // The loop's thread alone.
  std::uint64_t taken_ = 0;
  std::uint64_t released_ = 0;  // blocks
  std::array<std::uint8_t, kLongestRead> scratch_{};

  mutable std::mutex mutex_;
  std::condition_variable room_;
  std::uint64_t released_shared_ = 0;
  bool started_ = false;
  std::uint64_t from_ = 0;                             // set before the thread begins to read ahead
  std::array<std::uint8_t, kSha256Size> from_hash_{};  // of what is before it
  bool stopping_ = false;
  std::optional<std::array<std::uint8_t, kSha256Size>> hash_;
  std::optional<std::string> failure_;

  std::thread thread_;
};

}  // namespace godwit
