#include "transfer/place_quota.h"

#include "base/assert.h"

namespace godwit {
namespace {

template <typename Counts, typename Key>
std::size_t count_of(const Counts& counts, const Key& key) {
  const auto found = counts.find(key);
  return found == counts.end() ? 0 : found->second;
}

template <typename Counts, typename Key>
void take_back(Counts& counts, const Key& key) {
  const auto found = counts.find(key);
  GODWIT_ASSERT(found != counts.end());
  if (--found->second == 0) counts.erase(found);
}

}  // namespace

PlaceQuota::Verdict PlaceQuota::judge(ConnectionId peer, const SocketAddress& address) const {
  if (taken_ >= limits_.all) return Verdict::kAllFull;
  const std::size_t prefix = of_prefix(address);
  const std::size_t free = limits_.all - taken_;
  const std::size_t own = of_peer(peer);
  if (own >= limits_.of_a_peer) return Verdict::kPeerFull;
  if (prefix >= free) return Verdict::kPrefixFull;
  // What the address may still take: one more each time takes one from both sides of the comparison above.
  const std::size_t free_to_prefix = (free - prefix + 1) / 2;
  return own > 0 && own >= free_to_prefix ? Verdict::kPeerFull : Verdict::kFree;
}

void PlaceQuota::take(ConnectionId peer, const SocketAddress& address) {
  ++prefixes_[address.prefix()];
  ++peers_[peer];
  ++taken_;
}

void PlaceQuota::give_back(ConnectionId peer, const SocketAddress& address) {
  take_back(prefixes_, address.prefix());
  take_back(peers_, peer);
  --taken_;
}

std::size_t PlaceQuota::of_peer(ConnectionId peer) const {
  return count_of(peers_, peer);
}

std::size_t PlaceQuota::of_prefix(const SocketAddress& address) const {
  return count_of(prefixes_, address.prefix());
}

}  // namespace godwit
