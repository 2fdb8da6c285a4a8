#include "measure/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numbers>

#include "base/random.h"
#include "support/json.h"

namespace godwit::measure {
namespace {

double normal(RandomSource& random) {
  const double radius = std::sqrt(-2 * std::log(1 - random.unit()));
  return radius * std::cos(2 * std::numbers::pi * random.unit());
}

// A machine's noise: what it multiplies one measurement with. Kinds that benchmarks really meet.
using Noise = std::function<double(RandomSource&)>;
Noise normal_noise(double deviation) {
  return [deviation](RandomSource& random) { return std::max(0.1, 1 + deviation * normal(random)); };
}
// Mostly quiet, sometimes interrupted.
Noise spiky_noise(double deviation) {
  return [deviation](RandomSource& random) {
    const double base = std::max(0.1, 1 + deviation * normal(random));
    return random.unit() < 0.1 ? base * (1 + random.unit()) : base;
  };
}

ComparedCase make_case(RandomSource& random, const Noise& noise, std::size_t pairs, double effect, std::size_t number) {
  ComparedCase bench_case;
  bench_case.name = "level0/case" + std::to_string(number);
  bench_case.unit = "ns";
  double host = 1;
  for (std::size_t i = 0; i < pairs; ++i) {
    host = 0.9 * host + 0.1 * (0.85 + 0.3 * random.unit());  // a shared host that drifts between pairs
    bench_case.baseline.push_back(1000 * host * noise(random));
    bench_case.candidate.push_back(1000 * effect * host * noise(random));
  }
  // The threshold comes from an A/A run with the same noise.
  std::vector<double> first;
  std::vector<double> second;
  for (std::size_t i = 0; i < pairs; ++i) {
    first.push_back(1000 * noise(random));
    second.push_back(1000 * noise(random));
  }
  bench_case.noise_threshold = noise_threshold(first, second);
  return bench_case;
}

constexpr std::size_t kCases = 60;
constexpr std::size_t kPairs = 21;
constexpr ComparisonOptions kFew{.resamples = 400};

std::size_t alarms_of_twenty_runs(const Noise& noise, std::uint64_t seed, bool with_threshold) {
  DeterministicRandom random(seed);
  std::size_t alarms = 0;
  for (int run = 0; run < 20; ++run) {
    std::vector<ComparedCase> cases;
    for (std::size_t i = 0; i < kCases; ++i) {
      cases.push_back(make_case(random, noise, kPairs, 1.0, i));
      if (!with_threshold) cases.back().noise_threshold = NoiseThreshold{};
    }
    alarms += compare(cases, kFew).alarms();
  }
  return alarms;
}

TEST(Compare, TwentyRunsAgainstItselfRaiseAtMostOneAlarm) {
  EXPECT_LE(alarms_of_twenty_runs(normal_noise(0.02), 21, true), 1U);
  EXPECT_LE(alarms_of_twenty_runs(spiky_noise(0.02), 22, true), 1U);
  EXPECT_LE(alarms_of_twenty_runs(normal_noise(0.15), 23, true), 1U);
}

TEST(Compare, TheCorrectionAloneNearlySufficesWithoutAnyThreshold) {
  EXPECT_LE(alarms_of_twenty_runs(normal_noise(0.02), 24, false), 1U);
}

TEST(Compare, FindsASlowdownOfFivePercentUnderTwoPercentOfNoise) {
  DeterministicRandom random(25);
  std::size_t found = 0;
  constexpr std::size_t kRuns = 20;
  for (std::size_t run = 0; run < kRuns; ++run) {
    std::vector<ComparedCase> cases;
    for (std::size_t i = 0; i < kCases; ++i)
      cases.push_back(make_case(random, normal_noise(0.02), kPairs, i == 7 ? 1.05 : 1.0, i));
    const Comparison comparison = compare(cases, kFew);
    found += comparison.cases[7].verdict == Verdict::kSlower ? 1U : 0U;
    EXPECT_EQ(comparison.count(Verdict::kFaster), 0U);
  }
  EXPECT_GE(found, kRuns * 9 / 10);
}

TEST(Compare, FindsASlowdownOfFivePercentInASingleCaseOfFewPairs) {
  DeterministicRandom random(26);
  std::size_t found = 0;
  for (int run = 0; run < 20; ++run) {
    const std::vector<ComparedCase> cases = {make_case(random, normal_noise(0.01), 12, 1.05, 0)};
    found += compare(cases, kFew).cases[0].verdict == Verdict::kSlower ? 1U : 0U;
  }
  EXPECT_GE(found, 18U);
}

TEST(Compare, KnowsThatMoreThroughputIsFaster) {
  DeterministicRandom random(27);
  ComparedCase bench_case = make_case(random, normal_noise(0.005), 20, 1.10, 0);
  bench_case.noise_threshold = assumed_threshold(0);
  EXPECT_EQ(compare(std::vector{bench_case}).cases[0].verdict, Verdict::kSlower);
  bench_case.better = Better::kHigher;
  EXPECT_EQ(compare(std::vector{bench_case}).cases[0].verdict, Verdict::kFaster);
}

TEST(Compare, SaysNoChangeOnlyWhenTheIntervalIsInsideTheThreshold) {
  DeterministicRandom random(28);
  ComparedCase quiet = make_case(random, normal_noise(0.005), 20, 1.0, 0);
  quiet.noise_threshold = assumed_threshold(0);
  ComparedCase noisy = make_case(random, normal_noise(0.2), 20, 1.0, 1);
  noisy.noise_threshold = assumed_threshold(0);
  const Comparison comparison = compare(std::vector{quiet, noisy});
  EXPECT_EQ(comparison.cases[0].verdict, Verdict::kNoChange);
  EXPECT_EQ(comparison.cases[1].verdict, Verdict::kCannotTell);
  EXPECT_EQ(comparison.exit_code(), 0);
}

TEST(Compare, AnEffectBelowTheAbsoluteThresholdIsNoClaim) {
  ComparedCase bench_case;
  bench_case.name = "tiny";
  bench_case.unit = "ns";
  for (int i = 0; i < 20; ++i) {
    bench_case.baseline.push_back(2.0 + 0.001 * i);
    bench_case.candidate.push_back(2.2 + 0.001 * i);
  }
  bench_case.noise_threshold = {.relative = 0.02, .absolute = 1.0, .pairs = 20};
  const Comparison comparison = compare(std::vector{bench_case});
  EXPECT_EQ(comparison.cases[0].verdict, Verdict::kCannotTell);
  EXPECT_EQ(comparison.cases[0].reason, "0.2 ns are within the threshold of 1");
}

TEST(Compare, SaysWhenThePairsAreTooFewForTheCases) {
  DeterministicRandom random(29);
  std::vector<ComparedCase> cases;
  for (std::size_t i = 0; i < kCases; ++i) cases.push_back(make_case(random, normal_noise(0.001), 8, 1.5, i));
  const Comparison comparison = compare(cases, kFew);
  EXPECT_EQ(comparison.alarms(), 0U);
  EXPECT_EQ(comparison.cases[0].reason, "8 pairs are too few for 60 cases: at least 14");
  EXPECT_EQ(comparison.exit_code(), 2);
}

TEST(Compare, AsksMoreOfAStoredBaselineThanOfPairs) {
  DeterministicRandom random(30);
  ComparedCase bench_case = make_case(random, normal_noise(0.002), 30, 1.03, 0);
  bench_case.noise_threshold = assumed_threshold(0);
  EXPECT_EQ(compare(std::vector{bench_case}).cases[0].verdict, Verdict::kSlower);
  bench_case.paired = false;
  const CaseVerdict unpaired = compare(std::vector{bench_case}).cases[0];
  EXPECT_NE(unpaired.verdict, Verdict::kSlower);
  EXPECT_DOUBLE_EQ(unpaired.noise_threshold.relative, 0.04);
}

TEST(Compare, DecidesNothingFromBrokenSamples) {
  ComparedCase none{.name = "none", .unit = "ns"};
  ComparedCase zero{.name = "zero", .unit = "ns", .baseline = {0}, .candidate = {1}};
  const Comparison comparison = compare(std::vector{none, zero});
  EXPECT_EQ(comparison.cases[0].reason, "no samples");
  EXPECT_EQ(comparison.cases[1].reason, "a sample is not positive");
  EXPECT_EQ(comparison.exit_code(), 2);
}

// Time that tells nothing: half of the pairs point each way.
ComparedCase undecided_case(double middle = 1.0) {
  ComparedCase bench_case{.name = "level0/case", .unit = "ns"};
  for (int i = 0; i < 20; ++i) {
    bench_case.baseline.push_back(1000);
    bench_case.candidate.push_back(1000 * middle * (i % 2 == 0 ? 0.9 : 1.12));
  }
  bench_case.noise_threshold = paired_threshold(0);
  return bench_case;
}

TEST(Instructions, DecideWhereTimeCannotTell) {
  ComparedCase bench_case = undecided_case();
  EXPECT_EQ(compare(std::vector{bench_case}).cases[0].verdict, Verdict::kCannotTell);
  bench_case.instruction_ratio = 1.047;
  const CaseVerdict slower = compare(std::vector{bench_case}).cases[0];
  EXPECT_EQ(slower.verdict, Verdict::kSlower);
  EXPECT_THAT(slower.reason, ::testing::StartsWith("+4.7 % instructions; by time alone "));
  bench_case.instruction_ratio = 0.95;
  EXPECT_EQ(compare(std::vector{bench_case}).cases[0].verdict, Verdict::kFaster);
  // As many instructions are no proof that nothing has changed: memory may be slower.
  bench_case.instruction_ratio = 1.004;
  const CaseVerdict same = compare(std::vector{bench_case}).cases[0];
  EXPECT_EQ(same.verdict, Verdict::kCannotTell);
  EXPECT_THAT(same.reason, ::testing::EndsWith("as many instructions"));
}

TEST(Instructions, DoNotDecideAgainstTheMeasuredTime) {
  // Time points down by 5 %, beyond the threshold but not beyond chance; more instructions may well be faster ones.
  ComparedCase bench_case = undecided_case(0.95);
  bench_case.instruction_ratio = 1.05;
  const CaseVerdict verdict = compare(std::vector{bench_case}).cases[0];
  EXPECT_EQ(verdict.verdict, Verdict::kCannotTell);
  EXPECT_THAT(verdict.reason, ::testing::EndsWith("+5.0 % instructions"));
  // What time has told stays told.
  DeterministicRandom random(5);
  bench_case = make_case(random, normal_noise(0.002), kPairs, 0.9, 0);
  bench_case.instruction_ratio = 1.3;
  EXPECT_EQ(compare(std::vector{bench_case}).cases[0].verdict, Verdict::kFaster);
}

TEST(Looks, ShareTheChanceOfAFalseAlarm) {
  DeterministicRandom random(11);
  ComparedCase bench_case = make_case(random, normal_noise(0.002), 8, 0.9, 0);
  // The least p of eight pairs is 2/256: enough for one look, not for a quarter of its chance.
  EXPECT_EQ(compare(std::vector{bench_case}, {.looks = 1}).cases[0].verdict, Verdict::kFaster);
  EXPECT_EQ(compare(std::vector{bench_case}, {.looks = 4}).cases[0].verdict, Verdict::kCannotTell);
}

TEST(Looks, SettleOnlyWhatWasUndecided) {
  Comparison earlier;
  Comparison later;
  for (const auto& [before, after] :
       {std::pair{Verdict::kSlower, Verdict::kNoChange}, std::pair{Verdict::kCannotTell, Verdict::kFaster},
        std::pair{Verdict::kNoChange, Verdict::kSlower}}) {
    const std::string name = "case" + std::to_string(earlier.cases.size());
    earlier.cases.push_back(
        {.name = name, .unit = "ns", .ratio = {}, .noise_threshold = {}, .verdict = before, .reason = {}});
    later.cases.push_back(
        {.name = name, .unit = "ns", .ratio = {}, .noise_threshold = {}, .verdict = after, .reason = {}});
  }
  const Comparison settled = settle(earlier, later);
  EXPECT_EQ(settled.cases[0].verdict, Verdict::kSlower);
  EXPECT_EQ(settled.cases[1].verdict, Verdict::kFaster);
  EXPECT_EQ(settled.cases[2].verdict, Verdict::kNoChange);
}

TEST(Holm, AdjustsStepByStepAndKeepsTheOrder) {
  const std::vector<double> adjusted = holm_adjust(std::vector<double>{0.04, 0.01, 0.03, 0.5});
  EXPECT_THAT(adjusted, ::testing::ElementsAre(::testing::DoubleEq(0.09), ::testing::DoubleEq(0.04),
                                               ::testing::DoubleEq(0.09), ::testing::DoubleEq(0.5)));
}

TEST(PairsNeeded, GrowsWithTheRowsLookedAt) {
  EXPECT_EQ(pairs_needed(1), 8U);
  EXPECT_EQ(pairs_needed(60), 14U);
  EXPECT_EQ(pairs_needed(500), 17U);
}

TEST(NoiseThreshold, IsWhatTheSameProgramShowsAgainstItself) {
  DeterministicRandom random(31);
  std::vector<double> first;
  std::vector<double> second;
  for (int i = 0; i < 40; ++i) {
    first.push_back(1000 * (1 + 0.02 * normal(random)));
    second.push_back(1000 * (1 + 0.02 * normal(random)));
  }
  const NoiseThreshold threshold = noise_threshold(first, second);
  EXPECT_GT(threshold.relative, 0.005);
  EXPECT_LT(threshold.relative, 0.035);
  EXPECT_NEAR(threshold.absolute, threshold.relative * 1000, 6);
  EXPECT_TRUE(threshold.measured());
  EXPECT_FALSE(assumed_threshold(2).measured());
  EXPECT_EQ(worst_of(threshold, assumed_threshold(3)).relative, 0.15);
}

TEST(Comparison, SurvivesJson) {
  DeterministicRandom random(32);
  std::vector<ComparedCase> cases = {make_case(random, normal_noise(0.01), 20, 1.2, 0), undecided_case()};
  cases[1].instruction_ratio = 1.25;
  const Comparison comparison = compare(cases, kFew);
  const Json json = to_json(comparison);
  std::vector<std::string> problems;
  const Comparison again = comparison_from_json(JsonReader(json, "c", problems));
  EXPECT_THAT(problems, ::testing::IsEmpty());
  ASSERT_EQ(again.cases.size(), 2U);
  EXPECT_FALSE(again.cases[0].instruction_ratio.has_value());
  EXPECT_EQ(again.cases[1].instruction_ratio, 1.25);
  EXPECT_EQ(again.cases[0].verdict, comparison.cases[0].verdict);
  EXPECT_EQ(again.cases[0].reason, comparison.cases[0].reason);
  EXPECT_EQ(again.cases[0].ratio.low, comparison.cases[0].ratio.low);
  EXPECT_EQ(json["slower"], 2);
}

}  // namespace
}  // namespace godwit::measure
