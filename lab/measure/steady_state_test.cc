#include "measure/steady_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace godwit::measure {
namespace {

// Levels one after another, with noise of ±1 %.
std::vector<double> series(std::initializer_list<std::pair<double, int>> levels, std::uint64_t seed) {
  DeterministicRandom random(seed);
  std::vector<double> samples;
  for (const auto& [level, count] : levels) {
    for (int i = 0; i < count; ++i) samples.push_back(level * (1 + 0.02 * (random.unit() - 0.5)));
  }
  return samples;
}

TEST(SteadyState, AFlatSeriesIsSteadyFromItsFirstSample) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const SteadyState state = detect_steady_state(series({{100, 40}}, seed));
    EXPECT_EQ(state.kind, SteadyClass::kFlat) << seed;
    EXPECT_EQ(state.steady_from, 0U);
  }
}

TEST(SteadyState, FindsTheEndOfAWarmup) {
  const SteadyState state = detect_steady_state(series({{160, 6}, {120, 6}, {100, 40}}, 2));
  EXPECT_EQ(state.kind, SteadyClass::kWarmup);
  EXPECT_EQ(state.steady_from, 12U);
  EXPECT_THAT(state.change_points, ::testing::ElementsAre(6U, 12U));
}

TEST(SteadyState, SeesThatAMachineSlowsDown) {
  const SteadyState state = detect_steady_state(series({{100, 10}, {115, 30}}, 3));
  EXPECT_EQ(state.kind, SteadyClass::kSlowdown);
  EXPECT_EQ(state.steady_from, 10U);
}

TEST(SteadyState, DoesNotCallALateChangeSteady) {
  EXPECT_EQ(detect_steady_state(series({{100, 30}, {130, 8}}, 4)).kind, SteadyClass::kNone);
}

TEST(SteadyState, IgnoresSinglePeaks) {
  std::vector<double> samples = series({{100, 40}}, 5);
  samples[3] = 900;
  samples[20] = 400;
  samples[39] = 700;
  EXPECT_EQ(detect_steady_state(samples).kind, SteadyClass::kFlat);
}

TEST(SteadyState, IgnoresStepsBelowTheTolerance) {
  EXPECT_EQ(detect_steady_state(series({{100, 20}, {101.5, 20}}, 6)).kind, SteadyClass::kFlat);
}

TEST(SteadyState, SaysWhenASeriesIsTooShort) {
  EXPECT_EQ(detect_steady_state(series({{100, 5}}, 7)).kind, SteadyClass::kTooShort);
}

TEST(SteadyState, HandlesASeriesWithoutAnyNoise) {
  EXPECT_EQ(detect_steady_state(std::vector<double>(20, 5.0)).kind, SteadyClass::kFlat);
}

TEST(WarmupDetector, WaitsUntilTheLevelHolds) {
  WarmupDetector detector;
  bool early = false;
  for (int i = 0; i < 15; ++i) early = detector.add(200 - 8 * i) || early;
  EXPECT_FALSE(early);
  for (int i = 0; i < 12; ++i) detector.add(80 + (i % 2));
  EXPECT_TRUE(detector.steady());
  EXPECT_EQ(detector.samples(), 27U);
}

TEST(WarmupDetector, NeverCallsANoisyCaseSteady) {
  WarmupDetector detector(10, 0.05);
  DeterministicRandom random(8);
  bool steady = false;
  for (int i = 0; i < 200; ++i) steady = detector.add(100 + 100 * random.unit()) || steady;
  EXPECT_FALSE(steady);
}

}  // namespace
}  // namespace godwit::measure
