// Received files on disk: one thread writes, hashes, compares and renames, so that the data path waits for no disk. The
// loop's thread queues work and takes completions; what may be queued is bounded by the credit its caller grants. A
// file has a temporary name until it is complete and verified; then it gets the one that was reserved when it began,
// without replacing any other (docs/file_transfer.md section 4). What is unfinished at the end is removed. Owned by
// whoever owns FileReceiver.
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "transfer/control.h"
#include "transfer/streamed_file.h"

namespace godwit {

// A piece of a file on its way to the disk.
struct FileBlock {
  static constexpr std::size_t kBytes = std::size_t{256} << 10;
  std::unique_ptr<std::uint8_t[]> bytes;
  std::size_t capacity = 0;
  std::size_t used = 0;
};

class FolderNames;
class PartialFile;
class ReceivedFolders;
class FileTarget;

class FileStore {
 public:
  using FileId = std::uint64_t;  // the caller's, unique while the file is open

  struct Completion {
    enum class Kind : std::uint8_t {
      kCreated,
      kNoRoom,  // not created, as other files have every descriptor; nothing more follows
      kWritten,
      kFinished,  // compared, named and closed
      kFailed,    // removed; nothing more follows
    };
    FileId file = 0;
    Kind kind = Kind::kFailed;
    std::uint64_t bytes = 0;                       // kWritten; kCreated: of what was kept of it
    std::uint64_t set_aside = 0;                   // kWritten: bytes of the file that the disk has or keeps for it
    std::uint32_t tag = 0;                         // kWritten: as given
    std::string text;                              // kFinished: the final name; kNoRoom, kFailed: why, for a person
    std::array<std::uint8_t, kSha256Size> hash{};  // kFinished; kCreated: of what was kept
    std::uint64_t folders = 0;                     // kFinished: folders made for it
  };

  struct Options {
    std::filesystem::path folder;  // made when it does not exist
    // What takes the bytes of files in order, in the thread, in place of a folder; nothing: there is a folder.
    StreamedFile::Output output{};
    bool sync = false;           // a confirmed file is on the disk, not only in the system's cache
    std::function<void()> wake;  // from the thread, when completions wait
  };
  // Errors name the folder.
  [[nodiscard]] static Result<std::unique_ptr<FileStore>> open(Options options);
  ~FileStore();
  FileStore(const FileStore&) = delete;
  FileStore& operator=(const FileStore&) = delete;

  // --- The loop's thread ---
  struct NewFile {
    std::string name;  // acceptable (file_name.h): a name, or a path where there is a group
    std::uint64_t size = 0;
    FileAttributes attributes{};
    std::uint64_t group = 0;  // the folder that it is in; 0: it is in none
    std::string kept_as{};    // as PartialFile's
    bool anew = false;
  };
  // Answered by kCreated, kNoRoom or kFailed.
  void create(FileId file, NewFile description);
  // Bytes that no other write of the file covers. Answered by kWritten.
  void write(FileId file, std::uint64_t offset, FileBlock block, std::uint32_t tag);
  // After the last write: compares with the sender's hash. Answered by kFinished or kFailed.
  void finish(FileId file, const std::array<std::uint8_t, kSha256Size>& hash);
  // Removes the file. No answer; completions of earlier work may still come.
  void discard(FileId file);
  // The same, but what has come is kept where that was asked for.
  void release(FileId file);
  // Moves what has been completed to `out`.
  void take_completions(std::vector<Completion>& out);

  // An empty block; of at most FileBlock::kBytes.
  [[nodiscard]] FileBlock new_block(std::size_t capacity = FileBlock::kBytes);
  // Work that the thread has not finished.
  [[nodiscard]] std::size_t pending() const { return pending_.load(std::memory_order_acquire); }
  // Bytes that the folder's file system has left for this user, less a margin that received files leave to others (a
  // 64th of its size, at most 256 MiB); nothing when it does not say. Asks the system each time.
  [[nodiscard]] std::optional<std::uint64_t> free_bytes() const;

 private:
  struct Task {
    enum class Kind : std::uint8_t { kCreate, kReadKept, kWrite, kFinish, kDiscard, kRelease };
    Kind kind = Kind::kDiscard;
    FileId file = 0;
    NewFile description{};
    std::uint64_t offset = 0;
    FileBlock block;
    std::uint32_t tag = 0;
    std::array<std::uint8_t, kSha256Size> hash{};
  };

  FileStore(Options options, int folder, mode_t mask);
  void queue(Task task);
  void run();
  void perform(Task& task);
  void create_now(Task& task);
  [[nodiscard]] Result<std::unique_ptr<FileTarget>> make_target(NewFile& description);
  void read_kept(FileId file, PartialFile& partial);
  void finish_now(const Task& task, FileTarget& target);
  void complete(Completion completion);
  void fail(FileId file, std::string why);
  void recycle(FileBlock block);

  const Options options_;
  const int folder_;  // -1: there is none

  const mode_t mask_;  // the process's umask

  // The thread's alone.
  const std::unique_ptr<FolderNames> names_;
  const std::unique_ptr<ReceivedFolders> folders_;
  std::map<FileId, std::unique_ptr<FileTarget>> files_;

  std::atomic<std::size_t> pending_{0};
  std::mutex mutex_;
  std::condition_variable work_;
  std::deque<Task> tasks_;
  std::vector<Completion> completions_;
  std::vector<std::unique_ptr<std::uint8_t[]>> spare_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace godwit
