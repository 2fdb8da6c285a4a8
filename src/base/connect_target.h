// Which address a connect to a given address really goes to. Used by Endpoint::connect and by whatever chooses a socket
// for a peer, so that a mistake is named at once and not by a time-out.
#pragma once

#include "base/address.h"
#include "base/result.h"

namespace godwit {

// The wildcard ("0.0.0.0", "::": what a listening socket calls itself) means the loopback address of its family, as it
// does to TCP on Linux. Errors: kInvalidArgument for an unspecified address, port 0, a link-local IPv6 address without
// a scope id, and addresses that stand for many machines.
[[nodiscard]] Result<SocketAddress> connect_target(const SocketAddress& given);

}  // namespace godwit
