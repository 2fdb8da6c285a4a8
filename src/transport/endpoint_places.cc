// The endpoint's connection table: who gets a place in it, and who gives way when it is full (endpoint.h).

#include <utility>

#include "transport/connection.h"
#include "transport/endpoint.h"
#include "transport/route.h"

namespace godwit {
namespace {

// A peer that is in use is heard more often, and one that pings as Godwit does by default, too.
constexpr Duration kSilentEnough = 30s;

}  // namespace

bool Endpoint::is_known_peer(const SocketAddress& remote) const {
  return known_peers_.contains(remote.hash(known_key_));
}

// An address with a route has been let in, or is one that this side connects to.
bool Endpoint::is_refused(const SocketAddress& remote) {
  return config_.filter != nullptr && !slot_of(remote) && !config_.filter->admits_address(remote);
}

bool Endpoint::inbound_full() const {
  return inbound_.size() >= config_.max_connections ||
         inbound_.size() + reserved_ >= config_.max_connections + config_.reserved_connections;
}

// Who gives way when a newcomer at `remote` has to find a place. With the share of its host used up, or the whole table
// shared evenly, only a connection of its own host that is silent: those that are in use stay.
std::optional<std::uint32_t> Endpoint::place_for(Instant now, const SocketAddress& remote) {
  const auto heard = [&](std::uint32_t slot) { return last_heard(now, slot); };
  if (inbound_.of_host(remote) < config_.max_connections_per_host) {
    if (const auto victim = inbound_.victim(remote, heard)) return victim;
  }
  return inbound_.silent_one(remote, now - kSilentEnough, heard);
}

bool Endpoint::has_free_place(const SocketAddress& remote) const {
  return !inbound_full() && inbound_.of_host(remote) < config_.max_connections_per_host;
}

bool Endpoint::would_admit(Instant now, const SocketAddress& remote) {
  if (is_known_peer(remote) && reserved_ < config_.reserved_connections) return true;
  return has_free_place(remote) || place_for(now, remote).has_value();
}

bool Endpoint::make_own_place(Instant now) {
  if (inbound_.size() + reserved_ < config_.max_connections + config_.reserved_connections) return true;
  const auto victim = inbound_.victim([&](std::uint32_t slot) { return last_heard(now, slot); });
  if (!victim) return false;
  evict(now, *victim);
  return true;
}

void Endpoint::take_place(Instant now, std::uint32_t slot) {
  Route& route = routes_[slot];
  const Connection* connection = route.connection();
  if (connection == nullptr || !connection->is_established()) return;
  const SocketAddress remote = route.remote();
  closing_.forget(remote);  // the peer has begun anew: what it is told about an earlier session only confuses it
  if (route.reserved) {
    // A peer that has to prove itself later is not remembered: its address is only as good as its key.
    if (connection->session()->peer_authenticated()) known_peers_.insert(remote.hash(known_key_));
    route.has_place = true;
    return give_paths(now, slot);
  }
  if (is_known_peer(remote) && reserved_ < config_.reserved_connections) {
    route.has_place = route.reserved = true;
    ++reserved_;
    return give_paths(now, slot);
  }
  if (!has_free_place(remote)) {
    const auto victim = place_for(now, remote);
    if (!victim) return evict(now, slot);
    evict(now, *victim);
  }
  inbound_.add(slot, remote, now);
  routes_[slot].has_place = true;
  give_paths(now, slot);
}

void Endpoint::give_up_place(std::uint32_t slot) {
  Route& route = routes_[slot];
  inbound_.remove(slot);
  if (std::exchange(route.reserved, false)) --reserved_;
  route.has_place = false;
}

// Its place is free at once; the close packet goes out in its turn.
void Endpoint::evict(Instant now, std::uint32_t slot) {
  ++statistics_.connections_evicted;
  inbound_.remove(slot);
  end_connection(now, slot, CloseReason::kEvicted, "too many connections");
}

Instant Endpoint::last_heard(Instant now, std::uint32_t slot) const {
  const Connection* connection = routes_[slot].connection();
  const bool alive = connection != nullptr && connection->is_established();
  return alive ? now - connection->silent_for(now) : Instant::min();
}

}  // namespace godwit
