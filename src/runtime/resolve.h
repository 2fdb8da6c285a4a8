// Peers and local addresses as people write them, with names of hosts and of interfaces looked up by the system.
#pragma once

#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"

namespace godwit {

// "192.0.2.7:31337", "[2001:db8::1]:31337", "host:31337"; without a port the default one. Names are looked up, which
// may take seconds, and those of interfaces too ("[fe80::1%eth0]:31337"). All addresses of a name come back, in the
// system's order of preference (RFC 6724) with the families in turn. The wildcard, which `listen` prints, means this
// machine. Errors: kInvalidArgument for what is no address that can be connected to, kNotFound for a name that does not
// resolve.
[[nodiscard]] Result<std::vector<SocketAddress>> resolve_peer(const std::string& text);
// As above without names of hosts, where "*" and an empty host stand for every address: "0.0.0.0:0", ":31337", "[::1]".
[[nodiscard]] Result<SocketAddress> parse_bind(const std::string& text);

}  // namespace godwit
