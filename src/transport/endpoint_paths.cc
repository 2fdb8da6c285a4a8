// Peers that change their address (endpoint.h; docs/extended_sessions.md, section 7).

#include <utility>

#include "transport/connection.h"
#include "transport/endpoint.h"
#include "transport/route.h"

namespace godwit {

// Of two equal tags the later session stays where it is.
void Endpoint::note_tag(std::uint32_t slot) {
  const std::uint32_t tag = routes_[slot].connection_tag();
  if (tag == routes_[slot].known_tag) return;
  forget_tag(slot);
  if (tag == 0 || by_tag_.find(tag) != IdMap::kNone) return;
  by_tag_.insert(tag, slot);
  routes_[slot].known_tag = tag;
}

void Endpoint::forget_tag(std::uint32_t slot) {
  if (const std::uint32_t tag = std::exchange(routes_[slot].known_tag, 0)) by_tag_.erase(tag);
}

bool Endpoint::receive_elsewhere(Instant now, const DatagramBatch& batch, MutableBytes datagram) {
  const std::uint32_t slot = by_tag_.find(load_le<std::uint32_t>(datagram.data() + 1));
  if (slot == IdMap::kNone) return false;
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
