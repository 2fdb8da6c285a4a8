// What the operating system offers this folder beyond POSIX.1-2008 and RFC 3542: the one place that asks which system
// it is. On another one than Linux, or in a build with GODWIT_POSIX, every option below is unknown to the kernel, the
// calls for many messages answer ENOSYS, and only the posix back end is offered.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#if defined(__linux__) && !defined(GODWIT_POSIX)
#define GODWIT_LINUX 1
#include <netinet/udp.h>
#else
#define GODWIT_LINUX 0
#endif

namespace godwit {

#if GODWIT_LINUX
using KernelMessage = mmsghdr;
#else
struct KernelMessage {
  msghdr msg_hdr;
  unsigned msg_len;
};
#endif

namespace platform {

#if GODWIT_LINUX
inline constexpr bool kHasLinux = true;
inline constexpr int kSegmentationOption = UDP_SEGMENT;
inline constexpr int kReceiveOffloadOption = UDP_GRO;
inline constexpr int kOverflowOption = SO_RXQ_OVFL;
inline constexpr int kForcedReceiveBuffer = SO_RCVBUFFORCE;
inline constexpr int kForcedSendBuffer = SO_SNDBUFFORCE;
// The kernel keeps, and reports, twice the value of a buffer for its own overhead (socket(7)).
inline constexpr int kBufferUnits = 2;
// By which the type of service of a received IPv4 packet comes, one byte.
inline constexpr int kReceivedServiceType = IP_TOS;
#else
inline constexpr bool kHasLinux = false;
inline constexpr int kSegmentationOption = -1;
inline constexpr int kReceiveOffloadOption = -1;
inline constexpr int kOverflowOption = -1;
inline constexpr int kForcedReceiveBuffer = -1;
inline constexpr int kForcedSendBuffer = -1;
inline constexpr int kBufferUnits = 1;
inline constexpr int kReceivedServiceType = IP_RECVTOS;
#endif

// A UDP socket that never blocks and that exec closes; -1 with errno.
[[nodiscard]] int open_socket(int domain);
// A pipe whose ends never block and that exec closes. False with errno.
[[nodiscard]] bool open_pipe(int (&ends)[2]);

// Lets IP fragment what a link is too small for, without the kernel's path MTU cache. Absent options cost such paths,
// not the socket.
void let_ip_fragment(int descriptor, int domain, bool dual_stack);
// Whether datagrams to addresses of `domain` leave whole or not at all, again without the path MTU cache: EMSGSIZE says
// that the first link cannot carry one. False where the system does not offer it.
[[nodiscard]] bool keep_whole(int descriptor, int domain, bool whole);
// Whether the kernel keeps ICMP errors with their peers (error_queue.h), and counts what it drops. False where it
// cannot.
bool set_kernel_reports(int descriptor, int domain, bool dual_stack, bool on);

// Whether each datagram comes with the byte of its IP header that has the mark of congestion (IP_RECVTOS,
// IPV6_RECVTCLASS of RFC 3542). Without it every datagram counts as unmarked.
void report_marks(int descriptor, int domain, bool dual_stack);

// sendmmsg(2) and recvmmsg(2): messages moved, or a negative errno.
[[nodiscard]] int send_messages(int descriptor, KernelMessage* messages, unsigned count, int flags);
[[nodiscard]] int receive_messages(int descriptor, KernelMessage* messages, unsigned count);

}  // namespace platform
}  // namespace godwit
