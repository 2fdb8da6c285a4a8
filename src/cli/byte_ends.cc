#include "cli/byte_ends.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace godwit::cli {
namespace {

ByteCount outcome(ssize_t count, bool reading) {
  if (count > 0) return {.state = ByteCount::State::kSome, .bytes = static_cast<std::size_t>(count)};
  if (count == 0) return {.state = reading ? ByteCount::State::kEnd : ByteCount::State::kWait};
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {};
  return {.state = ByteCount::State::kFailed, .error = errno};
}

bool ready(int descriptor, short events) {
  pollfd waiting{.fd = descriptor, .events = events, .revents = 0};
  return ::poll(&waiting, 1, 0) > 0;
}

// O_NONBLOCK belongs to the open file, which other processes share (a terminal; the pipe of a script): where the system
// opens it once more, the flag is this process's alone.
int open_again(int descriptor, int access) {
  const std::string path = "/proc/self/fd/" + std::to_string(descriptor);
  return ::open(path.c_str(), access | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

}  // namespace

ByteEnd::ByteEnd(ByteEnd&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)), kind_(other.kind_) {}

ByteEnd& ByteEnd::operator=(ByteEnd&& other) noexcept {
  if (this == &other) return *this;
  close();
  descriptor_ = std::exchange(other.descriptor_, -1);
  kind_ = other.kind_;
  return *this;
}

Result<ByteEnd> ByteEnd::take_standard(int descriptor) {
  const bool input = descriptor == STDIN_FILENO;
  struct stat status{};
  int own = -1;
  Kind kind = Kind::kGuarded;
  if (::fstat(descriptor, &status) == 0) {
    if (S_ISREG(status.st_mode)) kind = Kind::kFile;
    if (S_ISSOCK(status.st_mode)) kind = Kind::kSocket;
    if (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)) {
      own = open_again(descriptor, input ? O_RDONLY : O_WRONLY);
      if (own >= 0) kind = Kind::kNonBlocking;
    }
  }
  if (own < 0) own = ::fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  const int null = own < 0 ? -1 : ::open("/dev/null", (input ? O_RDONLY : O_WRONLY) | O_CLOEXEC);
  if (null >= 0) ::dup2(null, descriptor);
  const int error = errno;
  if (null >= 0) ::close(null);
  if (null >= 0) return ByteEnd(own, kind);
  if (own >= 0) ::close(own);
  return failure(ErrorCode::kSystem,
                 std::string("cannot use standard ") + (input ? "input: " : "output: ") + std::strerror(error));
}

ByteCount ByteEnd::read(std::span<std::uint8_t> into) const {
  if (kind_ == Kind::kSocket) return outcome(::recv(descriptor_, into.data(), into.size(), MSG_DONTWAIT), true);
  if (kind_ == Kind::kGuarded && !ready(descriptor_, POLLIN)) return {};
  return outcome(::read(descriptor_, into.data(), into.size()), true);
}

ByteCount ByteEnd::write(ByteView bytes) const {
  if (bytes.empty()) return {};
  if (kind_ == Kind::kSocket) {
    return outcome(::send(descriptor_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL), false);
  }
  // Ready means that a pipe takes so much without waiting (pipe(7)).
  if (kind_ == Kind::kGuarded) {
    if (!ready(descriptor_, POLLOUT)) return {};
    bytes = bytes.first(std::min<std::size_t>(bytes.size(), PIPE_BUF));
  }
  return outcome(::write(descriptor_, bytes.data(), bytes.size()), false);
}

int ByteEnd::end_writing() {
  if (kind_ != Kind::kSocket) return close();
  // Whoever has gone already needs no end.
  static_cast<void>(::shutdown(descriptor_, SHUT_WR));
  return 0;
}

int ByteEnd::close() {
  if (descriptor_ < 0) return 0;
  const int closed = ::close(std::exchange(descriptor_, -1));
  return closed == 0 ? 0 : errno;
}

}  // namespace godwit::cli
