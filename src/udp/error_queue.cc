#include "udp/error_queue.h"

#include "udp/platform.h"

#if GODWIT_LINUX
#include <linux/errqueue.h>
#endif
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "udp/sockaddr.h"

namespace godwit {
namespace {

#if GODWIT_LINUX

// Of one drain: what is left makes the next call fail again, and is read then.
constexpr std::size_t kMaxMessagesPerDrain = 64;

std::optional<sock_extended_err> extended_error(msghdr& header) {
  for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr; control = CMSG_NXTHDR(&header, control)) {
    const bool ipv4 = control->cmsg_level == IPPROTO_IP && control->cmsg_type == IP_RECVERR;
    const bool ipv6 = control->cmsg_level == IPPROTO_IPV6 && control->cmsg_type == IPV6_RECVERR;
    sock_extended_err error;
    if ((!ipv4 && !ipv6) || control->cmsg_len < CMSG_LEN(sizeof error)) continue;
    std::memcpy(&error, CMSG_DATA(control), sizeof error);
    return error;
  }
  return std::nullopt;
}

#endif

}  // namespace

PathProblem path_problem_of(int error) {
  switch (error) {
    case ECONNREFUSED: return PathProblem::kPortUnreachable;
    case EHOSTUNREACH:
    case EHOSTDOWN: return PathProblem::kHostUnreachable;
    case ENETUNREACH:
    case ENETDOWN: return PathProblem::kNetworkUnreachable;
    case EMSGSIZE: return PathProblem::kDatagramTooLong;
    case EPERM:
    case EACCES: return PathProblem::kForbidden;
    case EINVAL:
    case EADDRNOTAVAIL:
    case EDESTADDRREQ:
    case EISCONN:
    case EAFNOSUPPORT: return PathProblem::kInvalidAddress;
    case 0:
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM: return PathProblem::kNone;
    default: return PathProblem::kOther;
  }
}

#if GODWIT_LINUX

std::size_t ErrorQueue::drain() {
  if (descriptor_ < 0) return 0;
  std::size_t found = 0;
  for (std::size_t i = 0; i < kMaxMessagesPerDrain; ++i) {
    KernelAddress name;
    std::array<std::uint8_t, 1> payload;  // of the datagram that met the error: not needed
    alignas(cmsghdr) std::array<std::uint8_t, 256> control;
    iovec vector{payload.data(), payload.size()};
    msghdr header{};
    header.msg_name = &name.generic;
    header.msg_namelen = sizeof name.ipv6;
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    if (::recvmsg(descriptor_, &header, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) break;
    const auto error = extended_error(header);
    // What the kernel itself refused, the send has reported.
    if (!error || error->ee_origin == SO_EE_ORIGIN_LOCAL) continue;
    ++found;
    ++statistics_.path_errors;
    if (const auto remote = from_kernel(&name.generic, header.msg_namelen)) {
      add(*remote, static_cast<int>(error->ee_errno), false);
    }
  }
  return found;
}

#else

std::size_t ErrorQueue::drain() {
  return 0;
}

#endif

void ErrorQueue::add(const SocketAddress& remote, int error, bool refused) {
  const PathProblem problem = path_problem_of(error);
  if (problem == PathProblem::kNone) return;
  if (const auto known = std::ranges::find(reports_, remote, &PathReport::remote); known != reports_.end()) {
    known->problem = problem;
    known->refused = known->refused || refused;
  } else if (reports_.size() < kMaxReports) {
    reports_.push_back({remote, problem, refused});
  } else {
    ++statistics_.path_reports_dropped;
  }
}

std::optional<PathReport> ErrorQueue::poll() {
  if (reports_.empty()) return std::nullopt;
  const PathReport report = reports_.front();
  reports_.erase(reports_.begin());
  return report;
}

}  // namespace godwit
