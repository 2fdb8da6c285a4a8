// Peers that change their address (endpoint.h; docs/extended_sessions.md, section 7).

#include "transport/connection.h"
#include "transport/endpoint.h"
#include "transport/route.h"

namespace godwit {

// The tag is random and the endpoint's own, so that a table of tags needs no key. Of two equal ones the later session
// stays where it is.
void Endpoint::note_tag(std::uint32_t slot) {
  const auto tag = routes_[slot].connection_tag();
  if (tag == routes_[slot].known_tag) return;
  forget_tag(slot);
  if (tag && by_tag_.emplace(*tag, slot).second) routes_[slot].known_tag = tag;
}

void Endpoint::forget_tag(std::uint32_t slot) {
  if (routes_[slot].known_tag) by_tag_.erase(*routes_[slot].known_tag);
  routes_[slot].known_tag.reset();
}

bool Endpoint::receive_elsewhere(Instant now, const DatagramRun& batch, MutableBytes datagram) {
  if (by_tag_.empty()) return false;
  const auto found = by_tag_.find(load_le<std::uint32_t>(datagram.data() + 1));
  if (found == by_tag_.end()) return false;
  const std::uint32_t slot = found->second;
  const PathAddress from{.local = batch.local, .remote = batch.remote};
  if (!routes_[slot].receive_elsewhere(now, from, datagram)) return false;
  const auto move = routes_[slot].connection()->take_move();
  update_after_use(slot);
  if (move) move_route(now, slot, *move);
  return true;
}

void Endpoint::move_route(Instant now, std::uint32_t slot, const PathAddress& path) {
  if (const auto other = by_address_.find(path.remote)) {
    // A connection of somebody else is there, or was until now: the next challenge comes later.
    if (*other == slot || routes_[*other].connection() != nullptr) return;
    retire(*other);
  }
  const bool inbound = inbound_.contains(slot);
  if (inbound && inbound_.of_host(path.remote) >= config_.max_connections_per_host) return;
  by_address_.erase(routes_[slot].remote());
  by_address_.insert(path.remote, slot);
  last_remote_ = {};
  if (inbound) {
    inbound_.remove(slot);
    inbound_.add(slot, path.remote, now);
  }
  routes_[slot].move_to(now, path);
  update_after_use(slot);
}

}  // namespace godwit
