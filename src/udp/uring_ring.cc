#if GODWIT_WITH_URING

#include "udp/uring_ring.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

namespace godwit {
namespace {

// Completion work deferred to the owner's next call (Linux 6.1) spares interrupts; without it, cooperative (5.19).
// Disabled at first, because a ring for a single issuer belongs to the thread that enables it.
constexpr std::array<unsigned, 3> kFlagChoices = {
    IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
    IORING_SETUP_R_DISABLED | IORING_SETUP_COOP_TASKRUN,
    IORING_SETUP_R_DISABLED,
};

std::string explain(int error) {
  std::string text = std::string("io_uring_setup: ") + std::strerror(error);
  if (error == EPERM || error == EACCES) text += " (kernel.io_uring_disabled, or a seccomp filter)";
  if (error == ENOSYS) text += " (a kernel without io_uring, or a seccomp filter)";
  if (error == ENOMEM) text += " (RLIMIT_MEMLOCK)";
  return text;
}

}  // namespace

Status UringRing::open(unsigned entries, unsigned completion_entries) {
  close();
  int error = 0;
  for (const unsigned flags : kFlagChoices) {
    io_uring_params parameters{};
    parameters.flags = flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
    parameters.cq_entries = completion_entries;
    error = -io_uring_queue_init_params(entries, &ring_, &parameters);
    if (error == 0) {
      open_ = true;
      return {};
    }
    if (error != EINVAL) break;
  }
  return failure(ErrorCode::kUnsupported, explain(error));
}

void UringRing::close() {
  if (open_) io_uring_queue_exit(&ring_);
  open_ = false;
  enabled_ = false;
}

bool UringRing::enable_now() {
  // io_uring_enable_rings is missing from the symbols of liburing.so 2.3.
  enabled_ =
      open_ && io_uring_register(static_cast<unsigned>(ring_.ring_fd), IORING_REGISTER_ENABLE_RINGS, nullptr, 0) >= 0;
  return enabled_;
}

}  // namespace godwit

#endif
