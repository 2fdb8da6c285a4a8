// The system calls that send, as a seam: refusals of the kernel (no checksum offload, a route change, seccomp, a full
// device queue) cannot be had on demand, so tests put a ScriptedSendCalls (scripted_send_calls_test_support.h) in their
// place, below all fall-back logic. The virtual call is once a system call, not once a datagram.
#pragma once

#include "udp/platform.h"

namespace godwit {

class SendCalls {
 public:
  virtual ~SendCalls() = default;

  // sendmsg(2) and sendmmsg(2), never blocking and without SIGPIPE: bytes or messages taken, or a negative errno.
  [[nodiscard]] virtual int send_message(int descriptor, const msghdr& message);
  [[nodiscard]] virtual int send_messages(int descriptor, KernelMessage* messages, unsigned count);

  // io_uring has no call to replace: it asks this about each message before it queues it. 0, or the positive errno that
  // stands for the kernel's answer.
  [[nodiscard]] virtual int refuse_queued(const msghdr& message);
};

}  // namespace godwit
