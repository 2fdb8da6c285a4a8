// Addresses as people write them: zones of link-local addresses by the name of their interface. The core, which makes
// no system call, knows interfaces by number.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/address.h"

namespace godwit {

// "[fe80::1%eth0]:31337" as "[fe80::1%2]:31337"; unchanged without a zone, and where this machine has no such
// interface.
[[nodiscard]] std::string with_numeric_zone(std::string_view text);
// As SocketAddress::parse, with names of interfaces.
[[nodiscard]] std::optional<SocketAddress> parse_address_with_zone(std::string_view text);

}  // namespace godwit
