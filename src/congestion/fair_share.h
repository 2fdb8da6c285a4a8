// A budget in bytes per second shared max-min fairly over the connections of one Endpoint, so that many peers together
// do not overwhelm a home link. A member's share caps its pacing rate; who asks for less than an even part leaves the
// rest to the others. Owned by Endpoint. Membership and demand are O(1); the division is one pass or a few over the
// members, at once while they are few, else at most every kRebalanceInterval, so its cost a packet stays flat.
// Invariant: right after a division the lesser of demand and share, summed over the members, is at most the budget.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bandwidth.h"
#include "base/time.h"

namespace godwit {

class FairShare {
 public:
  using Member = std::uint32_t;
  static constexpr Duration kRebalanceInterval = 20ms;
  static constexpr std::size_t kFewMembers = 64;

  // An unlimited budget limits nobody and costs nothing.
  explicit FairShare(Bandwidth budget = Bandwidth::unlimited());

  [[nodiscard]] Bandwidth budget() const { return budget_; }

  // A new member demands nothing until set_demand. Numbers of members that left are reused.
  [[nodiscard]] Member join();
  void leave(Member member);
  [[nodiscard]] std::size_t size() const { return size_; }

  // What the member would send if it were alone: its controller's pacing rate while it has data, zero while it has
  // none, unlimited if unknown.
  void set_demand(Member member, Bandwidth demand);

  // The member's cap, never zero. Unlimited under an unlimited budget.
  [[nodiscard]] Bandwidth share(Instant now, Member member);

 private:
  struct Entry {
    Bandwidth demand;
    bool joined = false;
  };

  void rebalance();

  Bandwidth budget_;
  Bandwidth level_;  // the cap of everybody
  std::vector<Entry> members_;
  std::vector<Member> free_;
  std::vector<std::uint64_t> unsettled_;  // scratch of rebalance()
  std::size_t size_ = 0;
  std::optional<Instant> rebalanced_at_;
  bool stale_ = true;
};

}  // namespace godwit
