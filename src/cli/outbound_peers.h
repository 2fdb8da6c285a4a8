// The peers that `listen --connect` connects to. Whoever connects to a listener proves no key on this wire; a peer that
// is connected to does. Each is connected to at whichever of its addresses answers, again and again since it may not be
// there yet; when it connects by itself from one of them, it is connected back to over that connection.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/address.h"
#include "base/time.h"
#include "crypto/keypair.h"
#include "runtime/connector.h"
#include "transport/endpoint.h"

namespace godwit::cli {

class OutboundPeers {
 public:
  static constexpr Duration kInterval = 1s;  // between two attempts to connect to a peer
  // So long a peer that did not prove its key when it was connected back to is a stranger.
  static constexpr Duration kDistrust = 60s;

  struct Peer {
    std::vector<SocketAddress> addresses;  // in order of preference
    PublicKey key;
  };

  // `endpoint` requires authenticated peers of its own connections, and outlives this object.
  OutboundPeers(Endpoint& endpoint, const std::vector<Peer>& peers);

  // True when nobody else is to hear of the event: it belongs to an attempt, or to a connection whose peer is connected
  // back to and says everything again. Every event of the endpoint goes through here.
  [[nodiscard]] bool on_event(Instant now, ConnectionId connection, const Event& event);
  void on_turn(Instant now);
  [[nodiscard]] std::optional<Instant> next_timeout() const;

  // The key that the connection's peer has proved; null for one that connected by itself.
  [[nodiscard]] const PublicKey* key_of(ConnectionId connection) const;

 private:
  struct Outbound {
    std::vector<SocketAddress> addresses;
    PublicKey key;
    Connector connector;
    std::optional<Instant> attempted_at;     // last
    std::optional<ConnectionId> connection;  // established, its key proved
    std::optional<SocketAddress> answer_to;  // it has connected from there: to be connected back to in the turn
    std::optional<ConnectionId> answer;      // the connection back, until it is established
    std::optional<Instant> failed_at;        // a connection back did not prove the key
  };

  [[nodiscard]] bool on_connected(Instant now, ConnectionId connection, const SocketAddress& remote);
  [[nodiscard]] bool on_closed(Instant now, ConnectionId connection);
  [[nodiscard]] bool is_here(const Outbound& peer) const;
  [[nodiscard]] static bool busy(const Outbound& peer) {
    return peer.connection || peer.answer || peer.connector.connecting();
  }

  Endpoint& endpoint_;
  std::vector<Outbound> peers_;
  std::map<ConnectionId, SocketAddress> inbound_;  // from the peers' addresses
  std::set<ConnectionId> superseded_;              // of them: connected back to, and about to close
};

}  // namespace godwit::cli
