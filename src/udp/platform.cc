#include "udp/platform.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace godwit::platform {
namespace {

// What SOCK_CLOEXEC and SOCK_NONBLOCK do in one call where they exist. Another thread that forks in between passes the
// descriptor on, which is why Linux does not come here.
[[maybe_unused]] bool set_flags(int descriptor) {
  const int flags = ::fcntl(descriptor, F_GETFL);
  return flags >= 0 && ::fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0 &&
         ::fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0;
}

bool set_option(int descriptor, int level, int name, int value) {
  return ::setsockopt(descriptor, level, name, &value, sizeof value) == 0;
}

}  // namespace

int open_socket(int domain) {
#if GODWIT_LINUX
  return ::socket(domain, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);
#else
  const int descriptor = ::socket(domain, SOCK_DGRAM, IPPROTO_UDP);
  if (descriptor < 0 || set_flags(descriptor)) return descriptor;
  ::close(descriptor);
  return -1;
#endif
}

bool open_pipe(int (&ends)[2]) {
#if GODWIT_LINUX
  return ::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0;
#else
  if (::pipe(ends) != 0) return false;
  if (set_flags(ends[0]) && set_flags(ends[1])) return true;
  ::close(ends[0]);
  ::close(ends[1]);
  return false;
#endif
}

void report_marks(int descriptor, int domain, bool dual_stack) {
  if (domain == AF_INET6) set_option(descriptor, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
#if defined(IP_RECVTOS)
  if (domain == AF_INET || dual_stack) set_option(descriptor, IPPROTO_IP, IP_RECVTOS, 1);
#endif
}

#if GODWIT_LINUX

void let_ip_fragment(int descriptor, int domain, bool dual_stack) {
  if (domain == AF_INET6) set_option(descriptor, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT);
  if (domain == AF_INET || dual_stack) set_option(descriptor, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
}

bool keep_whole(int descriptor, int domain, bool whole) {
  if (domain == AF_INET6) {
    return set_option(descriptor, IPPROTO_IPV6, IPV6_MTU_DISCOVER, whole ? IPV6_PMTUDISC_PROBE : IPV6_PMTUDISC_OMIT);
  }
  return set_option(descriptor, IPPROTO_IP, IP_MTU_DISCOVER, whole ? IP_PMTUDISC_PROBE : IP_PMTUDISC_OMIT);
}

bool set_kernel_reports(int descriptor, int domain, bool dual_stack, bool on) {
  const int value = on ? 1 : 0;
  if (domain == AF_INET6) set_option(descriptor, IPPROTO_IPV6, IPV6_RECVERR, value);
  if (domain == AF_INET || dual_stack) set_option(descriptor, IPPROTO_IP, IP_RECVERR, value);
  return set_option(descriptor, SOL_SOCKET, SO_RXQ_OVFL, value);
}

int send_messages(int descriptor, KernelMessage* messages, unsigned count, int flags) {
  const int sent = ::sendmmsg(descriptor, messages, count, flags);
  return sent < 0 ? -errno : sent;
}

int receive_messages(int descriptor, KernelMessage* messages, unsigned count) {
  const int received = ::recvmmsg(descriptor, messages, count, MSG_DONTWAIT, nullptr);
  return received < 0 ? -errno : received;
}

#else

void let_ip_fragment(int, int, bool) {}

bool keep_whole(int, int, bool) {
  return false;
}

bool set_kernel_reports(int, int, bool, bool) {
  return false;
}

int send_messages(int, KernelMessage*, unsigned, int) {
  return -ENOSYS;
}

int receive_messages(int, KernelMessage*, unsigned) {
  return -ENOSYS;
}

#endif

}  // namespace godwit::platform
