#include "transport/unopenable_budget.h"

#include <gtest/gtest.h>

#include <deque>

#include "base/random.h"

namespace godwit {
namespace {

TEST(UnopenableBudget, NoWindowOfThirtySecondsHoldsMoreThanTen) {
  DeterministicRandom random(3);
  UnopenableBudget budget;
  std::deque<Instant> sent;
  std::size_t refused = 0;
  Instant now{1h};
  for (int i = 0; i < 20'000; ++i) {
    now += Duration{static_cast<Duration::rep>(random.below(4'000'000'000))};
    if (!budget.take(now)) {
      ++refused;
      continue;
    }
    sent.push_back(now);
    while (now - sent.front() > 30s) sent.pop_front();
    ASSERT_LE(sent.size(), 10U);
  }
  EXPECT_GT(refused, 1000U);
}

TEST(UnopenableBudget, GrantsTenAtOnceAndTheNextOneWhenTheFirstIsThirtySecondsOld) {
  UnopenableBudget budget;
  const Instant start{1h};
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(budget.take(start));
  EXPECT_FALSE(budget.take(start + 30s));
  EXPECT_TRUE(budget.take(start + 30s + 1ns));
}

}  // namespace
}  // namespace godwit
