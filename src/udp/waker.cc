#include "udp/waker.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

#include "udp/platform.h"

#if GODWIT_LINUX
#include <sys/eventfd.h>
#endif

namespace godwit {
namespace {

// For poll(2): rounded up, so that a timer is never polled for before it is due; -1 for ever.
int to_milliseconds(std::optional<Duration> timeout) {
  if (!timeout) return -1;
  const auto whole = std::chrono::ceil<std::chrono::milliseconds>(std::max(*timeout, Duration::zero())).count();
  return static_cast<int>(std::min<std::int64_t>(whole, INT_MAX));
}

}  // namespace

Result<Waker> Waker::open([[maybe_unused]] Kind kind) {
#if GODWIT_LINUX
  if (kind == Kind::kBest) {
    const int descriptor = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (descriptor < 0)
      return failure(ErrorCode::kSystem, std::string("cannot make an eventfd: ") + std::strerror(errno));
    return Waker(descriptor, descriptor);
  }
#endif
  int ends[2];
  if (!platform::open_pipe(ends))
    return failure(ErrorCode::kSystem, std::string("cannot make a pipe: ") + std::strerror(errno));
  return Waker(ends[0], ends[1]);
}

Waker::Waker(Waker&& other) noexcept : read_(std::exchange(other.read_, -1)), write_(std::exchange(other.write_, -1)) {}

Waker::~Waker() {
  if (is_pipe()) ::close(write_);
  if (read_ >= 0) ::close(read_);
}

void Waker::wake() noexcept {
  const int kept = errno;  // of the code that a signal handler interrupted
  const std::uint64_t one = 1;
  // It fails only when the counter or the pipe is full, and then the sleeper is awake already.
  [[maybe_unused]] const auto written = ::write(write_, &one, sizeof one);
  errno = kept;
}

bool Waker::drain() noexcept {
  if (!is_pipe()) {
    std::uint64_t count = 0;
    return ::read(read_, &count, sizeof count) == sizeof count;
  }
  std::array<std::uint8_t, 256> bytes;
  bool woken = false;
  for (;;) {
    const auto count = ::read(read_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return woken;
    woken = true;
  }
}

WaitOutcome Waker::wait(int socket, bool for_writing, std::optional<Duration> timeout, pollfd* further) {
  const short events = static_cast<short>(POLLIN | (for_writing ? POLLOUT : 0));
  std::array<pollfd, 3> entries{pollfd{socket, events, 0}, pollfd{read_, POLLIN, 0}, pollfd{-1, 0, 0}};
  if (further != nullptr) entries[2] = *further;
  const nfds_t count = further == nullptr ? 2 : 3;
  int found = 0;
  if (is_pipe()) {
    found = ::poll(entries.data(), count, to_milliseconds(timeout));
  } else {
#if GODWIT_LINUX
    const timespec limit = to_timespec(timeout.value_or(Duration::zero()));
    found = ::ppoll(entries.data(), count, timeout ? &limit : nullptr, nullptr);
#endif
  }
  if (further != nullptr) further->revents = found <= 0 ? short{0} : entries[2].revents;
  if (found <= 0) return {};
  return WaitOutcome{
      .readable = (entries[0].revents & (POLLIN | POLLERR | POLLHUP)) != 0,
      .writable = (entries[0].revents & POLLOUT) != 0,
      .woken = entries[1].revents != 0 && drain(),
      .failed = (entries[0].revents & POLLERR) != 0,
  };
}

timespec to_timespec(Duration duration) {
  const Duration positive = std::max(duration, Duration::zero());
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(positive);
  return timespec{.tv_sec = static_cast<std::time_t>(seconds.count()),
                  .tv_nsec = static_cast<long>((positive - seconds).count())};
}

}  // namespace godwit
