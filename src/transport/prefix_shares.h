// Who holds the places of the connection table: inbound connections by network (an IPv6 /48), in it by host (one
// IPv4 address, one IPv6 /64), in it by the time they were last heard. One host can open any number of
// connections and keep them alive with a packet each two minutes; so when the table is full, a newcomer takes the place
// of the connection that has been idle longest in the host with the most, of the network with the most - provided that
// these have more than the newcomer's own. Owned by Endpoint. Logarithmic time; peers choose the addresses, so that
// tables of them are keyed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/address.h"
#include "base/keyed_hash.h"
#include "base/time.h"

namespace godwit {

class PrefixShares {
 public:
  // `key` is secret: peers choose the addresses.
  explicit PrefixShares(const HashKey& key);

  // `slot` is not there yet.
  void add(std::uint32_t slot, const SocketAddress& remote, Instant heard);
  // No effect when it is not there.
  void remove(std::uint32_t slot);
  [[nodiscard]] bool contains(std::uint32_t slot) const;
  [[nodiscard]] std::size_t size() const { return size_; }
  // Connections of the host that `remote` belongs to.
  [[nodiscard]] std::size_t of_host(const SocketAddress& remote) const;

  // Whether somebody has more than the share of a newcomer at `remote`.
  [[nodiscard]] bool has_victim(const SocketAddress& remote) const { return host_over_share(remote).has_value(); }
  // The connection that gives way; `heard` tells when a slot's peer was last heard. Nothing when nobody has more.
  using Heard = std::function<Instant(std::uint32_t slot)>;
  [[nodiscard]] std::optional<std::uint32_t> victim(const SocketAddress& remote, const Heard& heard);
  // The same for a connection that this side wants: the largest gives way in any case.
  [[nodiscard]] std::optional<std::uint32_t> victim(const Heard& heard);

 private:
  struct Hash {
    HashKey key;
    std::size_t operator()(const SocketAddress& address) const { return static_cast<std::size_t>(address.hash(key)); }
  };
  using Ranking = std::set<std::pair<std::size_t, SocketAddress>>;  // by number of connections
  struct Network {
    std::size_t count = 0;
    Ranking hosts;
  };
  // By the time at which a slot was last known to be heard. A slot that was heard since is moved when it comes first.
  using Host = std::set<std::pair<Instant, std::uint32_t>>;
  struct Place {
    SocketAddress remote;  // unspecified: not there
    Instant heard;
  };

  [[nodiscard]] std::optional<SocketAddress> host_over_share(const SocketAddress& remote) const;
  [[nodiscard]] std::optional<std::uint32_t> idlest(const SocketAddress& host, const Heard& heard);
  void change_count(const SocketAddress& remote, bool more);

  std::unordered_map<SocketAddress, Network, Hash> networks_;
  std::unordered_map<SocketAddress, Host, Hash> hosts_;
  Ranking ranking_;            // of networks
  std::vector<Place> places_;  // by slot
  std::size_t size_ = 0;
};

}  // namespace godwit
