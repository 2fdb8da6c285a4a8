#include "cli/outbound_peers.h"

#include <algorithm>
#include <utility>

namespace godwit::cli {
namespace {

bool among(const std::vector<SocketAddress>& addresses, const SocketAddress& address) {
  return std::ranges::find(addresses, address) != addresses.end();
}

}  // namespace

OutboundPeers::OutboundPeers(Endpoint& endpoint, const std::vector<Peer>& peers) : endpoint_(endpoint) {
  for (const Peer& peer : peers) {
    peers_.push_back({.addresses = peer.addresses,
                      .key = peer.key,
                      .connector = Connector(endpoint, peer.addresses, peer.key),
                      .attempted_at = {},
                      .connection = {},
                      .answer_to = {},
                      .answer = {},
                      .failed_at = {}});
  }
}

bool OutboundPeers::on_event(Instant now, ConnectionId connection, const Event& event) {
  for (Outbound& peer : peers_) {
    if (peer.connector.on_event(now, connection, event)) return true;
  }
  if (const auto* connected = std::get_if<Connected>(&event)) return on_connected(now, connection, connected->remote);
  if (std::holds_alternative<Closed>(event)) return on_closed(now, connection);
  return superseded_.contains(connection);
}

// A connection from the address of a peer is not judged yet: it is connected back to, which proves its key or fails.
bool OutboundPeers::on_connected(Instant now, ConnectionId connection, const SocketAddress& remote) {
  const auto ours = std::ranges::find_if(peers_, [connection](const Outbound& peer) {
    return peer.answer == connection || peer.connector.connection() == connection;
  });
  if (ours != peers_.end()) {
    ours->connection = connection;
    ours->answer.reset();
    ours->failed_at.reset();
    return false;
  }
  const auto known =
      std::ranges::find_if(peers_, [&remote](const Outbound& peer) { return among(peer.addresses, remote); });
  if (known == peers_.end()) return false;
  inbound_.emplace(connection, remote);
  // It has failed to prove the key a moment ago: it is judged as what it is, a stranger.
  if (known->failed_at && now < *known->failed_at + kDistrust) return false;
  known->answer_to = remote;
  superseded_.insert(connection);
  return true;
}

bool OutboundPeers::on_closed(Instant now, ConnectionId connection) {
  inbound_.erase(connection);
  for (Outbound& peer : peers_) {
    if (peer.connection == connection) peer.connection.reset();
    if (peer.answer != connection) continue;
    peer.answer.reset();
    peer.failed_at = now;
  }
  return superseded_.erase(connection) > 0;
}

void OutboundPeers::on_turn(Instant now) {
  for (Outbound& peer : peers_) {
    peer.connector.on_turn(now);
    if (const auto back = std::exchange(peer.answer_to, std::nullopt)) {
      peer.connector.stop(now);
      peer.attempted_at = now;
      if (const auto connection = endpoint_.connect(now, *back, peer.key)) peer.answer = *connection;
    } else if (!busy(peer) && !is_here(peer) && (!peer.attempted_at || now >= *peer.attempted_at + kInterval)) {
      peer.attempted_at = now;
      // What fails at once is tried again like what fails later.
      static_cast<void>(peer.connector.start(now));
    }
  }
}

std::optional<Instant> OutboundPeers::next_timeout() const {
  std::optional<Instant> next;
  for (const Outbound& peer : peers_) {
    next = earliest(next, peer.connector.next_timeout());
    const bool now = peer.answer_to || !peer.attempted_at;
    if (now) next = earliest(next, Instant::min());
    if (!now && !busy(peer) && !is_here(peer)) next = earliest(next, *peer.attempted_at + kInterval);
  }
  return next;
}

const PublicKey* OutboundPeers::key_of(ConnectionId connection) const {
  const auto found = std::ranges::find(peers_, connection, &Outbound::connection);
  return found == peers_.end() ? nullptr : &found->key;
}

bool OutboundPeers::is_here(const Outbound& peer) const {
  return std::ranges::any_of(inbound_, [&peer](const auto& each) { return among(peer.addresses, each.second); });
}

}  // namespace godwit::cli
