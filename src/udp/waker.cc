#include "udp/waker.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

namespace godwit {

Result<Waker> Waker::open() {
  const int descriptor = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (descriptor < 0)
    return failure(ErrorCode::kSystem, std::string("cannot make an eventfd: ") + std::strerror(errno));
  return Waker(descriptor);
}

Waker::Waker(Waker&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

Waker::~Waker() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void Waker::wake() noexcept {
  const int kept = errno;  // of the code that a signal handler interrupted
  const std::uint64_t one = 1;
  // It fails only when the counter is full, and then the sleeper is awake already.
  [[maybe_unused]] const auto written = ::write(descriptor_, &one, sizeof one);
  errno = kept;
}

bool Waker::drain() noexcept {
  std::uint64_t count = 0;
  return ::read(descriptor_, &count, sizeof count) == sizeof count;
}

WaitOutcome Waker::wait(int socket, bool for_writing, std::optional<Duration> timeout) {
  const short events = static_cast<short>(POLLIN | (for_writing ? POLLOUT : 0));
  std::array<pollfd, 2> entries{pollfd{socket, events, 0}, pollfd{descriptor_, POLLIN, 0}};
  const timespec limit = to_timespec(timeout.value_or(Duration::zero()));
  if (::ppoll(entries.data(), entries.size(), timeout ? &limit : nullptr, nullptr) <= 0) return {};
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
