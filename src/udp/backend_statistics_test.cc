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

TEST(CallOccupancy, ClassesDouble) {
  EXPECT_EQ(CallOccupancy::class_of(0), 0U);
  EXPECT_EQ(CallOccupancy::class_of(1), 1U);
  EXPECT_EQ(CallOccupancy::class_of(2), 2U);
  for (std::size_t i = 3; i + 1 < CallOccupancy::kClasses; ++i) {
    EXPECT_EQ(CallOccupancy::class_of(CallOccupancy::most_of(i - 1) + 1), i);
    EXPECT_EQ(CallOccupancy::class_of(CallOccupancy::most_of(i)), i);
  }
  EXPECT_EQ(CallOccupancy::class_of(1'000'000), CallOccupancy::kClasses - 1) << "the last holds the rest";
}

TEST(CallOccupancy, CountsCalls) {
  CallOccupancy occupancy;
  occupancy.add(54);
  occupancy.add(64);
  occupancy.add(0, 3);
  EXPECT_EQ(occupancy.calls(CallOccupancy::class_of(64)), 2U);
  EXPECT_EQ(occupancy.calls(0), 3U);
}

}  // namespace
}  // namespace godwit
