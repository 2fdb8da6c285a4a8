// What the kernel or ICMP said about a datagram on its way to a peer. A hint, never a proof: ICMP messages can be
// forged by anybody who knows the ports (RFC 5927), so a problem is named to the user and makes a session ask its peer,
// and ends nothing by itself.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/address.h"

namespace godwit {

enum class PathProblem : std::uint8_t {
  kNone,
  kPortUnreachable,     // nobody listens there (ECONNREFUSED)
  kHostUnreachable,     // no answer on the last link, or a router says so (EHOSTUNREACH)
  kNetworkUnreachable,  // no route, or the interface is down (ENETUNREACH, ENETDOWN)
  kDatagramTooLong,     // beyond what the path carries (EMSGSIZE)
  kForbidden,           // by a firewall (EPERM, EACCES)
  kInvalidAddress,      // not for this socket (EINVAL, EADDRNOTAVAIL, EAFNOSUPPORT)
  kOther,
};
// "port unreachable"; empty for kNone.
[[nodiscard]] std::string_view path_problem_name(PathProblem problem);
// What an attempt ends with that nobody has answered; with the name of what the kernel or ICMP said of it, if anything:
// "no answer: port unreachable".
inline constexpr std::string_view kNoAnswerText = "no answer";

struct PathReport {
  SocketAddress remote;
  PathProblem problem = PathProblem::kNone;
  bool refused = false;  // by the kernel, which did not send; otherwise it was sent, and ICMP came back
};

}  // namespace godwit
