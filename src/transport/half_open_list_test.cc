#include "transport/half_open_list.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "base/random.h"

namespace godwit {
namespace {

TEST(HalfOpenList, EvictsTheOldestWhenFull) {
  HalfOpenList list(2);
  EXPECT_EQ(list.add(1), std::nullopt);
  EXPECT_EQ(list.add(2), std::nullopt);
  EXPECT_EQ(list.add(3), 1u);
  EXPECT_EQ(list.add(4), 2u);
  EXPECT_EQ(list.size(), 2u);
}

TEST(HalfOpenList, MakesRoomWhenOneEnds) {
  HalfOpenList list(2);
  list.add(1);
  list.add(2);
  EXPECT_TRUE(list.remove(1));
  EXPECT_FALSE(list.remove(1));
  EXPECT_EQ(list.add(3), std::nullopt);
  EXPECT_EQ(list.add(4), 2u);
}

TEST(HalfOpenList, MovesAnOwnerThatBeginsAgainToTheEnd) {
  HalfOpenList list(2);
  list.add(1);
  list.add(2);
  EXPECT_EQ(list.add(1), std::nullopt);
  EXPECT_EQ(list.add(3), 2u);
}

TEST(HalfOpenList, MatchesANaiveModel) {
  DeterministicRandom random(9);
  HalfOpenList list(16);
  std::deque<std::uint64_t> model;
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t owner = random.below(40);
    const auto place = std::ranges::find(model, owner);
    const bool known = place != model.end();
    if (random.below(3) == 0) {
      ASSERT_EQ(list.remove(owner), known);
      if (known) model.erase(place);
    } else {
      if (known) model.erase(place);
      std::optional<std::uint64_t> expected;
      if (model.size() == 16) {
        expected = model.front();
        model.pop_front();
      }
      model.push_back(owner);
      ASSERT_EQ(list.add(owner), expected);
    }
    ASSERT_EQ(list.size(), model.size());
  }
}

}  // namespace
}  // namespace godwit
