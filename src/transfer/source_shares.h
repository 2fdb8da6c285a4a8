// What strangers hold of something of which there is only so much, by where they come from: a network
// (SocketAddress::network(), an IPv6 /48) and in it a prefix (an IPv6 /64; an IPv4 address is both). A source may take
// half of what nobody else holds, so that whatever one of them does as much is left to others: of 256 the first network
// may have 128, the next one 64, and so on; and the first prefix half of what its network may have. Counts only.
#pragma once

#include <cstdint>
#include <map>

#include "base/address.h"

namespace godwit {

class SourceShares {
 public:
  // How much more the source at `address` may take of `free`, which nobody holds.
  [[nodiscard]] std::uint64_t room(const SocketAddress& address, std::uint64_t free) const;
  void take(const SocketAddress& address, std::uint64_t amount);
  void give_back(const SocketAddress& address, std::uint64_t amount);

  [[nodiscard]] std::uint64_t of_prefix(const SocketAddress& address) const;
  [[nodiscard]] std::uint64_t of_network(const SocketAddress& address) const;
  [[nodiscard]] std::uint64_t taken() const { return taken_; }

 private:
  // Ordered: a stranger chooses the addresses, and must not choose their places in a hash table. A network of one
  // prefix, as each IPv4 address is, has no entry among the prefixes.
  using Amounts = std::map<SocketAddress, std::uint64_t>;
  Amounts prefixes_;
  Amounts networks_;
  std::uint64_t taken_ = 0;
};

}  // namespace godwit
