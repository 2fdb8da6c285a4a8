#include "congestion/bbr_filters.h"

#include <gtest/gtest.h>

namespace godwit {
namespace {

TEST(MaxBandwidthFilter, RemembersThisCycleAndTheOneBefore) {
  MaxBandwidthFilter filter;
  filter.update(100_mbps);
  filter.update(80_mbps);
  EXPECT_EQ(filter.maximum(), 100_mbps);
  filter.advance();
  filter.update(50_mbps);
  EXPECT_EQ(filter.maximum(), 100_mbps);
  filter.advance();
  EXPECT_EQ(filter.maximum(), 50_mbps);
}

TEST(MaxBandwidthFilter, KeepsWhatItKnowsOverACycleWithoutSamples) {
  MaxBandwidthFilter filter;
  filter.update(100_mbps);
  for (int i = 0; i < 5; ++i) filter.advance();
  EXPECT_EQ(filter.maximum(), 100_mbps);
}

TEST(RoundMaxFilter, RemembersTheLastTenRounds) {
  RoundMaxFilter filter;
  EXPECT_EQ(filter.update(0, 500, 10), 500u);
  for (std::uint64_t round = 1; round < 10; ++round) EXPECT_EQ(filter.update(round, round, 10), 500u);
  EXPECT_EQ(filter.update(10, 3, 10), 9u);
}

TEST(RoundMaxFilter, RemembersOneRoundIfAskedFor) {
  RoundMaxFilter filter;
  EXPECT_EQ(filter.update(4, 500, 1), 500u);
  EXPECT_EQ(filter.update(4, 200, 1), 500u);
  EXPECT_EQ(filter.update(5, 7, 1), 7u);
}

TEST(RoundMaxFilter, ForgetsAcrossSkippedRounds) {
  RoundMaxFilter filter;
  EXPECT_EQ(filter.update(3, 500, 10), 500u);
  EXPECT_EQ(filter.update(1000, 1, 10), 1u);
}

}  // namespace
}  // namespace godwit
