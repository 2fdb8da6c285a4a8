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

TEST(StreamIdAllocator, EndsInsteadOfReusingAnId) {
  StreamIdAllocator ids{0x7ffffffe};
  EXPECT_EQ(ids.next(false), 0x7ffffffeU);
  EXPECT_EQ(ids.next(true), 0xffffffffU);
  EXPECT_EQ(ids.next(false), std::nullopt);
  EXPECT_EQ(ids.next(true), std::nullopt);
}

}  // namespace
}  // namespace godwit
