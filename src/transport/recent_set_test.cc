#include "transport/recent_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "base/random.h"

namespace godwit {
namespace {

TEST(RecentSet, ForgetsTheOldestFirst) {
  RecentSet set(3);
  for (const std::uint64_t key : {10u, 20u, 30u}) EXPECT_TRUE(set.insert(key));
  EXPECT_FALSE(set.insert(10));
  EXPECT_TRUE(set.insert(40));
  EXPECT_FALSE(set.contains(10));
  for (const std::uint64_t key : {20u, 30u, 40u}) EXPECT_TRUE(set.contains(key)) << key;
  EXPECT_EQ(set.size(), 3u);
}

TEST(RecentSet, IsEmptyAtFirst) {
  const RecentSet set(8);
  EXPECT_FALSE(set.contains(0));
  EXPECT_EQ(set.size(), 0u);
  EXPECT_EQ(set.memory_bytes(), 0u);
}

TEST(RecentSet, MatchesANaiveModel) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    DeterministicRandom random(seed);
    const std::size_t capacity = 1 + random.below(70);
    RecentSet set(capacity);
    std::deque<std::uint64_t> model;
    for (int i = 0; i < 3000; ++i) {
      // Few values with clustered homes, so that probe sequences are long and deletions matter.
      const std::uint64_t key = 1 + random.below(120) + (random.below(4) << 40);
      const bool known = std::ranges::find(model, key) != model.end();
      ASSERT_EQ(set.contains(key), known);
      ASSERT_EQ(set.insert(key), !known);
      if (!known) model.push_back(key);
      if (model.size() > capacity) model.pop_front();
      ASSERT_EQ(set.size(), model.size());
    }
    for (const std::uint64_t key : model) ASSERT_TRUE(set.contains(key));
  }
}

TEST(RecentSet, StaysWithinItsMemory) {
  DeterministicRandom random(5);
  RecentSet set(1000);
  for (int i = 0; i < 100'000; ++i) set.insert(random.next_u64());
  EXPECT_EQ(set.size(), 1000u);
  EXPECT_LE(set.memory_bytes(), (1024u + 2048u) * 8);
}

}  // namespace
}  // namespace godwit
