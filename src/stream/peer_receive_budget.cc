#include "stream/peer_receive_budget.h"

#include "base/assert.h"

namespace godwit {

void PeerReceiveBudget::open(std::uint64_t cost) {
  GODWIT_ASSERT(fits(cost));
  ++streams_;
  bytes_ += cost;
}

void PeerReceiveBudget::close(std::uint64_t cost) {
  GODWIT_ASSERT(streams_ > 0 && cost <= bytes_);
  --streams_;
  bytes_ -= cost;
}

void PeerReceiveBudget::linger(Instant now, std::uint64_t cost) {
  lingering_.push_back({now + kLinger, cost});
}

void PeerReceiveBudget::expire(Instant now) {
  std::size_t expired = 0;
  while (expired < lingering_.size() && lingering_[expired].until <= now) close(lingering_[expired++].cost);
  if (expired > 0) lingering_.erase(lingering_.begin(), lingering_.begin() + static_cast<std::ptrdiff_t>(expired));
}

std::optional<Instant> PeerReceiveBudget::next_expiry() const {
  if (lingering_.empty()) return std::nullopt;
  return lingering_.front().until;
}

}  // namespace godwit
