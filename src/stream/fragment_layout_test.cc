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

}  // namespace
}  // namespace godwit
