// A budget in bytes per second shared max-min fairly over the connections of one Endpoint, so that many peers together
// do not overwhelm a home link. A member's share caps its pacing rate; who asks for less than an even part leaves the
// rest to the others. Owned by Endpoint. Membership and demand are O(1); the division is recomputed at most once a
// kRebalanceInterval, in one pass over the members, so its cost a packet does not grow with their number.
// Invariant: right after a rebalance the shares of all members sum to at most the budget.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bandwidth.h"
#include "base/time.h"

namespace godwit {

class FairShare {
 public:
  using Member = std::uint32_t;
  static constexpr Duration kRebalanceInterval = 20ms;

  // An unlimited budget limits nobody and costs nothing.
  explicit FairShare(Bandwidth budget = Bandwidth::unlimited());

  void set_budget(Bandwidth budget);
  [[nodiscard]] Bandwidth budget() const { return budget_; }

  // A new member demands nothing until set_demand. Numbers of members that left are reused.
  [[nodiscard]] Member join();
  void leave(Member member);
  [[nodiscard]] std::size_t size() const { return members_ - free_.size(); }

  // What the member would send if it were alone: its controller's pacing rate while it has data, zero while it has
  // none, unlimited if unknown.
  void set_demand(Member member, Bandwidth demand);

  // The member's cap. Unlimited under an unlimited budget.
  [[nodiscard]] Bandwidth share(Instant now, Member member);

 private:
  void rebalance();

  Bandwidth budget_;
  Bandwidth level_;                  // what a member gets that demands more than an even part
  std::vector<Bandwidth> demands_;
  std::vector<bool> joined_;
  std::vector<Member> free_;
  std::vector<std::uint64_t> scratch_;
  std::size_t members_ = 0;
  Instant rebalanced_at_{};
  bool stale_ = true;
};

}  // namespace godwit
