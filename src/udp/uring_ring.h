// One io_uring, opened with the best flags that the kernel takes and owned by the thread that first uses it. Not for
// headers that other folders include: needs liburing.
#pragma once

#include <liburing.h>

#include "base/result.h"

namespace godwit {

class UringRing {
 public:
  UringRing() = default;
  UringRing(const UringRing&) = delete;
  UringRing& operator=(const UringRing&) = delete;
  ~UringRing() { close(); }

  // Errors: kUnsupported with the reason (forbidden, absent, out of locked memory).
  [[nodiscard]] Status open(unsigned entries, unsigned completion_entries);
  void close();
  [[nodiscard]] bool is_open() const { return open_; }

  // The first call makes the calling thread the owner. False when the ring cannot be used at all.
  [[nodiscard]] bool enable() { return enabled_ || enable_now(); }

  [[nodiscard]] io_uring& raw() { return ring_; }
  [[nodiscard]] int descriptor() const { return ring_.ring_fd; }

 private:
  [[nodiscard]] bool enable_now();

  io_uring ring_{};
  bool open_ = false;
  bool enabled_ = false;
};

}  // namespace godwit
