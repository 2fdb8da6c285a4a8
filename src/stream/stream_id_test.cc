#include "stream/stream_id.h"

#include <gtest/gtest.h>

namespace godwit {
namespace {

TEST(StreamIdAllocator, DrawsBothKindsFromOneCounter) {
  StreamIdAllocator ids;
  EXPECT_EQ(ids.next(false), 1U);
  EXPECT_EQ(ids.next(true), 0x80000002U);
  EXPECT_EQ(ids.next(false), 3U);
}

TEST(StreamIdAllocator, KnowsWhichIdsItHasGiven) {
  StreamIdAllocator ids(5);
  EXPECT_FALSE(ids.has_given(5));
  EXPECT_EQ(ids.next(false), 5U);
  for (const std::uint32_t id : {0U, 4U, 6U, 0x80000000U, 0x80000006U, 0xffffffffU})
    EXPECT_FALSE(ids.has_given(id)) << id;
  EXPECT_TRUE(ids.has_given(5));
  EXPECT_TRUE(ids.has_given(0x80000005U));
}

TEST(StreamIdAllocator, EndsInsteadOfReusingAnId) {
  StreamIdAllocator ids{0x7ffffffe};
  EXPECT_EQ(ids.next(false), 0x7ffffffeU);
  EXPECT_EQ(ids.next(true), 0xffffffffU);
  EXPECT_EQ(ids.next(false), std::nullopt);
  EXPECT_EQ(ids.next(true), std::nullopt);
}

}  // namespace
}  // namespace godwit
