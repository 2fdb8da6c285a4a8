#include "congestion/fair_share.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "base/random.h"

namespace godwit {
namespace {

Bandwidth rate(std::uint64_t bytes_per_second) {
  return Bandwidth::from_bytes_per_second(bytes_per_second);
}

TEST(FairShare, LimitsNobodyWithoutABudget) {
  FairShare share;
  const FairShare::Member member = share.join();
  share.set_demand(member, 1_gbps);
  EXPECT_TRUE(share.share(Instant{}, member).is_unlimited());
}

TEST(FairShare, PartsTheBudgetEvenlyAmongTheGreedy) {
  FairShare share(rate(900));
  std::vector<FairShare::Member> members;
  for (int i = 0; i < 3; ++i) members.push_back(share.join());
  for (const FairShare::Member member : members) share.set_demand(member, Bandwidth::unlimited());
  for (const FairShare::Member member : members) EXPECT_EQ(share.share(Instant{}, member), rate(300));
}

TEST(FairShare, GivesWhatTheModestLeaveToTheOthers) {
  FairShare share(rate(1000));
  const FairShare::Member modest = share.join();
  const FairShare::Member middling = share.join();
  const FairShare::Member greedy = share.join();
  share.set_demand(modest, rate(100));
  share.set_demand(middling, rate(400));
  share.set_demand(greedy, Bandwidth::unlimited());
  EXPECT_EQ(share.share(Instant{}, greedy), rate(500));
  EXPECT_GE(share.share(Instant{}, middling), rate(400));
  EXPECT_GE(share.share(Instant{}, modest), rate(100));
}

TEST(FairShare, LeavesRoomToGrowWhenTheBudgetIsNotUsedUp) {
  FairShare share(rate(1000));
  const FairShare::Member a = share.join();
  const FairShare::Member b = share.join();
  share.set_demand(a, rate(100));
  share.set_demand(b, rate(300));
  EXPECT_EQ(share.share(Instant{}, b), rate(900));
}

TEST(FairShare, CountsNeitherTheIdleNorTheDeparted) {
  FairShare share(rate(1000));
  const FairShare::Member idle = share.join();
  const FairShare::Member departed = share.join();
  const FairShare::Member active = share.join();
  share.set_demand(idle, Bandwidth{});
  share.set_demand(departed, Bandwidth::unlimited());
  share.set_demand(active, Bandwidth::unlimited());
  EXPECT_EQ(share.share(Instant{}, active), rate(500));
  share.leave(departed);
  EXPECT_EQ(share.size(), 2u);
  EXPECT_EQ(share.share(Instant{}, active), rate(1000));
}

TEST(FairShare, ReusesNumbersWithoutTheirDemand) {
  FairShare share(rate(1000));
  const FairShare::Member first = share.join();
  share.set_demand(first, Bandwidth::unlimited());
  share.leave(first);
  const FairShare::Member second = share.join();
  EXPECT_EQ(first, second);
  const FairShare::Member other = share.join();
  share.set_demand(other, Bandwidth::unlimited());
  EXPECT_EQ(share.share(Instant{}, other), rate(1000));
}

TEST(FairShare, DividesAtMostEveryIntervalWhenMembersAreMany) {
  FairShare share(rate(1'000'000));
  std::vector<FairShare::Member> members;
  for (std::size_t i = 0; i < 2 * FairShare::kFewMembers; ++i) {
    members.push_back(share.join());
    share.set_demand(members.back(), Bandwidth::unlimited());
  }
  Instant now{1s};
  const Bandwidth before = share.share(now, members[0]);
  share.leave(members.back());
  EXPECT_EQ(share.share(now + 1ms, members[0]), before);
  EXPECT_GT(share.share(now + FairShare::kRebalanceInterval, members[0]), before);
}

TEST(FairShare, NeverSharesOutMoreThanTheBudgetAndIsMaxMinFair) {
  DeterministicRandom random(7);
  for (int trial = 0; trial < 300; ++trial) {
    const std::uint64_t budget = 1000 + random.below(1'000'000);
    FairShare share(rate(budget));
    std::vector<FairShare::Member> members;
    std::vector<std::uint64_t> demands;
    const std::uint64_t count = 1 + random.below(40);
    for (std::uint64_t i = 0; i < count; ++i) {
      members.push_back(share.join());
      demands.push_back(random.below(4) == 0 ? 0 : random.below(2 * budget / count + 1) * (1 + random.below(5)));
      share.set_demand(members.back(), rate(demands.back()));
    }
    const std::uint64_t level = share.share(Instant{}, members[0]).bytes_per_second();
    std::uint64_t used = 0;
    for (const std::uint64_t demand : demands) used += std::min(demand, level);
    EXPECT_LE(used, std::max<std::uint64_t>(budget, 1));
    // Whoever gets less than asked for gets the level, and nobody gets more: the budget is used but for rounding.
    const std::uint64_t wanted = std::accumulate(demands.begin(), demands.end(), std::uint64_t{0});
    EXPECT_GE(used + count, std::min(wanted, budget));
  }
}

}  // namespace
}  // namespace godwit
