#include "congestion/fair_share.h"

#include <algorithm>

#include "base/assert.h"

namespace godwit {

FairShare::FairShare(Bandwidth budget) : budget_(budget), level_(budget) {}

FairShare::Member FairShare::join() {
  ++size_;
  if (!free_.empty()) {
    const Member member = free_.back();
    free_.pop_back();
    members_[member] = Entry{.demand = Bandwidth{}, .joined = true};
    return member;
  }
  members_.push_back(Entry{.demand = Bandwidth{}, .joined = true});
  return static_cast<Member>(members_.size() - 1);
}

void FairShare::leave(Member member) {
  GODWIT_ASSERT(member < members_.size() && members_[member].joined);
  members_[member] = Entry{};
  free_.push_back(member);
  --size_;
  stale_ = true;
}

void FairShare::set_demand(Member member, Bandwidth demand) {
  GODWIT_ASSERT(member < members_.size() && members_[member].joined);
  if (members_[member].demand == demand) return;
  members_[member].demand = demand;
  stale_ = true;
}

Bandwidth FairShare::share(Instant now, Member member) {
  GODWIT_ASSERT(member < members_.size() && members_[member].joined);
  if (budget_.is_unlimited()) return budget_;
  if (stale_ && (size_ <= kFewMembers || !rebalanced_at_ || now - *rebalanced_at_ >= kRebalanceInterval)) {
    rebalance();
    rebalanced_at_ = now;
  }
  return level_;
}

// Water-filling: whoever asks for less than an even part of what is left gets it, and the rest is parted anew among the
// others. Each pass settles at least one member or ends; demands spread over n sizes take about log n passes, since all
// that lie below the even part are settled together.
void FairShare::rebalance() {
  stale_ = false;
  level_ = budget_;
  if (budget_.is_unlimited()) return;
  unsettled_.clear();
  for (const Entry& entry : members_) {
    if (entry.joined && entry.demand != Bandwidth{}) unsettled_.push_back(entry.demand.bytes_per_second());
  }
  std::uint64_t left = budget_.bytes_per_second();
  std::uint64_t largest = 0;
  while (!unsettled_.empty()) {
    const std::uint64_t even = left / unsettled_.size();
    const auto above =
        std::partition(unsettled_.begin(), unsettled_.end(), [even](std::uint64_t demand) { return demand > even; });
    if (above == unsettled_.end()) {
      level_ = Bandwidth::from_bytes_per_second(std::max<std::uint64_t>(even, 1));
      return;
    }
    for (auto settled = above; settled != unsettled_.end(); ++settled) {
      left -= *settled;
      largest = std::max(largest, *settled);
    }
    unsettled_.erase(above, unsettled_.end());
  }
  // Everybody has all that was asked for. What is left is room to grow until the next division.
  level_ = Bandwidth::from_bytes_per_second(std::max<std::uint64_t>(largest + left, 1));
}

}  // namespace godwit
