#include "base/path_problem.h"

namespace godwit {

std::string_view path_problem_name(PathProblem problem) {
  switch (problem) {
    case PathProblem::kNone: return "";
    case PathProblem::kPortUnreachable: return "port unreachable";
    case PathProblem::kHostUnreachable: return "host unreachable";
    case PathProblem::kNetworkUnreachable: return "network unreachable";
    case PathProblem::kDatagramTooLong: return "datagrams are too long for the path";
    case PathProblem::kForbidden: return "forbidden by a firewall";
    case PathProblem::kInvalidAddress: return "not an address that this socket can reach";
    case PathProblem::kOther: return "refused by the kernel";
  }
  return "";
}

}  // namespace godwit
