#include "udp/send_calls.h"

#include <cerrno>

namespace godwit {
namespace {

constexpr int kFlags = MSG_DONTWAIT | MSG_NOSIGNAL;

}  // namespace

int SendCalls::send_message(int descriptor, const msghdr& message) {
  // On a connected socket: the kernel then copies no header.
  if (message.msg_name == nullptr && message.msg_controllen == 0 && message.msg_iovlen == 1) {
    const auto sent = ::send(descriptor, message.msg_iov->iov_base, message.msg_iov->iov_len, kFlags);
    return sent < 0 ? -errno : static_cast<int>(sent);
  }
  const auto sent = ::sendmsg(descriptor, &message, kFlags);
  return sent < 0 ? -errno : static_cast<int>(sent);
}

int SendCalls::send_messages(int descriptor, KernelMessage* messages, unsigned count) {
  return platform::send_messages(descriptor, messages, count, kFlags);
}

int SendCalls::refuse_queued(const msghdr& /*message*/) {
  return 0;
}

}  // namespace godwit
