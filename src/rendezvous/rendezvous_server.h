// A rendezvous without I/O: tells peers their public address, keeps who can be found, and introduces two of them to one
// another (docs/rendezvous.md). Fed with the events of an endpoint that has extended sessions alone, so that every key
// is proven. Bounded: a registration lives as long as its connection, one for a key, and each network has its share;
// questions are limited for each peer, and so are introductions to it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>

#include "base/time.h"
#include "rendezvous/code_slots.h"
#include "rendezvous/rendezvous_codec.h"
#include "transport/endpoint.h"
#include "transport/rate_limiter.h"

namespace godwit {

// Opens two ports that pass datagrams on to one another, one for each side.
class RelayPorts {
 public:
  struct Pair {
    SocketAddress for_asker;
    SocketAddress for_peer;
  };
  virtual ~RelayPorts() = default;
  // For two hosts that have proven these addresses; the relay sends to no other hosts. Nothing when it has no place.
  [[nodiscard]] virtual std::optional<Pair> open(Instant now, const SocketAddress& asker,
                                                 const SocketAddress& peer) = 0;
  // The address that the side of this port was last heard from at; nothing where it was not, or there is no such port.
  [[nodiscard]] virtual std::optional<SocketAddress> heard_from(const SocketAddress& port) const = 0;
  // Whether the two sides were heard at other ports than they had proven, the side of this port first.
  [[nodiscard]] virtual std::optional<PortChanges> port_changes(const SocketAddress& /*port*/) const {
    return std::nullopt;
  }
};

struct RendezvousLimits {
  std::size_t registrations = 16'384;
  std::size_t registrations_per_prefix = 256;    // IPv4 address, IPv6 /64
  Rate questions = Rate::per_second(2, 20);      // of one connection
  Rate introductions = Rate::per_second(4, 32);  // to one registered peer
  CodeLimits codes;
};

struct RendezvousStatistics {
  std::uint64_t registered = 0;  // all time
  std::uint64_t introductions = 0;
  std::uint64_t relayed = 0;      // of them, with ports at the relay
  std::uint64_t relays_full = 0;  // of them, without a port at the relay, which had no place
  std::uint64_t unknown = 0;      // questions for a key that is not registered
  std::uint64_t refused = 0;      // for want of a place, or too often
  std::uint64_t ignored = 0;      // messages that are none
};

class RendezvousServer {
 public:
  using Admits = std::function<bool(const PublicKey&)>;

  // `endpoint` and `relay` (null: none) outlive it. `admits`: whom it serves; empty: everybody.
  RendezvousServer(Endpoint& endpoint, RelayPorts* relay, const RendezvousLimits& limits, Admits admits = {})
      : endpoint_(endpoint),
        relay_(relay),
        limits_(limits),
        admits_(std::move(admits)),
        codes_(limits.codes, [this](Instant now, ConnectionId connection, const RendezvousMessage& message) {
          send(now, connection, message);
        }) {}

  void on_event(Instant now, ConnectionId connection, const Event& event);

  [[nodiscard]] std::size_t registrations() const { return registered_.size(); }
  [[nodiscard]] const RendezvousStatistics& statistics() const { return statistics_; }
  [[nodiscard]] const CodeSlots& codes() const { return codes_; }

 private:
  struct Peer {
    PublicKey key;
    SocketAddress address;  // proven
    Candidates candidates;
    bool registered = false;
    RateLimiter questions;
    RateLimiter introductions;
  };

  void on_connected(Instant now, ConnectionId connection, const Connected& connected);
  void on_message(Instant now, ConnectionId connection, Peer& peer, const RendezvousMessage& message);
  [[nodiscard]] RendezvousCode register_peer(ConnectionId connection, Peer& peer, const RendezvousRegister& message);
  [[nodiscard]] RendezvousFound find(Instant now, ConnectionId connection, Peer& asker, const RendezvousFind& message);
  [[nodiscard]] std::chrono::milliseconds pause_for(ConnectionId asker, ConnectionId peer) const;
  [[nodiscard]] RendezvousSeen look_up(Instant now, Peer& asker, const RendezvousWhere& message) const;
  // True when the message is about a one-time code.
  [[nodiscard]] bool on_code_message(Instant now, ConnectionId connection, Peer& peer,
                                     const RendezvousMessage& message);
  void unregister(ConnectionId connection, Peer& peer);
  void send(Instant now, ConnectionId connection, const RendezvousMessage& message);

  Endpoint& endpoint_;
  RelayPorts* relay_;
  RendezvousLimits limits_;
  Admits admits_;
  std::map<ConnectionId, Peer> peers_;
  std::map<PublicKey, ConnectionId> registered_;
  std::map<SocketAddress, std::size_t> by_prefix_;
  RendezvousStatistics statistics_;
  CodeSlots codes_;
};

}  // namespace godwit
