#include "congestion/hystart.h"

#include <gtest/gtest.h>

namespace godwit {
namespace {

// A round of `samples` events of one packet each, of which the first begins the round.
void round_of(HyStart& hystart, Duration rtt, int samples = 10, std::uint32_t packets = 1) {
  for (int i = 0; i < samples; ++i) hystart.on_round_trip(rtt, packets, i == 0);
}

TEST(HyStart, GrowsByWhatIsAcknowledgedWhileRoundTripsStaySteady) {
  HyStart hystart;
  for (int i = 0; i < 20; ++i) round_of(hystart, 50ms);
  EXPECT_EQ(hystart.phase(), HyStart::Phase::kSlowStart);
  EXPECT_EQ(hystart.growth(12'000), 12'000u);
}

TEST(HyStart, TurnsConservativeWhenARoundsMinimumRisesByAnEighth) {
  HyStart hystart;
  round_of(hystart, 80ms);
  round_of(hystart, 89ms);
  EXPECT_EQ(hystart.phase(), HyStart::Phase::kSlowStart);
  round_of(hystart, 101ms);
  EXPECT_EQ(hystart.phase(), HyStart::Phase::kConservative);
  EXPECT_EQ(hystart.growth(12'000), 3'000u);
}

TEST(HyStart, BoundsTheRiseThatCountsBetweenFourAndSixteenMilliseconds) {
  HyStart short_path;
  round_of(short_path, 2ms);
  round_of(short_path, 5900us);
  EXPECT_EQ(short_path.phase(), HyStart::Phase::kSlowStart);
  HyStart short_path_with_queue;
  round_of(short_path_with_queue, 2ms);
  round_of(short_path_with_queue, 6ms);
  EXPECT_EQ(short_path_with_queue.phase(), HyStart::Phase::kConservative);
  HyStart long_path;
  round_of(long_path, 400ms);
  round_of(long_path, 416ms);
  EXPECT_EQ(long_path.phase(), HyStart::Phase::kConservative);
}

TEST(HyStart, NeedsEightSamplesOfARound) {
  HyStart hystart;
  round_of(hystart, 50ms);
  round_of(hystart, 100ms, 7);
  EXPECT_EQ(hystart.phase(), HyStart::Phase::kSlowStart);
  hystart.on_round_trip(100ms, 1, false);
  EXPECT_EQ(hystart.phase(), HyStart::Phase::kConservative);
}

TEST(HyStart, CountsAnAckForManyPacketsAsManySamples) {
  HyStart hystart;
  round_of(hystart, 50ms, 1, 10);
  round_of(hystart, 100ms, 1, 20);
  EXPECT_EQ(hystart.phase(), HyStart::Phase::kConservative);
}

TEST(HyStart, ResumesSlowStartWhenTheRiseWasJitter) {
  HyStart hystart;
  round_of(hystart, 50ms);
  round_of(hystart, 70ms);
  ASSERT_EQ(hystart.phase(), HyStart::Phase::kConservative);
  round_of(hystart, 51ms);
  EXPECT_EQ(hystart.phase(), HyStart::Phase::kSlowStart);
}

TEST(HyStart, EndsSlowStartAfterFiveConservativeRounds) {
  HyStart hystart;
  round_of(hystart, 50ms);
  round_of(hystart, 70ms);
  for (int i = 0; i < 4; ++i) {
    round_of(hystart, 75ms);
    EXPECT_EQ(hystart.phase(), HyStart::Phase::kConservative);
  }
  round_of(hystart, 75ms);
  EXPECT_EQ(hystart.phase(), HyStart::Phase::kDone);
}

TEST(HyStart, SurvivesRoundsWithoutSamples) {
  HyStart hystart;
  round_of(hystart, 50ms);
  for (int i = 0; i < 10; ++i) hystart.on_round_trip(std::nullopt, 5, true);
  round_of(hystart, 500ms);
  EXPECT_EQ(hystart.phase(), HyStart::Phase::kSlowStart);  // nothing to compare with
}

}  // namespace
}  // namespace godwit
