// What a back end sleeps on: its socket and an eventfd that other threads and signal handlers write to.
#pragma once

#include <optional>

#include "base/result.h"
#include "base/time.h"
#include "udp/backend.h"

namespace godwit {

class Waker {
 public:
  // Errors: kSystem (no descriptors left).
  [[nodiscard]] static Result<Waker> open();
  Waker(Waker&& other) noexcept;
  Waker& operator=(Waker&&) = delete;
  ~Waker();

  void wake() noexcept;
  // Whether wake() was called since the last drain.
  bool drain() noexcept;
  [[nodiscard]] int descriptor() const { return descriptor_; }

  // Sleeps until `socket` is readable or has an error to report, is writable where `for_writing`, wake(), the time-out
  // or a signal. Drains.
  [[nodiscard]] WaitOutcome wait(int socket, bool for_writing, std::optional<Duration> timeout);

 private:
  explicit Waker(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

// A negative duration is zero.
[[nodiscard]] timespec to_timespec(Duration duration);

}  // namespace godwit
