#include "transport/timer_queue.h"

#include <gtest/gtest.h>

#include <map>

#include "base/random.h"

namespace godwit {
namespace {

constexpr Instant at(std::int64_t nanoseconds) {
  return Instant{Duration{nanoseconds}};
}

TEST(TimerQueue, KeepsTheEarlierOfTwoDeadlinesOfOneSlot) {
  TimerQueue timers;
  timers.arm(3, at(50));
  timers.arm(3, at(80));
  EXPECT_EQ(timers.next(), at(50));
  timers.arm(3, at(20));
  EXPECT_EQ(timers.next(), at(20));
  EXPECT_EQ(timers.size(), 1U);
}

TEST(TimerQueue, PopsNothingBeforeADeadline) {
  TimerQueue timers;
  timers.arm(0, at(10));
  EXPECT_FALSE(timers.pop_due(at(9)));
  EXPECT_EQ(timers.pop_due(at(10)), 0U);
  EXPECT_FALSE(timers.next());
}

TEST(TimerQueue, AgreesWithASortedMapUnderRandomOperations) {
  DeterministicRandom random(7);
  TimerQueue timers;
  std::map<std::uint32_t, Instant> model;
  for (int round = 0; round < 200'000; ++round) {
    const auto slot = static_cast<std::uint32_t>(random.below(64));
    const auto moment = at(static_cast<std::int64_t>(random.below(1'000'000)));
    switch (random.below(4)) {
      case 0:
      case 1:
        timers.arm(slot, moment);
        if (!model.contains(slot) || moment < model[slot]) model[slot] = moment;
        break;
      case 2:
        timers.cancel(slot);
        model.erase(slot);
        break;
      default:
        if (const auto due = timers.pop_due(moment)) {
          ASSERT_TRUE(model.contains(*due));
          ASSERT_LE(model[*due], moment);
          for (const auto& [other, deadline] : model) ASSERT_LE(model[*due], deadline) << other;
          model.erase(*due);
        } else {
          for (const auto& [other, deadline] : model) ASSERT_GT(deadline, moment) << other;
        }
    }
    ASSERT_EQ(timers.size(), model.size());
  }
}

}  // namespace
}  // namespace godwit
