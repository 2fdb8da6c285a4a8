#include "measure/analysis_summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace godwit::measure {
namespace {

using trace::CostStep;

Breakdown side(const std::string& name, const std::string& side_name,
               const std::vector<std::pair<CostStep, double>>& steps, std::optional<double> whole) {
  Breakdown made;
  made.name = name;
  made.side = side_name;
  made.packets = 10;
  made.payload_bytes = 10'000;  // 8000 bits per packet
  for (const auto& [step, nanoseconds] : steps) {
    made.steps.push_back({.step = step, .nanoseconds = nanoseconds});
    made.sum_nanoseconds += nanoseconds;
  }
  if (whole) made.plain_nanoseconds = Interval{.estimate = *whole, .low = *whole, .high = *whole};
  return made;
}

BenchmarkResult bench_case(const std::string& name, const std::string& breakdown, double goodput) {
  BenchmarkResult made;
  made.name = name;
  made.level = 2;
  made.unit = "bit/s";
  made.samples = {goodput};
  summarize_samples(made);
  made.metrics = {{"datagrams_per_send_call", 54}};
  made.parameters = {{"backend", "gso"}};
  if (!breakdown.empty()) made.parameters.emplace_back(kBreakdownParameter, breakdown);
  return made;
}

TEST(AnalysisSummary, TheSlowerSideSetsEveryLimit) {
  Results results;
  results.breakdowns = {
      side(kShippedScenario, "sender", {{CostStep::kSendCall, 100}, {CostStep::kSeal, 100}}, 200),
      side(kShippedScenario, "receiver", {{CostStep::kReceiveCall, 40}, {CostStep::kOpen, 120}}, 160)};
  const AnalysisSummary summary = summarize_analysis(results);
  ASSERT_TRUE(summary.shipped.has_value());
  EXPECT_EQ(summary.shipped->slower_side(), "sender");
  EXPECT_DOUBLE_EQ(summary.shipped->packets_per_second.low, 5e6);
  EXPECT_DOUBLE_EQ(summary.shipped->bits_per_second.low, 4e10);
  // Without calls the receiver, with 120 ns, is the slower one.
  EXPECT_DOUBLE_EQ(summary.shipped->bits_per_second_without_calls.low, 8000 * 1e9 / 120);
  // Without a cipher 100 and 40 ns are left, without calls 100 and 120.
  ASSERT_EQ(summary.changes.size(), 2U);
  EXPECT_EQ(summary.changes[0].what, "cipher");
  EXPECT_DOUBLE_EQ(summary.changes[0].free.low, 1.0);
  EXPECT_EQ(summary.changes[1].what, "system calls");
  EXPECT_NEAR(summary.changes[1].free.low, 200.0 / 120 - 1, 1e-12);
  EXPECT_FALSE(summary.single.has_value());
}

TEST(AnalysisSummary, WhatTheStepsMissMayBelongToAnyOfThem) {
  Results results;
  results.breakdowns = {side(kShippedScenario, "sender", {{CostStep::kSendCall, 60}, {CostStep::kSeal, 30}}, 100),
                        side(kShippedScenario, "receiver", {{CostStep::kReceiveCall, 50}, {CostStep::kOpen, 30}}, 64)};
  const ScenarioSummary summary = summarize_scenario(results, kShippedScenario);
  EXPECT_FALSE(summary.sums_up());
  const Range kernel = summary.sender->of(CostGroup::kKernel).nanoseconds;
  EXPECT_DOUBLE_EQ(kernel.low, 60);
  EXPECT_DOUBLE_EQ(kernel.high, 70);
  // A component that never occurs has no part in it.
  EXPECT_DOUBLE_EQ(summary.sender->of(CostGroup::kDigest).nanoseconds.high, 0);
  EXPECT_DOUBLE_EQ(summary.sender->total.low, 90);
  EXPECT_DOUBLE_EQ(summary.sender->total.high, 100);
  // Too much on the other side: any step may be shorter by 16 ns.
  EXPECT_DOUBLE_EQ(summary.receiver->of(CostGroup::kCipher).nanoseconds.low, 14);
  EXPECT_DOUBLE_EQ(summary.receiver->of(CostGroup::kCipher).nanoseconds.high, 30);
  EXPECT_DOUBLE_EQ(summary.packets_per_second.low, 1e7);
  EXPECT_DOUBLE_EQ(summary.packets_per_second.high, 1e9 / 90);
  // 96 of 100 is within the tolerance.
  results.breakdowns = {side(kShippedScenario, "sender", {{CostStep::kSeal, 96}}, 100)};
  EXPECT_TRUE(summarize_scenario(results, kShippedScenario).sums_up());
}

TEST(AnalysisSummary, ACostThatMayBeNothingBoundsNoRate) {
  Results results;
  // The steps are twice the whole: calls may be all of it.
  results.breakdowns = {side(kShippedScenario, "sender", {{CostStep::kSendCall, 150}, {CostStep::kSeal, 50}}, 100)};
  const ScenarioSummary summary = summarize_scenario(results, kShippedScenario);
  EXPECT_DOUBLE_EQ(summary.bits_per_second_without_calls.low, 8000 * 1e9 / 50);
  EXPECT_TRUE(std::isinf(summary.bits_per_second_without_calls.high));
  const AnalysisSummary analysis = summarize_analysis(results);
  ASSERT_FALSE(analysis.changes.empty());
  EXPECT_EQ(analysis.changes.front().what, "system calls");
  EXPECT_TRUE(std::isinf(analysis.changes.front().free.high));
  // Without a side there is no rate at all.
  EXPECT_EQ(summarize_scenario(results, "none").packets_per_second.high, 0);
}

TEST(AnalysisSummary, FindsTheRunsOfItsBreakdown) {
  Results results;
  results.breakdowns = {side(kShippedScenario, "sender", {{CostStep::kSeal, 100}}, {})};
  EXPECT_FALSE(summarize_scenario(results, kShippedScenario).delivered.has_value());
  // Older files have no name of a breakdown in their cases.
  results.benchmarks = {bench_case("level2/analyze/auto", "", 1e9)};
  EXPECT_DOUBLE_EQ(summarize_scenario(results, kShippedScenario).delivered->estimate, 1e9);
  EXPECT_FALSE(summarize_scenario(results, kSingleScenario).delivered.has_value());
  results.benchmarks = {bench_case("level2/analyze/auto", "another", 1e9),
                        bench_case("level2/analyze/x", kShippedScenario, 2e9)};
  const ScenarioSummary summary = summarize_scenario(results, kShippedScenario);
  EXPECT_DOUBLE_EQ(summary.delivered->estimate, 2e9);
  EXPECT_EQ(summary.backend, "gso");
  EXPECT_DOUBLE_EQ(summary.datagrams_per_send_call.value_or(0), 54);
}

TEST(AnalysisSummary, ShowsWhatWasMeasuredAlone) {
  Results results;
  EXPECT_FALSE(summarize_analysis(results).shipped.has_value());
  results.breakdowns = {side("stream, mmsg", "sender", {{CostStep::kSeal, 100}}, {})};
  EXPECT_EQ(summarize_analysis(results).shipped->name, "stream, mmsg");
  results.breakdowns = {side(kSingleScenario, "sender", {{CostStep::kSeal, 100}}, {})};
  const AnalysisSummary summary = summarize_analysis(results);
  EXPECT_EQ(summary.shipped->name, kSingleScenario);
  EXPECT_FALSE(summary.single.has_value());
}

}  // namespace
}  // namespace godwit::measure
