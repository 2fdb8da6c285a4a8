#include "measure/cost_probe.h"

#include <gtest/gtest.h>

#include <numeric>

namespace godwit::measure {
namespace {

using trace::CostStep;

const StepProfile& step_of(const CostProfile& profile, CostStep step) {
  return profile.steps[static_cast<std::size_t>(step)];
}

void spin(std::uint64_t nanoseconds) {
  const std::uint64_t end = raw_nanoseconds() + nanoseconds;
  while (raw_nanoseconds() < end) {
  }
}

TEST(CostProbe, GivesEachLapToTheStepThatBeganIt) {
  CostProbe probe(TickClock::calibrate(4ms));
  probe.mark(CostStep::kSeal);
  spin(200'000);
  probe.mark(CostStep::kSendCall);
  spin(50'000);
  probe.mark(CostStep::kOther);
  const CostProfile profile = probe.profile();
  EXPECT_EQ(profile.marks, 3U);
  EXPECT_EQ(step_of(profile, CostStep::kSeal).laps, 1U);
  EXPECT_EQ(step_of(profile, CostStep::kSendCall).laps, 1U);
  EXPECT_EQ(step_of(profile, CostStep::kOpen).laps, 0U);
  EXPECT_GE(step_of(profile, CostStep::kSeal).raw_nanoseconds, 195'000);
  EXPECT_GE(step_of(profile, CostStep::kSendCall).raw_nanoseconds, 48'000);
}

TEST(CostProbe, ARenamedLapCountsForItsLastName) {
  CostProbe probe(TickClock::calibrate(4ms));
  probe.mark(CostStep::kIdle);
  spin(50'000);
  probe.rename_lap(CostStep::kReceiveCall);
  probe.mark(CostStep::kOther);
  const CostProfile profile = probe.profile();
  EXPECT_EQ(profile.marks, 2U) << "a name is no mark";
  EXPECT_EQ(step_of(profile, CostStep::kIdle).laps, 0U);
  EXPECT_EQ(step_of(profile, CostStep::kReceiveCall).laps, 1U);
  EXPECT_GE(step_of(profile, CostStep::kReceiveCall).raw_nanoseconds, 48'000);
}

TEST(CostProbe, LapsTileTheTimeBetweenFirstAndLastMark) {
  const TickClock clock = TickClock::calibrate(4ms);
  CostProbe probe(clock);
  const std::uint64_t begin = clock.now();
  for (int i = 0; i < 500; ++i) {
    probe.mark(CostStep::kEncode);
    probe.mark(CostStep::kSeal);
    spin(300);
    probe.mark(CostStep::kBookkeeping);
  }
  probe.mark(CostStep::kOther);
  const double elapsed = clock.nanoseconds(clock.now() - begin);
  const CostProfile profile = probe.profile();
  double sum = 0;
  for (const StepProfile& step : profile.steps) sum += step.raw_nanoseconds;
  EXPECT_LE(sum, elapsed);
  EXPECT_EQ(std::accumulate(profile.steps.begin(), profile.steps.end(), std::uint64_t{0},
                            [](std::uint64_t laps, const StepProfile& step) { return laps + step.laps; }),
            1500U);
}

TEST(CostProbe, TakesItsOwnCostOffAndNeverGoesBelowZero) {
  CostProbe probe(TickClock::calibrate(4ms));
  EXPECT_GT(probe.mark_nanoseconds(), 0);
  for (int i = 0; i < 10'000; ++i) probe.mark(CostStep::kRoute);
  const StepProfile route = step_of(probe.profile(), CostStep::kRoute);
  EXPECT_GE(route.nanoseconds, 0);
  EXPECT_LT(route.nanoseconds, route.raw_nanoseconds);
  EXPECT_EQ(route.lap_nanoseconds.count(), route.laps);
}

TEST(CostProbe, StartsAnewAfterAWarmup) {
  CostProbe probe(TickClock::raw("test"));
  probe.mark(CostStep::kSeal);
  probe.mark(CostStep::kOpen);
  probe.reset();
  probe.mark(CostStep::kOpen);
  probe.mark(CostStep::kOther);
  const CostProfile profile = probe.profile();
  EXPECT_EQ(profile.marks, 2U);
  EXPECT_EQ(step_of(profile, CostStep::kSeal).laps, 0U);
  EXPECT_EQ(step_of(profile, CostStep::kOpen).laps, 1U);
  EXPECT_EQ(profile.clock, "clock_monotonic_raw");
}

}  // namespace
}  // namespace godwit::measure
