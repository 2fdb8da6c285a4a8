#include "transfer/file_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "transfer/digest.h"

namespace godwit {
namespace {

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

}  // namespace

Result<std::unique_ptr<FileReader>> FileReader::open(const std::filesystem::path& path, std::function<void()> wake) {
  const std::string shown = "'" + path.string() + "'";
  const auto system_failure = [&shown](int error) {
    const ErrorCode code = error == ENOENT   ? ErrorCode::kNotFound
                           : error == EACCES ? ErrorCode::kPermission
                                             : ErrorCode::kSystem;
    return godwit::failure(code, "cannot read " + shown + ": " + std::strerror(error));
  };
  // O_NONBLOCK: a named pipe would wait for its writer.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (descriptor < 0) return system_failure(errno);
  struct stat status{};
  if (::fstat(descriptor, &status) != 0) {
    const int error = errno;
    ::close(descriptor);
    return system_failure(error);
  }
  if (!S_ISREG(status.st_mode)) {
    ::close(descriptor);
    return godwit::failure(ErrorCode::kInvalidArgument,
                           shown + (S_ISDIR(status.st_mode) ? " is a directory" : " is not a regular file"));
  }
  return std::unique_ptr<FileReader>(new FileReader(descriptor, static_cast<std::uint64_t>(status.st_size),
                                                    path.filename().string(), std::move(wake)));
}

Result<FileReader::Facts> FileReader::inspect(const std::filesystem::path& path) {
  const auto opened = open(path, [] {});
  if (!opened) return std::unexpected(opened.error());
  return Facts{.name = (*opened)->name(), .size = (*opened)->size()};
}

FileReader::FileReader(int descriptor, std::uint64_t size, std::string name, std::function<void()> wake)
    : descriptor_(descriptor), size_(size), name_(std::move(name)), wake_(std::move(wake)) {}

FileReader::~FileReader() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  room_.notify_one();
  if (thread_.joinable()) thread_.join();
  ::close(descriptor_);
}

void FileReader::start() {
  if (thread_.joinable()) return;
  const std::uint64_t blocks = std::min<std::uint64_t>(kBlocks, (size_ + kBlockBytes - 1) / kBlockBytes);
  ring_ = std::make_unique_for_overwrite<std::uint8_t[]>(static_cast<std::size_t>(blocks) * kBlockBytes);
  thread_ = std::thread([this] { run(); });
}

// The reading thread.
void FileReader::run() {
  FileHash hash;
  for (std::uint64_t block = 0, offset = 0; offset < size_; ++block) {
    if (!wait_for_room(block)) return;
    const auto bytes = static_cast<std::size_t>(std::min<std::uint64_t>(kBlockBytes, size_ - offset));
    if (!fill(block, bytes)) return;
    hash.update({place(block), bytes});
    offset += bytes;
    available_.store(offset, std::memory_order_release);
    wake_();
  }
  {
    const std::lock_guard lock(mutex_);
    hash_ = hash.finish();
  }
  wake_();
}

bool FileReader::wait_for_room(std::uint64_t block) {
  std::unique_lock lock(mutex_);
  room_.wait(lock, [this, block] { return stopping_ || block < released_shared_ + kBlocks; });
  return !stopping_;
}

bool FileReader::fill(std::uint64_t block, std::size_t bytes) {
  int error = 0;
  const std::size_t got = read_fully(descriptor_, place(block), bytes, block * kBlockBytes, error);
  if (got == bytes) return true;
  fail(error != 0 ? "cannot read '" + name_ + "': " + std::strerror(error)
                  : "'" + name_ + "' shrank while it was being sent");
  return false;
}

void FileReader::fail(std::string why) {
  {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::move(why);
  }
  wake_();
}

std::optional<std::array<std::uint8_t, kSha256Size>> FileReader::hash() const {
  const std::lock_guard lock(mutex_);
  return hash_;
}

std::optional<std::string> FileReader::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

std::optional<ByteView> FileReader::read(std::uint64_t offset, std::size_t length) {
  if (length > kLongestRead || offset + length > available()) return std::nullopt;
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
  }
  room_.notify_one();
}

std::optional<ByteView> FileReader::read_again(std::uint64_t offset, std::size_t length) {
  int error = 0;
  if (read_fully(descriptor_, scratch_.data(), length, offset, error) == length)
    return ByteView(scratch_).first(length);
  const std::lock_guard lock(mutex_);
  if (!failure_) {
    failure_ = error != 0 ? "cannot read '" + name_ + "': " + std::strerror(error)
                          : "'" + name_ + "' shrank while it was being sent";
  }
  return std::nullopt;
}

}  // namespace godwit
