// Where others could reach a socket, as far as this machine knows: what tickets and rendezvous are told.
#pragma once

#include <vector>

#include "base/address.h"

namespace godwit {

// Of a socket that is bound to `local`: this address, or for a wildcard up to six addresses of the interfaces that are
// up, with its port: public ones first, then private ones; loopback where there is nothing else; none that is
// link-local.
[[nodiscard]] std::vector<SocketAddress> reachable_addresses(const SocketAddress& local);

}  // namespace godwit
