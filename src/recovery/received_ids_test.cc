#include "recovery/received_ids.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <vector>

#include "base/random.h"

namespace godwit::received_ids_test {
namespace {

constexpr Instant kStart{1s};

TEST(ReceivedIds, ReportsAnIdOnce) {
  ReceivedIds ids;
  for (std::uint32_t id = 1; id <= 1000; ++id) {
    EXPECT_FALSE(ids.is_duplicate(id));
    EXPECT_EQ(ids.insert(kStart, id), DuplicateCheck::kNew);
    EXPECT_TRUE(ids.is_duplicate(id));
    EXPECT_EQ(ids.insert(kStart, id), DuplicateCheck::kDuplicate);
  }
  EXPECT_EQ(ids.gap_count(), 1u);  // what lies below the first id
}

TEST(ReceivedIds, AcceptsPeersThatStartAtZeroOrAnywhere) {
  for (const std::uint32_t first : {0u, 1u, 77u, 0x7fffffffu, 0x80000000u, 0xfffffff0u, 0xffffffffu}) {
    ReceivedIds ids;
    for (std::uint32_t i = 0; i < 100; ++i) EXPECT_EQ(ids.insert(kStart, first + i), DuplicateCheck::kNew) << first;
    for (std::uint32_t i = 0; i < 100; ++i)
      EXPECT_EQ(ids.insert(kStart, first + i), DuplicateCheck::kDuplicate) << first;
  }
}

TEST(ReceivedIds, AcceptsAnIdBelowTheFirstThatArrived) {
  ReceivedIds ids;
  EXPECT_EQ(ids.insert(kStart, 5), DuplicateCheck::kNew);
  EXPECT_EQ(ids.insert(kStart, 0), DuplicateCheck::kNew);
  EXPECT_EQ(ids.insert(kStart, 0), DuplicateCheck::kDuplicate);
  EXPECT_EQ(ids.insert(kStart, 4), DuplicateCheck::kNew);
  EXPECT_EQ(ids.insert(kStart, 1), DuplicateCheck::kNew);
  EXPECT_EQ(ids.insert(kStart, 5), DuplicateCheck::kDuplicate);
}

TEST(ReceivedIds, AcceptsARetransmissionThatComesTensOfThousandsOfIdsLate) {
  ReceivedIds ids;
  for (std::uint32_t id = 1; id <= 200'000; ++id) {
    if (id == 1000) continue;
    EXPECT_EQ(ids.insert(kStart + id * 1us, id), DuplicateCheck::kNew);
  }
  EXPECT_EQ(ids.insert(kStart + 2min, 1000), DuplicateCheck::kNew);
  EXPECT_EQ(ids.insert(kStart + 2min, 1000), DuplicateCheck::kDuplicate);
}

TEST(ReceivedIds, GivesUpAGapAfterTenMinutes) {
  ReceivedIds ids;
  ids.insert(kStart, 1);
  ids.insert(kStart + 1s, 5);  // 2, 3, 4 are missing
  ids.insert(kStart + 2s, 3);
  ids.expire(kStart + 599s);
  EXPECT_FALSE(ids.is_duplicate(2));
  EXPECT_EQ(ids.ids_passed_by_age(), 0u);
  ids.expire(kStart + 602s);
  EXPECT_TRUE(ids.is_duplicate(2));
  EXPECT_TRUE(ids.is_duplicate(4));
  EXPECT_TRUE(ids.is_duplicate(0));
  EXPECT_FALSE(ids.is_duplicate(6));
  EXPECT_EQ(ids.ids_passed_by_age(), 2u);
  EXPECT_EQ(ids.gap_count(), 0u);
}

TEST(ReceivedIds, KeepsGapsWhenTheClockRunsBackwards) {
  ReceivedIds ids;
  ids.insert(kStart + 1h, 1);
  ids.insert(kStart + 1h, 3);
  ids.expire(kStart);
  EXPECT_FALSE(ids.is_duplicate(2));
}

TEST(ReceivedIds, PassesTheOldestGapWhenTheListIsFull) {
  ReceivedIds ids;
  const auto even = [](std::size_t i) { return static_cast<std::uint32_t>(2 * i); };
  for (std::size_t i = 0; i < ReceivedIds::kMaxGaps; ++i) EXPECT_EQ(ids.insert(kStart, even(i)), DuplicateCheck::kNew);
  EXPECT_EQ(ids.gap_count(), ReceivedIds::kMaxGaps);
  EXPECT_EQ(ids.ids_passed_by_limit(), 0u);
  // The first gap to go is what lies below the first id, which nobody misses.
  ids.insert(kStart, even(ReceivedIds::kMaxGaps));
  EXPECT_EQ(ids.ids_passed_by_limit(), 0u);
  EXPECT_FALSE(ids.is_duplicate(1));
  ids.insert(kStart, even(ReceivedIds::kMaxGaps + 1));
  EXPECT_EQ(ids.gap_count(), ReceivedIds::kMaxGaps);
  EXPECT_EQ(ids.ids_passed_by_limit(), 1u);
  EXPECT_TRUE(ids.is_duplicate(1));
  EXPECT_FALSE(ids.is_duplicate(3));
}

TEST(ReceivedIds, SplitsAGapInAFullListAtThePriceOfTheOldest) {
  ReceivedIds ids;
  std::uint32_t id = 10;
  ids.insert(kStart, id);
  while (ids.gap_count() < ReceivedIds::kMaxGaps) ids.insert(kStart, id += 4);  // gaps of three ids
  EXPECT_EQ(ids.insert(kStart, id - 2), DuplicateCheck::kNew);                  // splits the last gap
  EXPECT_EQ(ids.gap_count(), ReceivedIds::kMaxGaps);
  EXPECT_FALSE(ids.is_duplicate(id - 1));
  EXPECT_FALSE(ids.is_duplicate(id - 3));
  EXPECT_TRUE(ids.is_duplicate(9));
  // Splitting the oldest gap itself gives up the part below.
  EXPECT_EQ(ids.insert(kStart, 12), DuplicateCheck::kNew);
  EXPECT_TRUE(ids.is_duplicate(11));
  EXPECT_FALSE(ids.is_duplicate(13));
  EXPECT_EQ(ids.ids_passed_by_limit(), 1u);
  EXPECT_EQ(ids.gap_count(), ReceivedIds::kMaxGaps);
}

TEST(ReceivedIds, GivesUpWhatTheCounterCouldNameAgain) {
  ReceivedIds ids;
  ids.insert(kStart, 1);
  ids.insert(kStart, 3);
  for (std::uint32_t leap = 1; leap <= 3; ++leap) ids.insert(kStart, 3 + leap * 0x30000000u);
  ids.expire(kStart);
  EXPECT_GT(ids.ids_passed_by_limit(), 0u);
  EXPECT_LE(ids.gap_count(), 3u);
  EXPECT_EQ(ids.insert(kStart, 4 + 3 * 0x30000000u), DuplicateCheck::kNew);
}

TEST(ReceivedIds, TellsDisorderUntilItIsCleared) {
  ReceivedIds ids;
  ids.insert(kStart, 1);
  ids.insert(kStart, 2);
  EXPECT_FALSE(ids.disorder());
  ids.insert(kStart, 4);
  EXPECT_TRUE(ids.disorder());
  ids.clear_disorder();
  ids.insert(kStart, 5);
  EXPECT_FALSE(ids.disorder());
  ids.insert(kStart, 3);
  EXPECT_TRUE(ids.disorder());
}

// Ids that leave a sender with skips, are lost, reordered, duplicated and late, against a plain set.
TEST(ReceivedIds, AgreesWithASetOfAllIds) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    DeterministicRandom random(seed);
    const std::uint32_t first = seed % 3 == 0 ? 0u : (seed % 3 == 1 ? 1u : 0u - 3000u);  // starts at 0, at 1, wraps
    ReceivedIds ids;
    std::set<std::uint32_t> model;
    std::vector<std::uint32_t> underway;
    std::uint32_t next = first;
    for (int step = 0; step < 12'000; ++step) {
      const std::uint64_t action = random.below(100);
      std::uint32_t id = 0;
      if (action < 70 || underway.empty()) {
        id = next++;
        if (random.below(50) == 0) next += static_cast<std::uint32_t>(random.below(30));
        if (random.below(8) == 0) {  // late
          underway.push_back(id);
          continue;
        }
      } else if (action < 90) {
        const std::size_t pick = random.below(underway.size());
        id = underway[pick];
        if (random.below(4) != 0) underway.erase(underway.begin() + static_cast<std::ptrdiff_t>(pick));
      } else {
        id = next - static_cast<std::uint32_t>(random.below(500));
        if (id - first >= next - first) continue;  // before the first one
      }
      const bool known = model.contains(id);
      ASSERT_EQ(ids.is_duplicate(id), known) << "seed " << seed << " step " << step << " id " << id;
      ASSERT_EQ(ids.insert(kStart, id), known ? DuplicateCheck::kDuplicate : DuplicateCheck::kNew) << "seed " << seed;
      model.insert(id);
      ASSERT_LE(ids.gap_count(), ReceivedIds::kMaxGaps);
    }
    EXPECT_EQ(ids.ids_passed_by_limit(), 0u);
  }
}

// A hostile peer's ids: whatever they are, the same id twice in a row is a duplicate and the list stays bounded.
TEST(ReceivedIds, StaysBoundedUnderArbitraryIds) {
  DeterministicRandom random(99);
  ReceivedIds ids;
  for (int step = 0; step < 40'000; ++step) {
    const auto id = static_cast<std::uint32_t>(random.next_u64());
    ids.insert(kStart + step * 1ms, id);
    ASSERT_EQ(ids.insert(kStart + step * 1ms, id), DuplicateCheck::kDuplicate);
    if (step % 64 == 0) ids.expire(kStart + step * 1ms);
    ASSERT_LE(ids.gap_count(), ReceivedIds::kMaxGaps);
  }
}

// Within the limit on gaps, no id is ever reported new twice although gaps are passed; this is what a replay meets.
TEST(ReceivedIds, NeverReportsAnIdNewTwiceWhenGapsArePassed) {
  DeterministicRandom random(5);
  ReceivedIds ids;
  std::set<std::uint32_t> seen;
  std::uint32_t next = 1;
  for (int step = 0; step < 60'000; ++step) {
    const bool ahead = random.below(4) != 0;
    if (ahead) next += 1 + static_cast<std::uint32_t>(random.below(5));
    const std::uint32_t id = ahead ? next : next - static_cast<std::uint32_t>(random.below(std::min(next, 40'000u)));
    const bool novel = ids.insert(kStart, id) == DuplicateCheck::kNew;
    if (novel) {
      ASSERT_TRUE(seen.insert(id).second) << id;
    }
  }
  EXPECT_GT(ids.ids_passed_by_limit(), 0u);
}

}  // namespace
}  // namespace godwit::received_ids_test
