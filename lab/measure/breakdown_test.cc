#include "measure/breakdown.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/json.h"

namespace godwit::measure {
namespace {

using trace::CostStep;

// A thousand packets in batches of fifty: the cipher takes a sample once a packet, the send call once a batch.
CostProfile sender_profile() {
  CostProfile profile;
  profile.probes = 2'040;
  profile.probe_nanoseconds = 12;
  profile.clock = "tsc";
  for (std::size_t i = 0; i < trace::kCostSteps; ++i) profile.steps.push_back({.step = static_cast<CostStep>(i)});
  const auto set = [&profile](CostStep step, double nanoseconds, std::uint64_t samples) {
    StepProfile& target = profile.steps[static_cast<std::size_t>(step)];
    target.nanoseconds = nanoseconds;
    target.samples = samples;
    target.sample_nanoseconds.record(static_cast<std::uint64_t>(nanoseconds / static_cast<double>(samples)), samples);
  };
  set(CostStep::kEncode, 20'000, 1000);
  set(CostStep::kSeal, 100'000, 1000);
  set(CostStep::kSendCall, 80'000, 20);
  set(CostStep::kIdle, 500'000, 20);
  return profile;
}

Breakdown sender(std::optional<Interval> plain = std::nullopt) {
  return make_breakdown(
      sender_profile(),
      {.name = "stream", .side = "sender", .packets = 1000, .payload_bytes = 1'130'000, .plain_nanoseconds = plain});
}

const BreakdownStep& step_of(const Breakdown& breakdown, CostStep step) {
  for (const BreakdownStep& entry : breakdown.steps) {
    if (entry.step == step) return entry;
  }
  ADD_FAILURE();
  return breakdown.steps.front();
}

TEST(Breakdown, DividesBusyTimeByPacketsAndSetsIdleTimeAside) {
  const Breakdown breakdown = sender();
  EXPECT_DOUBLE_EQ(breakdown.sum_nanoseconds, 200);
  EXPECT_DOUBLE_EQ(breakdown.idle_nanoseconds, 500);
  EXPECT_EQ(breakdown.steps.size(), 3U);
  EXPECT_DOUBLE_EQ(step_of(breakdown, CostStep::kSeal).share, 0.5);
  EXPECT_DOUBLE_EQ(step_of(breakdown, CostStep::kSendCall).samples, 0.02);
  EXPECT_NEAR(step_of(breakdown, CostStep::kSendCall).sample_p50, 4000, 4000 * 0.02);
  EXPECT_DOUBLE_EQ(breakdown.own_nanoseconds(), 20);
}

TEST(Breakdown, SaysWhatTheLimitWouldBeIfAStepWereFree) {
  const Breakdown breakdown = sender();
  EXPECT_DOUBLE_EQ(breakdown.packets_per_second(), 5e6);
  EXPECT_DOUBLE_EQ(breakdown.bits_per_second(), 5e6 * 1130 * 8);
  EXPECT_DOUBLE_EQ(step_of(breakdown, CostStep::kSeal).free_packets_per_second, 1e7);
}

TEST(Breakdown, ComparesItsSumWithTheWholeWithoutProbes) {
  EXPECT_EQ(sender().sums_up(), std::nullopt);
  const Breakdown close = sender(Interval{.estimate = 206, .low = 200, .high = 210});
  EXPECT_EQ(close.sums_up(), true);
  EXPECT_DOUBLE_EQ(*close.remainder_nanoseconds(), 6);
  EXPECT_EQ(close.verdict(), "The parts sum to 2.9 % less than the whole without probes.");
  const Breakdown far = sender(Interval{.estimate = 160, .low = 150, .high = 170});
  EXPECT_EQ(far.sums_up(), false);
  EXPECT_THAT(far.verdict(), ::testing::StartsWith("The parts do NOT sum up: they are 25.0 % more"));
}

TEST(Breakdown, TheSlowerSideSetsThePaceOfThePipeline) {
  CostProfile profile = sender_profile();
  profile.steps[static_cast<std::size_t>(CostStep::kSeal)].nanoseconds = 30'000;
  const Breakdown receiver = make_breakdown(profile, {.name = "stream", .side = "receiver", .packets = 1000});
  EXPECT_DOUBLE_EQ(receiver.sum_nanoseconds, 130);
  const std::vector<PipelineLimit> limits = pipeline_limits(sender(), receiver);
  ASSERT_EQ(limits.size(), 7U);
  EXPECT_EQ(limits[0].side, "");
  EXPECT_DOUBLE_EQ(limits[0].packets_per_second, 5e6);
  // Free sealing would help only until the receiver is the bottleneck.
  EXPECT_EQ(limits[1].step, CostStep::kSeal);
  EXPECT_EQ(limits[1].side, "sender");
  EXPECT_DOUBLE_EQ(limits[1].packets_per_second, 1e9 / 130);
  EXPECT_DOUBLE_EQ(limits.back().gain, 0);
}

TEST(Breakdown, KnowsEveryStepByNameAndGroup) {
  for (std::size_t i = 0; i < trace::kCostSteps; ++i) {
    const auto step = static_cast<CostStep>(i);
    EXPECT_EQ(parse_cost_step(trace::cost_step_name(step)), step);
  }
  EXPECT_EQ(parse_cost_step("teleport"), std::nullopt);
  EXPECT_EQ(group_of(CostStep::kOpen), CostGroup::kCipher);
  EXPECT_EQ(group_of(CostStep::kReceiveCall), CostGroup::kKernel);
  EXPECT_EQ(group_of(CostStep::kOther), CostGroup::kOwn);
}

TEST(Breakdown, SurvivesJson) {
  const Breakdown breakdown = sender(Interval{.estimate = 206, .low = 200, .high = 210});
  const Json json = to_json(breakdown);
  std::vector<std::string> problems;
  const Breakdown again = breakdown_from_json(JsonReader(json, "b", problems));
  EXPECT_THAT(problems, ::testing::IsEmpty());
  EXPECT_EQ(to_json(again), json);
}

TEST(Breakdown, RefusesStepsThatDoNotSumUp) {
  Json json = to_json(sender());
  json["sum_nanoseconds"] = 999;
  json["steps"][0]["step"] = "teleport";
  std::vector<std::string> problems;
  static_cast<void>(breakdown_from_json(JsonReader(json, "b", problems)));
  EXPECT_THAT(problems, ::testing::ElementsAre("b.steps[0].step: no such step",
                                               "b.sum_nanoseconds: is not the sum of the steps"));
}

}  // namespace
}  // namespace godwit::measure
