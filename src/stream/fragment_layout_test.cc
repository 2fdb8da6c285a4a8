#include "stream/fragment_layout.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace godwit {
namespace {

// The fragments follow one another without gap or overlap, none is empty, and together they are the stream.
void expect_consistent(const FragmentLayout& layout) {
  std::uint64_t end = 0;
  for (std::uint32_t number = 1; number <= layout.count(); ++number) {
    ASSERT_EQ(layout.offset(number), end);
    ASSERT_GE(layout.size(number), 1U);
    ASSERT_LE(layout.size(number), wire::kFragmentPayload);
    end += layout.size(number);
  }
  ASSERT_EQ(end, layout.total());
}

TEST(FragmentLayout, CutsTheExampleOfTheSpecification) {
  const FragmentLayout layout{3000};
  ASSERT_EQ(layout.count(), 3U);
  EXPECT_EQ(layout.size(1), 1130U);
  EXPECT_EQ(layout.size(2), 1130U);
  EXPECT_EQ(layout.size(3), 740U);
}

TEST(FragmentLayout, GivesOneFragmentToAStreamThatFits) {
  EXPECT_EQ(FragmentLayout{1107}.count(), 1U);
  EXPECT_EQ(FragmentLayout{1107}.size(1), 1107U);
  EXPECT_EQ(FragmentLayout{1130}.count(), 1U);
  EXPECT_EQ(FragmentLayout{1131}.count(), 2U);
  EXPECT_EQ(FragmentLayout{1131}.size(2), 1U);
}

TEST(FragmentLayout, MakesRoomForMetadataInTheFirstFragment) {
  const FragmentLayout layout{3000, 100};
  EXPECT_EQ(layout.size(1), 1021U);
  EXPECT_EQ(layout.count(), 3U);
  EXPECT_EQ(layout.offset(2), 1021U);
  const FragmentLayout longest{3000, 1120};
  EXPECT_EQ(longest.size(1), 1U);
  EXPECT_EQ(longest.count(), 4U);
  EXPECT_EQ((FragmentLayout{5, 100}.count()), 1U);
}

TEST(FragmentLayout, NeverMakesAFirstFragmentThatBreaksOldRelays) {
  for (std::size_t metadata = 0; metadata <= wire::kMaxMetadata; ++metadata) {
    for (const std::uint64_t total :
         {std::uint64_t{1}, std::uint64_t{900}, std::uint64_t{1130}, std::uint64_t{100'000}}) {
      const std::size_t size = wire::kFragmentOverhead + FragmentLayout{total, metadata}.size(1) + metadata;
      EXPECT_TRUE(size < 1164) << metadata << " bytes of metadata make " << size;
    }
  }
}

TEST(FragmentLayout, CoversEveryByteOnceForRandomTotals) {
  DeterministicRandom random{1};
  for (int round = 0; round < 500; ++round) {
    const std::uint64_t total = 1 + random.below(20'000);
    expect_consistent(FragmentLayout{total});
    expect_consistent(FragmentLayout{total, random.below(wire::kMaxMetadata + 1)});
  }
  expect_consistent(FragmentLayout{wire::kMaxStreamBytes});
}

// --- Groups: docs/extended_sessions.md, section 10 ---

TEST(FragmentLayout, PutsTheFragmentsOfAGroupIntoOnePacket) {
  FragmentLayout layout{5000};
  layout.set_group(1, 1382);
  EXPECT_EQ(layout.count(), 7U) << "1130 + 252, three times, and 854";
  EXPECT_EQ(layout.size(1), 1130U);
  EXPECT_EQ(layout.size(2), 252U);
  EXPECT_EQ(layout.offset(3), 1382U);
  EXPECT_EQ(layout.group_end(1), 2U);
  EXPECT_EQ(layout.group_end(2), 2U);
  EXPECT_EQ(layout.group_end(7), 7U) << "the stream ends within its group";
  EXPECT_EQ(layout.size(7), 854U);
  expect_consistent(layout);
}

TEST(FragmentLayout, KeepsWhatHasBeenSentWhenGroupsChange) {
  FragmentLayout layout{100'000};
  layout.set_group(1, 8830);
  EXPECT_EQ(layout.group_end(1), 8U);
  layout.set_group(4, 1130);
  EXPECT_EQ(layout.group_bytes(), 8830U) << "not within a group";
  layout.set_group(9, 1130);
  EXPECT_EQ(layout.group_bytes(), 1130U);
  EXPECT_EQ(layout.offset(9), 8830U);
  EXPECT_EQ(layout.size(8), 920U);
  EXPECT_EQ(layout.group_end(3), 8U);
  EXPECT_EQ(layout.group_end(9), 9U);
  expect_consistent(layout);
}

TEST(FragmentLayout, LeavesTheFragmentWithMetadataAlone) {
  FragmentLayout layout{20'000, 100};
  layout.set_group(1, 8830);
  EXPECT_EQ(layout.group_end(1), 1U);
  layout.set_group(2, 8830);
  EXPECT_EQ(layout.size(1), 1021U);
  EXPECT_EQ(layout.group_end(2), 9U);
  EXPECT_EQ(layout.group_end(1), 1U);
  expect_consistent(layout);
}

TEST(FragmentLayout, CoversEveryByteOnceHoweverGroupsChange) {
  DeterministicRandom random{3};
  constexpr std::uint32_t kGroups[] = {1130, 1302, 1382, 4330, 8830};
  for (int round = 0; round < 500; ++round) {
    const std::uint64_t total = 1 + random.below(200'000);
    FragmentLayout layout =
        random.below(3) == 0 ? FragmentLayout{total, random.below(wire::kMaxMetadata + 1)} : FragmentLayout{total};
    for (std::uint32_t number = 1; number <= layout.count(); number = layout.group_end(number) + 1) {
      if (random.below(4) == 0) layout.set_group(number, kGroups[random.below(5)]);
      const std::uint64_t limit = layout.offset(number) + random.below(20'000);
      if (limit >= total) continue;
      const std::uint32_t last = layout.last_within(limit);
      ASSERT_TRUE(last < number || layout.offset(last) + layout.size(last) <= limit);
      ASSERT_GT(layout.offset(last + 1) + layout.size(last + 1), limit);
    }
    expect_consistent(layout);
  }
}

}  // namespace
}  // namespace godwit
