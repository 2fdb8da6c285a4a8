#include "recovery/received_numbers.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

#include "base/random.h"

namespace godwit::received_numbers_test {
namespace {

constexpr Instant kStart{1h};

std::vector<NumberRange> take(ReceivedNumbers& numbers, Instant now = kStart) {
  std::array<NumberRange, ReceivedNumbers::kMaxRanges> out;
  Duration delay{};
  const std::size_t count = numbers.take(now, out, delay);
  return {out.begin(), out.begin() + static_cast<std::ptrdiff_t>(count)};
}

TEST(ReceivedNumbers, InOrderThereIsOneRange) {
  ReceivedNumbers numbers;
  EXPECT_TRUE(take(numbers).empty());
  for (std::uint64_t number = 5; number < 1000; ++number) numbers.add(kStart, number, true);
  EXPECT_FALSE(numbers.disorder());
  EXPECT_EQ(numbers.waiting(), 995u);
  EXPECT_EQ(take(numbers), (std::vector<NumberRange>{{.first = 5, .last = 999}}));
  EXPECT_EQ(numbers.waiting(), 0u);
}

TEST(ReceivedNumbers, AGapThatOpensOrClosesIsNews) {
  ReceivedNumbers numbers;
  for (const std::uint64_t number : {1u, 2u, 5u}) numbers.add(kStart, number, true);
  EXPECT_TRUE(numbers.disorder());
  numbers.clear_disorder();
  EXPECT_EQ(take(numbers), (std::vector<NumberRange>{{.first = 5, .last = 5}, {.first = 1, .last = 2}}));
  numbers.add(kStart, 4, true);
  EXPECT_TRUE(numbers.disorder());
  numbers.add(kStart, 3, true);
  EXPECT_EQ(take(numbers), (std::vector<NumberRange>{{.first = 1, .last = 5}}));
}

TEST(ReceivedNumbers, TheDelayIsThatOfTheNewestAwaitedPacket) {
  ReceivedNumbers numbers;
  std::array<NumberRange, ReceivedNumbers::kMaxRanges> out;
  Duration delay{};
  numbers.add(kStart, 7, true);
  numbers.add(kStart + 2ms, 6, true);   // overtaken
  numbers.add(kStart + 3ms, 8, false);  // nobody waits for it
  EXPECT_EQ(numbers.oldest(), kStart);
  ASSERT_EQ(numbers.take(kStart + 5ms, out, delay), 1u);
  EXPECT_EQ(delay, 5ms);
  EXPECT_EQ(numbers.waiting(), 0u);
}

TEST(ReceivedNumbers, ARangeIsToldAFewTimesAfterItHasChangedAndThenForgotten) {
  ReceivedNumbers numbers;
  numbers.add(kStart, 1, true);
  numbers.add(kStart, 3, true);
  for (int i = 0; i < ReceivedNumbers::kRepetitions; ++i) EXPECT_EQ(take(numbers).size(), 2u) << i;
  EXPECT_EQ(take(numbers), (std::vector<NumberRange>{{.first = 3, .last = 3}}));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(take(numbers).size(), 1u);  // the newest stays
  numbers.add(kStart, 2, true);                                       // late
  EXPECT_EQ(take(numbers), (std::vector<NumberRange>{{.first = 2, .last = 3}}));
}

TEST(ReceivedNumbers, AreBoundedAndAskForAnAcknowledgementInTime) {
  ReceivedNumbers numbers;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    numbers.add(kStart, 2 * i, true);
    EXPECT_LE(numbers.range_count(), ReceivedNumbers::kMaxRanges);
    EXPECT_EQ(numbers.crowded(), i + 1 >= ReceivedNumbers::kMaxRanges / 2);
  }
  numbers.add(kStart, 1, true);  // older than all that is remembered: it will be sent again
  const auto told = take(numbers);
  EXPECT_EQ(told.size(), ReceivedNumbers::kMaxRanges);
  EXPECT_EQ(told.front(), (NumberRange{.first = 1998, .last = 1998}));
  EXPECT_FALSE(numbers.crowded());
}

TEST(ReceivedNumbers, AnyOrderGivesWhatASetSays) {
  DeterministicRandom random(4);
  for (int round = 0; round < 200; ++round) {
    ReceivedNumbers numbers;
    std::set<std::uint64_t> all;
    for (int i = 0; i < 60; ++i) {
      const std::uint64_t number = random.below(100);
      if (all.insert(number).second) numbers.add(kStart, number, random.below(2) == 0);
    }
    std::set<std::uint64_t> told;
    std::uint64_t above = 1000;
    for (const NumberRange& range : take(numbers)) {
      EXPECT_LT(range.last + 1, above);
      above = range.first;
      for (std::uint64_t number = range.first; number <= range.last; ++number) told.insert(number);
    }
    EXPECT_EQ(told, all);
  }
}

}  // namespace
}  // namespace godwit::received_numbers_test
