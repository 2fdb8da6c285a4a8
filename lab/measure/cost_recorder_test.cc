#include "measure/cost_recorder.h"

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

TEST(CostRecorder, GivesEachSampleToTheStepThatBeganIt) {
  CostRecorder recorder(TickClock::calibrate(4ms));
  recorder.probe(CostStep::kSeal);
  spin(200'000);
  recorder.probe(CostStep::kSendCall);
  spin(50'000);
  recorder.probe(CostStep::kOther);
  const CostProfile profile = recorder.profile();
  EXPECT_EQ(profile.probes, 3U);
  EXPECT_EQ(step_of(profile, CostStep::kSeal).samples, 1U);
  EXPECT_EQ(step_of(profile, CostStep::kSendCall).samples, 1U);
  EXPECT_EQ(step_of(profile, CostStep::kOpen).samples, 0U);
  EXPECT_GE(step_of(profile, CostStep::kSeal).raw_nanoseconds, 195'000);
  EXPECT_GE(step_of(profile, CostStep::kSendCall).raw_nanoseconds, 48'000);
}

TEST(CostRecorder, ARenamedSampleCountsForItsLastName) {
  CostRecorder recorder(TickClock::calibrate(4ms));
  recorder.probe(CostStep::kIdle);
  spin(50'000);
  recorder.rename_sample(CostStep::kReceiveCall);
  recorder.probe(CostStep::kOther);
  const CostProfile profile = recorder.profile();
  EXPECT_EQ(profile.probes, 2U) << "a name is no probe";
  EXPECT_EQ(step_of(profile, CostStep::kIdle).samples, 0U);
  EXPECT_EQ(step_of(profile, CostStep::kReceiveCall).samples, 1U);
  EXPECT_GE(step_of(profile, CostStep::kReceiveCall).raw_nanoseconds, 48'000);
}

TEST(CostRecorder, SamplesTileTheTimeBetweenFirstAndLastProbe) {
  const TickClock clock = TickClock::calibrate(4ms);
  CostRecorder recorder(clock);
  const std::uint64_t begin = clock.now();
  for (int i = 0; i < 500; ++i) {
    recorder.probe(CostStep::kEncode);
    recorder.probe(CostStep::kSeal);
    spin(300);
    recorder.probe(CostStep::kBookkeeping);
  }
  recorder.probe(CostStep::kOther);
  const double elapsed = clock.nanoseconds(clock.now() - begin);
  const CostProfile profile = recorder.profile();
  double sum = 0;
  for (const StepProfile& step : profile.steps) sum += step.raw_nanoseconds;
  EXPECT_LE(sum, elapsed);
  EXPECT_EQ(std::accumulate(profile.steps.begin(), profile.steps.end(), std::uint64_t{0},
                            [](std::uint64_t samples, const StepProfile& step) { return samples + step.samples; }),
            1500U);
}

TEST(CostRecorder, TakesItsOwnCostOffAndNeverGoesBelowZero) {
  CostRecorder recorder(TickClock::calibrate(4ms));
  EXPECT_GT(recorder.probe_nanoseconds(), 0);
  for (int i = 0; i < 10'000; ++i) recorder.probe(CostStep::kRoute);
  const StepProfile route = step_of(recorder.profile(), CostStep::kRoute);
  EXPECT_GE(route.nanoseconds, 0);
  EXPECT_LT(route.nanoseconds, route.raw_nanoseconds);
  EXPECT_EQ(route.sample_nanoseconds.count(), route.samples);
}

TEST(CostRecorder, StartsAnewAfterAWarmup) {
  CostRecorder recorder(TickClock::raw("test"));
  recorder.probe(CostStep::kSeal);
  recorder.probe(CostStep::kOpen);
  recorder.reset();
  recorder.probe(CostStep::kOpen);
  recorder.probe(CostStep::kOther);
  const CostProfile profile = recorder.profile();
  EXPECT_EQ(profile.probes, 2U);
  EXPECT_EQ(step_of(profile, CostStep::kSeal).samples, 0U);
  EXPECT_EQ(step_of(profile, CostStep::kOpen).samples, 1U);
  EXPECT_EQ(profile.clock, "clock_monotonic_raw");
}

}  // namespace
}  // namespace godwit::measure
