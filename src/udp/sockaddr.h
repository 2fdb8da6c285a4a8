// SocketAddress <-> the kernel's sockaddr. A dual-stack IPv6 socket speaks IPv4 through mapped addresses (RFC 4291
// section 2.5.5.2): the mapping happens here and nowhere else, so the rest of Godwit has one spelling per peer.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstddef>
#include <optional>

#include "base/address.h"

namespace godwit {

// The family of a socket, which decides how an address is spelled for it.
enum class SocketFamily : std::uint8_t { kIpv4, kIpv6 };

// A sockaddr of either family, as small as the two allow.
struct KernelAddress {
  union {
    sockaddr generic;
    sockaddr_in ipv4;
    sockaddr_in6 ipv6;
  };
  socklen_t size = 0;  // 0: no address

  KernelAddress() noexcept : ipv6{} {}
};

// The spelling of `address` for a socket of `family`: an IPv4 address becomes mapped on an IPv6 socket. `size` 0 when
// the socket cannot reach it: an IPv6 address on an IPv4 socket, or the unspecified address.
[[nodiscard]] KernelAddress to_kernel(const SocketAddress& address, SocketFamily family) noexcept;

// Nothing for another family or a size that does not hold one. Mapped addresses become IPv4.
[[nodiscard]] std::optional<SocketAddress> from_kernel(const sockaddr* address, socklen_t size) noexcept;

// Addresses without port, as IP_PKTINFO and IPV6_PKTINFO carry them.
[[nodiscard]] SocketAddress from_kernel(const in_addr& address, std::uint16_t port) noexcept;
// `interface` becomes the scope id of a link-local address.
[[nodiscard]] SocketAddress from_kernel(const in6_addr& address, std::uint16_t port,
                                        std::uint32_t interface = 0) noexcept;
[[nodiscard]] in_addr to_in_addr(const SocketAddress& ipv4) noexcept;
// An IPv4 address becomes mapped.
[[nodiscard]] in6_addr to_in6_addr(const SocketAddress& address) noexcept;

}  // namespace godwit
