#include "stream/recent_ids.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "base/random.h"

namespace godwit {
namespace {

TEST(RecentIds, ForgetsTheOldestFirst) {
  RecentIds ids{3};
  for (const std::uint32_t id : {5U, 6U, 7U, 5U, 8U}) ids.insert(id);
  EXPECT_FALSE(ids.contains(5)) << "the second insert does not renew its age";
  EXPECT_TRUE(ids.contains(6));
  EXPECT_TRUE(ids.contains(7));
  EXPECT_TRUE(ids.contains(8));
  EXPECT_EQ(ids.size(), 3U);
}

TEST(RecentIds, AgreesWithAQueueUnderRandomUse) {
  DeterministicRandom random{4};
  RecentIds ids{50};
  std::deque<std::uint32_t> model;
  for (int step = 0; step < 20'000; ++step) {
    const auto id = static_cast<std::uint32_t>(random.below(120));
    const bool known = std::ranges::find(model, id) != model.end();
    ASSERT_EQ(ids.contains(id), known);
    if (known) continue;
    ids.insert(id);
    model.push_back(id);
    if (model.size() > 50) model.pop_front();
  }
}

}  // namespace
}  // namespace godwit
