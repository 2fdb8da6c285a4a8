// Who holds the places of the connection table: inbound connections by network (an IPv6 /48), in it by host (one
// IPv4 address, one IPv6 /64), in it by the time they were last heard. One host can open any number of
// connections and keep them alive with a packet each two minutes; so when the table is full, a newcomer takes the place
// of the connection that has been idle longest in the host with the most, of the network with the most - provided that
// these have more than the newcomer's own. Owned by Endpoint. Logarithmic time; peers choose the addresses, so that
// tables of them are keyed. The accounts cost some 400 bytes for each host: they are made when the table fills up or
// somebody asks, and forgotten when half of the connections that they were made for have gone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
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
  // `key` is secret: peers choose the addresses. With fewer connections than `accounts_from` no accounts are kept: not
  // more than any limit that of_host() is compared with.
  PrefixShares(const HashKey& key, std::size_t accounts_from);

  // `slot` is not there yet.
  void add(std::uint32_t slot, const SocketAddress& remote, Instant heard);
  // No effect when it is not there.
  void remove(std::uint32_t slot);
  [[nodiscard]] bool contains(std::uint32_t slot) const;
  [[nodiscard]] std::size_t size() const { return size_; }
  // Connections of the host that `remote` belongs to; 0 while there are no accounts.
  [[nodiscard]] std::size_t of_host(const SocketAddress& remote) const;

  // The connection that gives way; `heard` tells when a slot's peer was last heard. Nothing when nobody has more.
  using Heard = std::function<Instant(std::uint32_t slot)>;
  [[nodiscard]] std::optional<std::uint32_t> victim(const SocketAddress& remote, const Heard& heard);
  // The connection of the newcomer's own host that has been silent for longest, if it was not heard after `latest`.
  [[nodiscard]] std::optional<std::uint32_t> silent_one(const SocketAddress& remote, Instant latest,
                                                        const Heard& heard);
  // The same as victim() for a connection that this side wants: the largest gives way in any case.
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
  struct Accounts {
    explicit Accounts(const HashKey& key) : networks(0, Hash{key}), hosts(0, Hash{key}) {}

    void add(std::uint32_t slot, const Place& place);
    void remove(std::uint32_t slot, const Place& place);
    void change_count(const SocketAddress& remote, bool more);
    [[nodiscard]] std::size_t of_host(const SocketAddress& remote) const;

    std::unordered_map<SocketAddress, Network, Hash> networks;
    std::unordered_map<SocketAddress, Host, Hash> hosts;
    Ranking ranking;            // of networks
    std::size_t kept_from = 0;  // forgotten with fewer connections
  };

  [[nodiscard]] Accounts& accounts();
  [[nodiscard]] std::optional<SocketAddress> host_over_share(const SocketAddress& remote);
  // `host` has connections.
  [[nodiscard]] std::uint32_t idlest(const SocketAddress& host, const Heard& heard);

  HashKey key_;
  std::size_t accounts_from_;
  std::vector<Place> places_;  // by slot
  std::size_t size_ = 0;
  std::unique_ptr<Accounts> accounts_;  // null while nobody needs them
};

}  // namespace godwit
