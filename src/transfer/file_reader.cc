#include "transfer/file_reader.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "transfer/file_name.h"
#include "transfer/unnamed_file.h"

namespace godwit {
namespace {

// How long a wait for the other end of a pipe lasts before the thread looks whether anybody still wants it.
constexpr int kPollMilliseconds = 100;

// Bytes read, fewer only at the end of the file or on an error.
std::size_t read_fully(int descriptor, std::uint8_t* to, std::size_t bytes, std::uint64_t offset, int& error) {
  std::size_t done = 0;
  error = 0;
  while (done < bytes) {
    const ssize_t got = ::pread(descriptor, to + done, bytes - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) error = errno;
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

FileTime time_of(const struct stat& status) {
  return {.seconds = status.st_mtim.tv_sec, .nanoseconds = static_cast<std::uint32_t>(status.st_mtim.tv_nsec)};
}

// One that cannot be joined where the system has no thread left: the file fails, not the process.
template <typename Work>
std::thread begin_thread(Work work) {
  try {
    return std::thread(std::move(work));
  } catch (const std::system_error&) {
    return {};
  }
}

std::unexpected<Error> unreadable(const std::string& shown, int error) {
  const ErrorCode code = error == ENOENT                      ? ErrorCode::kNotFound
                         : error == EACCES                    ? ErrorCode::kPermission
                         : error == EMFILE || error == ENFILE ? ErrorCode::kWouldBlock
                                                              : ErrorCode::kSystem;
  return failure(code, "cannot read " + shown + ": " + std::strerror(error));
}

}  // namespace

// --- Opening ---

Result<FileReader::Source> FileReader::open_source(const std::filesystem::path& path) {
  const bool standard_input = path == "-";
  // O_NONBLOCK: a named pipe would wait for its writer.
  OwnedDescriptor file(standard_input ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                                      : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  return describe(std::move(file), path, standard_input);
}

// `file` was opened just now: where it is none, errno says why.
Result<FileReader::Source> FileReader::describe(OwnedDescriptor file, const std::filesystem::path& path,
                                                bool standard_input) {
  const std::string shown = standard_input ? "standard input" : "'" + path.string() + "'";
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0) return unreadable(shown, errno);
  Source source{.path = path, .name = standard_input ? "stdin" : path.filename().string()};
  // Standard input is read from where it stands, even where it is a regular file.
  source.regular = S_ISREG(status.st_mode) && !standard_input;
  // A terminal and /dev/null end; other devices may not.
  const bool ends = S_ISREG(status.st_mode) || S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode) ||
                    (S_ISCHR(status.st_mode) && (::isatty(file.get()) != 0 || path == "/dev/null"));
  if (!ends) {
    return godwit::failure(ErrorCode::kInvalidArgument,
                           shown + (S_ISDIR(status.st_mode) ? " is a directory" : " is a device, not a file"));
  }
  source.identity = {.device = status.st_dev,
                     .inode = status.st_ino,
                     .size = source.regular ? static_cast<std::uint64_t>(status.st_size) : 0,
                     .modified = time_of(status)};
  if (source.regular) {
    source.attributes = {.mode = static_cast<std::uint16_t>(status.st_mode & FileAttributes::kPermissionBits),
                         .modified = source.identity.modified};
  }
  source.descriptor = file.release();
  return source;
}

Result<FileReader::Facts> FileReader::inspect(const std::filesystem::path& path) {
  // Opening a named pipe lets its waiting writer go, which would then write to nobody and be ended by SIGPIPE.
  struct stat status{};
  if (path != "-" && ::stat(path.c_str(), &status) == 0 && S_ISFIFO(status.st_mode)) {
    if (::access(path.c_str(), R_OK) != 0) return unreadable("'" + path.string() + "'", errno);
    return Facts{.name = path.filename().string(), .size = 0, .regular = false};
  }
  auto source = open_source(path);
  if (!source) return std::unexpected(source.error());
  ::close(source->descriptor);
  return Facts{.name = std::move(source->name), .size = source->identity.size, .regular = source->regular};
}

Result<std::unique_ptr<FileReader>> FileReader::open(const std::filesystem::path& path, std::function<void()> wake) {
  auto source = open_source(path);
  if (!source) return std::unexpected(source.error());
  return std::unique_ptr<FileReader>(new FileReader(std::move(*source), std::move(wake)));
}

// A folder changes while it is sent, perhaps by somebody who may write into it and should not have other files sent.
Result<std::unique_ptr<FileReader>> FileReader::open_in(const std::filesystem::path& folder,
                                                        const std::filesystem::path& below,
                                                        std::function<void()> wake) {
  const std::filesystem::path path = folder / below;
  const OwnedDescriptor start(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!start) return unreadable("'" + path.string() + "'", errno);
  const std::string names = below.string();
  auto source = describe(open_below(start.get(), names_of_path(names), O_RDONLY | O_NOCTTY | O_NONBLOCK), path, false);
  if (!source) return std::unexpected(source.error());
  if (!source->regular) {
    ::close(source->descriptor);
    return godwit::failure(ErrorCode::kInvalidArgument, "'" + path.string() + "' is no regular file any more");
  }
  return std::unique_ptr<FileReader>(new FileReader(std::move(*source), std::move(wake)));
}

std::unique_ptr<FileReader> FileReader::nothing(std::string name, const FileAttributes& attributes) {
  return std::unique_ptr<FileReader>(
      new FileReader({.path = {}, .name = std::move(name), .identity = {}, .attributes = attributes}, nullptr));
}

FileReader::FileReader(Source source, std::function<void()> wake)
    : descriptor_(source.descriptor),
      identity_(source.identity),
      path_(std::move(source.path)),
      name_(std::move(source.name)),
      regular_(source.regular),
      attributes_(source.attributes),
      wake_(std::move(wake)) {
  if (descriptor_ < 0) {
    whole_ = true;
    hash_ = FileHash().finish();
    prepared_.store(true, std::memory_order_release);
    return;
  }
  if (regular_ && identity_.size > kSmallBytes) {
    size_ = identity_.size;
    prepared_.store(true, std::memory_order_release);
    return;
  }
  working_.store(true, std::memory_order_release);
  thread_ = begin_thread([this] { run(); });
  if (!thread_.joinable()) fail("cannot read " + shown() + ": no thread left");
}

FileReader::~FileReader() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  room_.notify_one();
  if (thread_.joinable()) thread_.join();
  if (descriptor_ >= 0) ::close(descriptor_);
}

void FileReader::start(std::uint64_t from, const std::array<std::uint8_t, kSha256Size>& hash) {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(started_, true)) return;
    from_ = from;
    from_hash_ = hash;
    taken_ = from;
    released_ = released_shared_ = from / kBlockBytes;
  }
  if (whole_) return;
  working_.store(true, std::memory_order_release);
  if (thread_.joinable()) {
    room_.notify_one();
  } else {
    thread_ = begin_thread([this] { run(); });
    if (!thread_.joinable()) fail("cannot read " + shown() + ": no thread left");
  }
}

// --- The reading thread ---

void FileReader::run() {
  if (!prepared()) prepare();
  if (prepared() && !whole_) {
    {
      std::unique_lock lock(mutex_);
      if (!started_) working_.store(false, std::memory_order_release);
      room_.wait(lock, [this] { return stopping_ || started_; });
      if (stopping_) return;
    }
    read_ahead();
  }
  working_.store(false, std::memory_order_release);
  wake_();
}

// Finds out the size: the end of the file is where reading ends, whatever its folder says.
void FileReader::prepare() {
  std::vector<std::uint8_t> bytes;
  if (regular_) {
    if (!read_whole(bytes)) return;
  }
  if (regular_ && bytes.size() <= kSmallBytes) {
    // A file of /proc or /sys has another size than its bytes, and keeps it.
    struct stat after{};
    if (bytes.size() != identity_.size && ::fstat(descriptor_, &after) == 0) {
      identity_.size = static_cast<std::uint64_t>(after.st_size);
    }
    ::close(std::exchange(descriptor_, -1));
    FileHash hash;
    hash.update(bytes);
    small_ = std::move(bytes);
    size_ = small_.size();
    whole_ = true;
    {
      const std::lock_guard lock(mutex_);
      hash_ = hash.finish();
    }
    available_.store(size_, std::memory_order_release);
  } else if (!spool(bytes)) {
    return;
  }
  prepared_.store(true, std::memory_order_release);
  wake_();
}

// Up to the end of the file, or a byte more than a small file has.
bool FileReader::read_whole(std::vector<std::uint8_t>& bytes) {
  bytes.resize(std::min<std::size_t>(static_cast<std::size_t>(identity_.size), kSmallBytes) + 1);
  std::size_t used = 0;
  while (true) {
    const auto got = read_some(bytes.data() + used, bytes.size() - used);
    if (!got) return false;
    used += *got;
    if (*got == 0 || used > kSmallBytes) break;
    if (used == bytes.size()) bytes.resize(std::min(2 * used, kSmallBytes) + 1);
  }
  bytes.resize(used);
  return true;
}

// Copies what comes to a file without a name. `begun` has been read already.
bool FileReader::spool(ByteView begun) {
  const int to = open_unnamed_file();
  const auto failed = [this, to](int error) {
    if (to >= 0) ::close(to);
    fail("cannot keep a copy of " + shown() + " (TMPDIR names another folder): " + std::strerror(error));
    return false;
  };
  if (to < 0 || !write_fully(to, begun)) return failed(errno);
  std::uint64_t size = begun.size();
  std::vector<std::uint8_t> block(kBlockBytes);
  while (true) {
    const auto got = read_some(block.data(), block.size());
    if (!got) {
      ::close(to);
      return false;
    }
    if (*got == 0) break;
    if (!write_fully(to, ByteView(block).first(*got))) return failed(errno);
    size += *got;
  }
  ::close(std::exchange(descriptor_, to));
  spooled_ = true;
  size_ = size;
  return true;
}

// The next bytes, waiting for them; 0 at the end. Nothing when reading failed or nobody wants them any more.
std::optional<std::size_t> FileReader::read_some(std::uint8_t* to, std::size_t bytes) {
  while (!stopping()) {
    if (!regular_) {
      pollfd waiting{.fd = descriptor_, .events = POLLIN, .revents = 0};
      const int ready = ::poll(&waiting, 1, kPollMilliseconds);
      if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
    }
    const ssize_t got = ::read(descriptor_, to, bytes);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno == EINTR || errno == EAGAIN) continue;
    fail("cannot read " + shown() + ": " + std::strerror(errno));
    return std::nullopt;
  }
  return std::nullopt;
}

void FileReader::read_ahead() {
  const std::uint64_t blocks = std::min<std::uint64_t>(kBlocks, (size_ + kBlockBytes - 1) / kBlockBytes);
  ring_ = std::make_unique_for_overwrite<std::uint8_t[]>(static_cast<std::size_t>(blocks) * kBlockBytes);
  FileHash hash;
  if (!hash_beginning(hash)) return;
  for (std::uint64_t block = from_ / kBlockBytes, offset = from_; offset < size_; ++block) {
    if (!wait_for_room(block)) return;
    const auto bytes = static_cast<std::size_t>(std::min<std::uint64_t>(kBlockBytes, size_ - offset));
    if (!fill(block, bytes)) return;
    hash.update({place(block), bytes});
    offset += bytes;
    available_.store(offset, std::memory_order_release);
    wake_();
  }
  const std::lock_guard lock(mutex_);
  hash_ = hash.finish();
}

// What the receiver holds already: read here for its hash alone, through the first block of the ring.
bool FileReader::hash_beginning(FileHash& hash) {
  for (std::uint64_t offset = 0; offset < from_; offset += kBlockBytes) {
    if (stopping()) return false;
    int error = 0;
    if (read_fully(descriptor_, place(0), kBlockBytes, offset, error) != kBlockBytes) {
      fail(error != 0 ? "cannot read " + shown() + ": " + std::strerror(error)
                      : shown() + " shrank while it was being sent");
      return false;
    }
    hash.update({place(0), kBlockBytes});
  }
  if (from_ == 0) return true;
  if (hash.so_far() != from_hash_) {
    differs_.store(true, std::memory_order_release);
    return false;
  }
  available_.store(from_, std::memory_order_release);
  return true;
}

bool FileReader::stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

bool FileReader::wait_for_room(std::uint64_t block) {
  std::unique_lock lock(mutex_);
  const auto room = [this, block] { return stopping_ || block < released_shared_ + kBlocks; };
  if (!room()) {
    working_.store(false, std::memory_order_release);
    room_.wait(lock, room);
    working_.store(true, std::memory_order_release);
  }
  return !stopping_;
}

bool FileReader::fill(std::uint64_t block, std::size_t bytes) {
  int error = 0;
  const std::size_t got = read_fully(descriptor_, place(block), bytes, block * kBlockBytes, error);
  if (got == bytes) return true;
  fail(error != 0 ? "cannot read " + shown() + ": " + std::strerror(error)
                  : shown() + " shrank while it was being sent");
  return false;
}

std::string FileReader::shown() const {
  return "'" + name_ + "'";
}

void FileReader::fail(std::string why) {
  {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::move(why);
  }
  wake_();
}

// --- The loop's thread ---

std::optional<std::array<std::uint8_t, kSha256Size>> FileReader::hash() const {
  const std::lock_guard lock(mutex_);
  return hash_;
}

std::optional<std::string> FileReader::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

std::optional<std::string> FileReader::change() const {
  if (!prepared() || !regular_ || spooled_) return std::nullopt;
  struct stat now{};
  // The descriptor of a small file is closed: another file may have its name by now, which changes nothing.
  const int result = descriptor_ >= 0 ? ::fstat(descriptor_, &now) : ::stat(path_.c_str(), &now);
  if (result != 0 || now.st_dev != identity_.device || now.st_ino != identity_.inode) return std::nullopt;
  const auto size = static_cast<std::uint64_t>(now.st_size);
  if (size != identity_.size) {
    return shown() + (size > identity_.size ? " grew" : " shrank") + " while it was being sent";
  }
  // A small file was read in one go.
  if (!whole_ && time_of(now) != identity_.modified) return shown() + " changed while it was being sent";
  return std::nullopt;
}

std::optional<ByteView> FileReader::read(std::uint64_t offset, std::size_t length) {
  if (length > kLongestRead || offset + length > available()) return std::nullopt;
  if (whole_) {
    taken_ = std::max(taken_, offset + length);
    return ByteView(small_).subspan(static_cast<std::size_t>(offset), length);
  }
  // The view of the read before this one is dead now, and with it the blocks below.
  if (const std::uint64_t whole = taken_ / kBlockBytes; whole > released_) release(whole);
  if (offset < released_ * kBlockBytes) return read_again(offset, length);
  taken_ = std::max(taken_, offset + length);
  const std::uint64_t block = offset / kBlockBytes;
  const auto within = static_cast<std::size_t>(offset % kBlockBytes);
  if (within + length <= kBlockBytes) return ByteView(place(block) + within, length);
  const std::size_t first = kBlockBytes - within;
  std::memcpy(scratch_.data(), place(block) + within, first);
  std::memcpy(scratch_.data() + first, place(block + 1), length - first);
  return ByteView(scratch_).first(length);
}

void FileReader::release(std::uint64_t blocks) {
  released_ = blocks;
  {
    const std::lock_guard lock(mutex_);
    released_shared_ = blocks;
    // Said here, so that a test in virtual time does not see an idle thread that is about to wake.
    if (!hash_ && !failure_) working_.store(true, std::memory_order_release);
  }
  room_.notify_one();
}

std::optional<ByteView> FileReader::read_again(std::uint64_t offset, std::size_t length) {
  int error = 0;
  if (read_fully(descriptor_, scratch_.data(), length, offset, error) == length)
    return ByteView(scratch_).first(length);
  const std::lock_guard lock(mutex_);
  if (!failure_) {
    failure_ = error != 0 ? "cannot read " + shown() + ": " + std::strerror(error)
                          : shown() + " shrank while it was being sent";
  }
  return std::nullopt;
}

}  // namespace godwit
