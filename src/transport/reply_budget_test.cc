#include "transport/reply_budget.h"

#include <gtest/gtest.h>

#include <map>

#include "base/random.h"

namespace godwit {
namespace {

TEST(ReplyBudget, SendsNothingToAnAddressThatHasSentNothing) {
  ReplyBudget budget(16, 3);
  EXPECT_FALSE(budget.take(Instant{1h}, 7, 1));
  budget.on_received(Instant{1h}, 7, 73);
  EXPECT_FALSE(budget.take(Instant{1h}, 8, 1));
}

TEST(ReplyBudget, NoAddressGetsMoreThanThreeTimesItsBytesThoughTheTableForgets) {
  // Far more addresses than entries.
  DeterministicRandom random(5);
  ReplyBudget budget(64, 3);
  std::map<std::uint64_t, std::pair<std::uint64_t, std::uint64_t>> model;  // received, sent
  std::size_t granted = 0;
  Instant now{1h};
  for (int i = 0; i < 100'000; ++i) {
    now += 1ms;
    const std::uint64_t address = random.below(1000);
    const std::uint64_t key = (address + 1) * 0x9e3779b97f4a7c15ULL;
    const std::size_t bytes = 1 + random.below(300);
    auto& [received, sent] = model[address];
    if (random.below(3) == 0) {
      budget.on_received(now, key, bytes);
      received += bytes;
    } else if (budget.take(now, key, bytes)) {
      sent += bytes;
      ++granted;
      ASSERT_LE(sent, 3 * received);
    }
  }
  EXPECT_GT(granted, 1000U);
  EXPECT_LE(budget.memory_bytes(), 64U * 64);
}

}  // namespace
}  // namespace godwit
