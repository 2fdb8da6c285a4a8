#include "transfer/streamed_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "transfer/unnamed_file.h"

namespace godwit {
namespace {

constexpr std::size_t kSpoolRead = std::size_t{256} << 10;

std::unexpected<Error> spool_failure(int error) {
  return failure(ErrorCode::kSystem,
                 std::string("what came early cannot be kept (TMPDIR names another folder): ") + std::strerror(error));
}

}  // namespace

StreamedFile::~StreamedFile() {
  if (waiting_ >= 0) ::close(waiting_);
}

Status StreamedFile::write(std::uint64_t offset, ByteView bytes) {
  if (offset != front_) return keep(offset, bytes);
  if (Status passed = pass_on(bytes); !passed) return passed;
  return pass_on_what_follows();
}

Status StreamedFile::keep(std::uint64_t offset, ByteView bytes) {
  if (waiting_ < 0) waiting_ = open_unnamed_file();
  if (waiting_ < 0) return spool_failure(errno);
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t written =
        ::pwrite(waiting_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return spool_failure(written < 0 ? errno : ENOSPC);
    done += static_cast<std::size_t>(written);
  }
  ahead_.add(offset, offset + bytes.size());
  return {};
}

Status StreamedFile::pass_on(ByteView bytes) {
  hash_.update(bytes);
  front_ += bytes.size();
  return output_(bytes);
}

Status StreamedFile::pass_on_what_follows() {
  while (const auto end = ahead_.take(front_)) {
    const std::uint64_t begin = front_;
    scratch_.resize(kSpoolRead);
    while (front_ < *end) {
      const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(*end - front_, scratch_.size()));
      const ssize_t got = ::pread(waiting_, scratch_.data(), wanted, static_cast<off_t>(front_));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return spool_failure(got < 0 ? errno : EIO);
      if (Status passed = pass_on(ByteView(scratch_).first(static_cast<std::size_t>(got))); !passed) return passed;
    }
    // Where the file system cannot do it, the room comes back with the descriptor.
    static_cast<void>(::fallocate(waiting_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(begin),
                                  static_cast<off_t>(*end - begin)));
  }
  return {};
}

Result<std::string> StreamedFile::finish(const std::array<std::uint8_t, kSha256Size>& expected,
                                         [[maybe_unused]] bool sync) {
  if (front_ != size_) return failure(ErrorCode::kProtocol, "bytes are missing");
  if (hash_.finish() != expected) return failure(ErrorCode::kProtocol, "the SHA-256 differs from the sender's");
  return name_;
}

}  // namespace godwit
