#include "transfer/file_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "transfer/file_name.h"
#include "transfer/folder_names.h"
#include "transfer/partial_file.h"
#include "transfer/received_folders.h"

namespace godwit {
namespace {

constexpr std::size_t kMostSpareBlocks = 64;
// What received files leave to everybody else on the disk.
constexpr std::uint64_t kMarginShare = 64;
constexpr std::uint64_t kLargestMargin = std::uint64_t{256} << 20;

}  // namespace

Result<std::unique_ptr<FileStore>> FileStore::open(Options options) {
  if (options.output) return std::unique_ptr<FileStore>(new FileStore(std::move(options), -1, 0));
  std::error_code made;
  std::filesystem::create_directories(options.folder, made);
  const int folder = ::open(options.folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0 || ::faccessat(folder, ".", W_OK | X_OK, 0) != 0) {
    // Why it could not be made says more than that it is not there.
    const int error = folder < 0 && errno == ENOENT && made ? made.value() : errno;
    if (folder >= 0) ::close(folder);
    const ErrorCode code = error == EACCES ? ErrorCode::kPermission : ErrorCode::kSystem;
    return failure(code, "cannot write into the folder '" + options.folder.string() + "': " + std::strerror(error));
  }
  // The system tells the mask only to whoever sets it.
  const mode_t mask = ::umask(077);
  ::umask(mask);
  return std::unique_ptr<FileStore>(new FileStore(std::move(options), folder, mask));
}

FileStore::FileStore(Options options, int folder, mode_t mask)
    : options_(std::move(options)),
      folder_(folder),
      mask_(mask),
      names_(std::make_unique<FolderNames>(folder)),
      folders_(std::make_unique<ReceivedFolders>(*names_, mask)) {
  thread_ = std::thread([this] { run(); });
}

FileStore::~FileStore() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  thread_.join();
  files_.clear();
  if (folder_ >= 0) ::close(folder_);
}

void FileStore::create(FileId file, NewFile description) {
  queue({.kind = Task::Kind::kCreate, .file = file, .description = std::move(description)});
}
void FileStore::write(FileId file, std::uint64_t offset, FileBlock block, std::uint32_t tag) {
  queue({.kind = Task::Kind::kWrite, .file = file, .offset = offset, .block = std::move(block), .tag = tag});
}
void FileStore::finish(FileId file, const std::array<std::uint8_t, kSha256Size>& hash) {
  queue({.kind = Task::Kind::kFinish, .file = file, .hash = hash});
}
void FileStore::discard(FileId file) {
  queue({.kind = Task::Kind::kDiscard, .file = file});
}
void FileStore::release(FileId file) {
  queue({.kind = Task::Kind::kRelease, .file = file});
}

void FileStore::queue(Task task) {
  pending_.fetch_add(1, std::memory_order_relaxed);
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  work_.notify_one();
}

void FileStore::take_completions(std::vector<Completion>& out) {
  const std::lock_guard lock(mutex_);
  for (Completion& completion : completions_) out.push_back(std::move(completion));
  completions_.clear();
}

FileBlock FileStore::new_block(std::size_t capacity) {
  capacity = std::clamp<std::size_t>(capacity, 1, FileBlock::kBytes);
  if (capacity == FileBlock::kBytes) {
    const std::lock_guard lock(mutex_);
    if (!spare_.empty()) {
      FileBlock block{.bytes = std::move(spare_.back()), .capacity = capacity};
      spare_.pop_back();
      return block;
    }
  }
  return {.bytes = std::make_unique_for_overwrite<std::uint8_t[]>(capacity), .capacity = capacity};
}

std::optional<std::uint64_t> FileStore::free_bytes() const {
  struct statvfs status{};
  if (folder_ < 0) return std::nullopt;
  if (::fstatvfs(folder_, &status) != 0) return std::nullopt;
  const std::uint64_t total = std::uint64_t{status.f_blocks} * status.f_frsize;
  const std::uint64_t free = std::uint64_t{status.f_bavail} * status.f_frsize;
  return free - std::min(free, std::min(total / kMarginShare, kLargestMargin));
}

// The writing thread.
void FileStore::run() {
  while (true) {
    Task task;
    {
      std::unique_lock lock(mutex_);
      work_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
      // What is unfinished now will not be finished: its files remove themselves.
      if (stopping_) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    perform(task);
    pending_.fetch_sub(1, std::memory_order_release);
  }
}

void FileStore::perform(Task& task) {
  if (task.kind == Task::Kind::kCreate) return create_now(task);
  const auto found = files_.find(task.file);
  if (found == files_.end()) {
    // It has failed before; its other work falls away.
    if (task.block.bytes) recycle(std::move(task.block));
    return;
  }
  switch (task.kind) {
    case Task::Kind::kCreate: return;
    case Task::Kind::kReadKept: return read_kept(task.file, static_cast<PartialFile&>(*found->second));
    case Task::Kind::kWrite: {
      const std::size_t bytes = task.block.used;
      const Status written = found->second->write(task.offset, {task.block.bytes.get(), bytes});
      recycle(std::move(task.block));
      if (!written) return fail(task.file, written.error().message);
      return complete({.file = task.file,
                       .kind = Completion::Kind::kWritten,
                       .bytes = bytes,
                       .set_aside = found->second->set_aside(),
                       .tag = task.tag});
    }
    case Task::Kind::kFinish: return finish_now(task, *found->second);
    case Task::Kind::kDiscard: found->second->discard(); [[fallthrough]];
    case Task::Kind::kRelease: files_.erase(found); return;
  }
}

void FileStore::create_now(Task& task) {
  const bool may_be_kept = !task.description.kept_as.empty() && !options_.output;
  auto created = make_target(task.description);
  if (!created && created.error().code == ErrorCode::kWouldBlock) {
    return complete({.file = task.file, .kind = Completion::Kind::kNoRoom, .text = created.error().message});
  }
  if (!created) return fail(task.file, created.error().message);
  FileTarget& target = *(files_[task.file] = std::move(*created));
  if (may_be_kept) return read_kept(task.file, static_cast<PartialFile&>(target));
  complete({.file = task.file, .kind = Completion::Kind::kCreated});
}

Result<std::unique_ptr<FileTarget>> FileStore::make_target(NewFile& description) {
  if (options_.output) {
    return std::make_unique<StreamedFile>(std::move(description.name), description.size, options_.output);
  }
  if (description.group == 0) {
    return PartialFile::create(*names_, {.name = std::move(description.name),
                                         .size = description.size,
                                         .attributes = description.attributes,
                                         .mask = mask_,
                                         .kept_as = std::move(description.kept_as),
                                         .anew = description.anew});
  }
  const std::uint64_t group = description.group;
  if (is_folder_path(description.name)) {
    return std::make_unique<ReceivedFolder>(*folders_, group, std::move(description.name), description.attributes);
  }
  std::string name(names_of_path(description.name).back());
  const auto open = [this, group, path = std::move(description.name)] { return folders_->open(group, path, false); };
  return PartialFile::create(*names_, {.name = std::move(name),
                                       .size = description.size,
                                       .attributes = description.attributes,
                                       .mask = mask_,
                                       .open_folder = open});
}

// A piece at a time, so that other files need not wait until a large one has been read.
void FileStore::read_kept(FileId file, PartialFile& partial) {
  const auto all = partial.read_kept();
  if (!all) return fail(file, all.error().message);
  if (!*all) return queue({.kind = Task::Kind::kReadKept, .file = file});
  complete({.file = file, .kind = Completion::Kind::kCreated, .bytes = partial.kept(), .hash = partial.kept_hash()});
}

void FileStore::finish_now(const Task& task, FileTarget& target) {
  const std::uint64_t before = folders_->made();
  auto name = target.finish(task.hash, options_.sync);
  if (!name) return fail(task.file, name.error().message);
  files_.erase(task.file);
  complete({.file = task.file,
            .kind = Completion::Kind::kFinished,
            .text = std::move(*name),
            .hash = task.hash,
            .folders = folders_->made() - before});
}

void FileStore::complete(Completion completion) {
  {
    const std::lock_guard lock(mutex_);
    completions_.push_back(std::move(completion));
  }
  options_.wake();
}

void FileStore::fail(FileId file, std::string why) {
  files_.erase(file);
  complete({.file = file, .kind = Completion::Kind::kFailed, .text = std::move(why)});
}

void FileStore::recycle(FileBlock block) {
  if (block.capacity != FileBlock::kBytes) return;
  const std::lock_guard lock(mutex_);
  if (spare_.size() < kMostSpareBlocks) spare_.push_back(std::move(block.bytes));
}

}  // namespace godwit
