#include "udp/sockaddr.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace godwit {
namespace {

constexpr std::size_t kMappedPrefixBytes = 12;

}  // namespace

KernelAddress to_kernel(const SocketAddress& address, SocketFamily family) noexcept {
  KernelAddress out;
  if (family == SocketFamily::kIpv4) {
    if (!address.is_ipv4()) return out;
    out.ipv4 = sockaddr_in{};
    out.ipv4.sin_family = AF_INET;
    out.ipv4.sin_port = htons(address.port());
    out.ipv4.sin_addr = to_in_addr(address);
    out.size = sizeof out.ipv4;
    return out;
  }
  if (!address.is_specified()) return out;
  out.ipv6.sin6_family = AF_INET6;
  out.ipv6.sin6_port = htons(address.port());
  out.ipv6.sin6_addr = to_in6_addr(address);
  out.ipv6.sin6_scope_id = address.scope_id();
  out.size = sizeof out.ipv6;
  return out;
}

std::optional<SocketAddress> from_kernel(const sockaddr* address, socklen_t size) noexcept {
  if (address == nullptr || size < sizeof(sa_family_t)) return std::nullopt;
  // Copied out, because a datagram's name lies unaligned in a receive buffer of io_uring.
  sa_family_t family = 0;
  std::memcpy(&family, reinterpret_cast<const std::byte*>(address) + offsetof(sockaddr, sa_family), sizeof family);
  if (family == AF_INET && size >= sizeof(sockaddr_in)) {
    sockaddr_in ipv4;
    std::memcpy(&ipv4, address, sizeof ipv4);
    return from_kernel(ipv4.sin_addr, ntohs(ipv4.sin_port));
  }
  if (family == AF_INET6 && size >= sizeof(sockaddr_in6)) {
    sockaddr_in6 ipv6;
    std::memcpy(&ipv6, address, sizeof ipv6);
    return from_kernel(ipv6.sin6_addr, ntohs(ipv6.sin6_port), ipv6.sin6_scope_id);
  }
  return std::nullopt;
}

SocketAddress from_kernel(const in_addr& address, std::uint16_t port) noexcept {
  std::array<std::uint8_t, 4> octets;
  std::memcpy(octets.data(), &address, octets.size());
  return SocketAddress::ipv4(octets, port);
}

SocketAddress from_kernel(const in6_addr& address, std::uint16_t port, std::uint32_t interface) noexcept {
  std::array<std::uint8_t, 16> octets;
  std::memcpy(octets.data(), &address, octets.size());
  return SocketAddress::ipv6(octets, port, interface);
}

in_addr to_in_addr(const SocketAddress& ipv4) noexcept {
  in_addr out{};
  std::memcpy(&out, ipv4.octets().data(), sizeof out);
  return out;
}

in6_addr to_in6_addr(const SocketAddress& address) noexcept {
  std::array<std::uint8_t, 16> octets = address.octets();
  if (address.is_ipv4()) {
    octets = {};
    octets[10] = 0xff;
    octets[11] = 0xff;
    std::copy_n(address.octets().begin(), 4, octets.begin() + kMappedPrefixBytes);
  }
  in6_addr out{};
  std::memcpy(&out, octets.data(), sizeof out);
  return out;
}

}  // namespace godwit
