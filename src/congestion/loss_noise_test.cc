#include "congestion/loss_noise.h"

#include <gtest/gtest.h>

namespace godwit {
namespace {

constexpr Duration kTrip = 50ms;
constexpr std::uint64_t kSize = 1200;

// A round of `packets`, of which `lost` are lost, with a round trip of the bare path and `queue` more.
LossNoiseSample round_of(std::uint64_t packets, std::uint64_t lost, Duration queue = 0ms) {
  return {.acked = (packets - lost) * kSize,
          .lost = lost * kSize,
          .rtt = kTrip + queue,
          .round_start = true,
          .min_rtt = kTrip};
}

bool fill_bins(LossNoise& noise, std::size_t bins, std::uint64_t lost_of_hundred, Duration queue = 0ms) {
  bool risen = false;
  for (std::size_t i = 0; i < bins * LossNoise::kBinRounds; ++i) {
    risen = noise.on_quiet(round_of(100, lost_of_hundred, queue)) || risen;
  }
  return risen;
}

TEST(LossNoise, IsNothingBeforeAllBinsHaveBeenFilled) {
  LossNoise noise;
  EXPECT_FALSE(fill_bins(noise, LossNoise::kBins - 1, 5));
  EXPECT_EQ(noise.rate(), 0);
  EXPECT_TRUE(fill_bins(noise, 1, 5));
  EXPECT_NEAR(noise.rate(), 0.05, 1e-6);
}

TEST(LossNoise, IsWhatTheLeastLossyOfTheLastBinsHasLost) {
  LossNoise noise;
  for (const std::uint64_t lost : {8U, 6U, 4U, 7U}) fill_bins(noise, 1, lost);
  EXPECT_NEAR(noise.rate(), 0.04, 1e-6);
  EXPECT_FALSE(fill_bins(noise, 1, 8));
  EXPECT_FALSE(fill_bins(noise, 1, 8));
  EXPECT_NEAR(noise.rate(), 0.04, 1e-6);
  EXPECT_TRUE(fill_bins(noise, 1, 8));  // the bin with 4 % is the fifth now
  EXPECT_NEAR(noise.rate(), 0.07, 1e-6);
}

TEST(LossNoise, IsNeverMoreThanATenth) {
  LossNoise noise;
  fill_bins(noise, LossNoise::kBins, 40);
  EXPECT_EQ(noise.rate(), LossNoise::kMost);
}

// A token bucket that has just been emptied, or a burst of the radio: one round loses a lot, those beside it nothing.
TEST(LossNoise, IsNotWhatOneRoundOfThreeHasLost) {
  LossNoise noise;
  for (int i = 0; i < 40; ++i) static_cast<void>(noise.on_quiet(round_of(1000, i % 12 == 0 ? 200 : 0)));
  EXPECT_EQ(noise.rate(), 0);
}

TEST(LossNoise, TakesAsManyRoundsAsTwoHundredPacketsNeed) {
  LossNoise noise;
  for (int i = 0; i < 39; ++i) static_cast<void>(noise.on_quiet(round_of(20, 1)));
  EXPECT_EQ(noise.rate(), 0);
  static_cast<void>(noise.on_quiet(round_of(20, 1)));
  EXPECT_NEAR(noise.rate(), 0.05, 1e-6);
}

TEST(LossNoise, DoesNotRiseWhileAQueueStands) {
  LossNoise noise;
  fill_bins(noise, 10, 5, 4ms);
  EXPECT_EQ(noise.rate(), 0);
}

TEST(LossNoise, OutlastsAQueueThatGoesAndHalvesUnderOneThatStays) {
  LossNoise noise;
  fill_bins(noise, LossNoise::kBins, 6);
  fill_bins(noise, 1, 8, 20ms);
  EXPECT_NEAR(noise.rate(), 0.03, 1e-6);
  fill_bins(noise, LossNoise::kBins, 6);
  EXPECT_NEAR(noise.rate(), 0.06, 1e-6);
  fill_bins(noise, 3 * LossNoise::kBins, 8, 20ms);
  EXPECT_LT(noise.rate(), 0.001);
}

TEST(LossNoise, TakesTheDelayOfAcknowledgementsForNoQueue) {
  LossNoise noise;
  fill_bins(noise, LossNoise::kBins, 5, 3ms);
  EXPECT_NEAR(noise.rate(), 0.05, 1e-6);
}

TEST(LossNoise, IsForgottenWhenProbesHaveNoEffect) {
  LossNoise noise;
  noise.on_sample(round_of(100, 5), 20_mbps);
  fill_bins(noise, LossNoise::kBins, 5);
  for (int i = 1; i < LossNoise::kVainProbes; ++i) {
    noise.on_probe();
    noise.on_sample(round_of(100, 5), 20_mbps);
    EXPECT_NEAR(noise.rate(), 0.05, 1e-6);
  }
  noise.on_probe();
  noise.on_sample(round_of(100, 5), 20_mbps);
  EXPECT_EQ(noise.rate(), 0);
}

TEST(LossNoise, IsKeptWhileProbesLengthenTheRoundTripOrRaiseTheRate) {
  LossNoise noise;
  fill_bins(noise, LossNoise::kBins, 5);
  Bandwidth rate = 20_mbps;
  for (int i = 0; i < 20; ++i) {
    noise.on_probe();
    if (i % 2 == 0) {
      noise.on_sample(round_of(100, 5, 10ms), rate);
    } else {
      rate = rate.scaled(1.2);
      noise.on_sample(round_of(100, 5), rate);
    }
  }
  EXPECT_NEAR(noise.rate(), 0.05, 1e-6);
}

}  // namespace
}  // namespace godwit
