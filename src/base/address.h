// A UDP address: the only identity a datagram has (wire spec 1.1). IPv4-mapped IPv6 addresses are the IPv4 address
// they map (wire spec 1.5), so one peer has one spelling and one hash. A link-local IPv6 address carries its scope id:
// the same octets on two links are two peers.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace godwit {

class HashKey;

class SocketAddress {
 public:
  enum class Family : std::uint8_t { kNone, kIpv4, kIpv6 };

  // The unspecified address: family kNone, equal only to itself.
  constexpr SocketAddress() = default;

  static SocketAddress ipv4(std::array<std::uint8_t, 4> octets, std::uint16_t port);
  // An IPv4-mapped address becomes IPv4. `scope_id` is the number of the interface that a link-local address belongs to
  // (RFC 4007 section 6); it is dropped from an address of any other scope, where it would only give one peer two
  // names.
  static SocketAddress ipv6(std::array<std::uint8_t, 16> octets, std::uint16_t port, std::uint32_t scope_id = 0);

  // Reads "192.0.2.7:31337", "[2001:db8::1]:31337" and "[fe80::1%3]:31337". Names of hosts and of interfaces are not
  // looked up here: the core makes no system call. Nothing if the text is not an address.
  static std::optional<SocketAddress> parse(std::string_view text);

  [[nodiscard]] Family family() const { return family_; }
  [[nodiscard]] bool is_ipv4() const { return family_ == Family::kIpv4; }
  [[nodiscard]] bool is_ipv6() const { return family_ == Family::kIpv6; }
  [[nodiscard]] bool is_specified() const { return family_ != Family::kNone; }
  // "0.0.0.0" or "::": every address of a machine to a bind, none to a peer.
  [[nodiscard]] bool is_wildcard() const { return is_specified() && octets_ == std::array<std::uint8_t, 16>{}; }
  // fe80::/10: means nothing without its scope id.
  [[nodiscard]] bool is_link_local() const { return is_ipv6() && octets_[0] == 0xfe && (octets_[1] & 0xc0) == 0x80; }
  // 127.0.0.0/8 and ::1.
  [[nodiscard]] bool is_loopback() const;
  // Private (RFC 1918), shared (RFC 6598) and unique local (RFC 4193) networks.
  [[nodiscard]] bool is_private() const;
  // 224.0.0.0/4, ff00::/8 and 255.255.255.255: no single peer.
  [[nodiscard]] bool is_multicast() const;
  [[nodiscard]] std::uint16_t port() const { return port_; }
  // 0: none.
  [[nodiscard]] std::uint32_t scope_id() const { return scope_id_; }
  [[nodiscard]] SocketAddress with_port(std::uint16_t port) const;
  // Equal but for the port.
  [[nodiscard]] bool is_same_host(const SocketAddress& other) const { return with_port(other.port_) == other; }

  // 16 octets in network order; an IPv4 address stands in the first four, the rest are zero.
  [[nodiscard]] const std::array<std::uint8_t, 16>& octets() const { return octets_; }

  // The address without its port and, for IPv6, without its lower 64 bits: what rate limits count by. Keeps the scope.
  [[nodiscard]] SocketAddress prefix() const;

  // One level above, as providers hand it out to one customer: an IPv6 /48. An IPv4 address is one by itself.
  [[nodiscard]] SocketAddress network() const;

  [[nodiscard]] std::string to_string() const;
  // A hash of the whole address under a secret key. There is no other one: a stranger chooses addresses, and must not
  // choose where they fall in a table.
  [[nodiscard]] std::uint64_t hash(const HashKey& key) const noexcept;

  friend auto operator<=>(const SocketAddress&, const SocketAddress&) = default;

 private:
  std::array<std::uint8_t, 16> octets_{};
  std::uint32_t scope_id_ = 0;
  std::uint16_t port_ = 0;
  Family family_ = Family::kNone;
};

}  // namespace godwit
