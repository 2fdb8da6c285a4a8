#include "transfer/place_quota.h"

#include "base/assert.h"

namespace godwit {

PlaceQuota::Verdict PlaceQuota::judge(ConnectionId peer, const SocketAddress& address) const {
  if (taken() >= limits_.all) return Verdict::kAllFull;
  const std::size_t own = of_peer(peer);
  if (own >= limits_.of_a_peer) return Verdict::kPeerFull;
  const std::uint64_t room = shares_.room(address, limits_.all - taken());
  if (room == 0) return Verdict::kPrefixFull;
  return own > 0 && own >= room ? Verdict::kPeerFull : Verdict::kFree;
}

void PlaceQuota::take(ConnectionId peer, const SocketAddress& address) {
  shares_.take(address, 1);
  ++peers_[peer];
}

void PlaceQuota::give_back(ConnectionId peer, const SocketAddress& address) {
  shares_.give_back(address, 1);
  const auto found = peers_.find(peer);
  GODWIT_ASSERT(found != peers_.end());
  if (--found->second == 0) peers_.erase(found);
}

std::size_t PlaceQuota::of_peer(ConnectionId peer) const {
  const auto found = peers_.find(peer);
  return found == peers_.end() ? 0 : found->second;
}

}  // namespace godwit
