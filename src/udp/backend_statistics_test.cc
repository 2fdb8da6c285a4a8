#include "udp/backend_statistics.h"

#include <gtest/gtest.h>

namespace godwit {
namespace {

TEST(ErrnoCounts, CountsEachErrnoByItself) {
  ErrnoCounts counts;
  counts.add(5);
  counts.add(22);
  counts.add(5);
  EXPECT_EQ(counts.of(5), 2U);
  EXPECT_EQ(counts.of(22), 1U);
  EXPECT_EQ(counts.of(1), 0U);
  EXPECT_EQ(counts.total(), 3U);
  ASSERT_EQ(counts.entries().size(), 2U);
  EXPECT_EQ(counts.entries()[0].error, 5);
}

TEST(ErrnoCounts, WhatExceedsItsTableIsStillCounted) {
  ErrnoCounts counts;
  for (int error = 1; error <= 20; ++error) counts.add(error);
  EXPECT_EQ(counts.entries().size(), ErrnoCounts::kCapacity);
  EXPECT_EQ(counts.other(), 4U);
  EXPECT_EQ(counts.total(), 20U);
}

}  // namespace
}  // namespace godwit
