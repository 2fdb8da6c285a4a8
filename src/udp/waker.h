// What a back end sleeps on: its socket, and an eventfd or a pipe that other threads and signal handlers write to.
#pragma once

#include <poll.h>

#include <cstdint>
#include <ctime>
#include <optional>

#include "base/result.h"
#include "base/time.h"
#include "udp/backend.h"

namespace godwit {

class Waker {
 public:
  enum class Kind : std::uint8_t {
    kBest,  // an eventfd and ppoll(2), where the system has them
    kPipe,  // what POSIX has: poll(2), which counts milliseconds
  };
  // Errors: kSystem (no descriptors left).
  [[nodiscard]] static Result<Waker> open(Kind kind = Kind::kBest);
  Waker(Waker&& other) noexcept;
  Waker& operator=(Waker&&) = delete;
  ~Waker();

  void wake() noexcept;
  // Whether wake() was called since the last drain.
  bool drain() noexcept;
  [[nodiscard]] int descriptor() const { return read_; }

  // Sleeps until `socket` is readable or has an error to report, is writable where `for_writing`, wake(), the time-out
  // or a signal. Drains. So it does with `further`, unless that is null, and says there what it has seen of it.
  [[nodiscard]] WaitOutcome wait(int socket, bool for_writing, std::optional<Duration> timeout,
                                 pollfd* further = nullptr);

 private:
  Waker(int read, int write) : read_(read), write_(write) {}
  [[nodiscard]] bool is_pipe() const { return read_ != write_; }

  int read_;
  int write_;  // the same for an eventfd
};

// A negative duration is zero.
[[nodiscard]] timespec to_timespec(Duration duration);

}  // namespace godwit
