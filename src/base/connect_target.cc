#include "base/connect_target.h"

namespace godwit {

Result<SocketAddress> connect_target(const SocketAddress& given) {
  if (!given.is_specified() || given.port() == 0) {
    return failure(ErrorCode::kInvalidArgument, "no address to connect to");
  }
  if (given.is_wildcard()) {
    if (given.is_ipv4()) return SocketAddress::ipv4({127, 0, 0, 1}, given.port());
    return SocketAddress::ipv6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, given.port());
  }
  if (given.is_link_local() && given.scope_id() == 0) {
    return failure(ErrorCode::kInvalidArgument, given.to_string() +
                                                    " is a link-local address: name its interface as well "
                                                    "(fe80::1%eth0)");
  }
  if (given.is_multicast()) {
    return failure(ErrorCode::kInvalidArgument, given.to_string() + " is no address of a single machine");
  }
  return given;
}

}  // namespace godwit
