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

ComparisonRow make_row(RandomSource& random, const Noise& noise, std::size_t pairs, double effect, std::size_t number) {
  ComparisonRow row;
  row.name = "level0/row" + std::to_string(number);
  row.unit = "ns";
  double host = 1;
  for (std::size_t i = 0; i < pairs; ++i) {
    host = 0.9 * host + 0.1 * (0.85 + 0.3 * random.unit());  // a shared host that drifts between pairs
    row.baseline.push_back(1000 * host * noise(random));
    row.candidate.push_back(1000 * effect * host * noise(random));
  }
  // The floor comes from an A/A run with the same noise.
  std::vector<double> first;
  std::vector<double> second;
  for (std::size_t i = 0; i < pairs; ++i) {
    first.push_back(1000 * noise(random));
    second.push_back(1000 * noise(random));
  }
  row.floor = noise_floor(first, second);
  return row;
}

constexpr std::size_t kRows = 60;
constexpr std::size_t kPairs = 21;
constexpr ComparisonOptions kFew{.resamples = 400};

std::size_t alarms_of_twenty_runs(const Noise& noise, std::uint64_t seed, bool with_floor) {
  DeterministicRandom random(seed);
  std::size_t alarms = 0;
  for (int run = 0; run < 20; ++run) {
    std::vector<ComparisonRow> rows;
    for (std::size_t i = 0; i < kRows; ++i) {
      rows.push_back(make_row(random, noise, kPairs, 1.0, i));
      if (!with_floor) rows.back().floor = NoiseFloor{};
    }
    alarms += compare(rows, kFew).alarms();
  }
  return alarms;
}

TEST(Compare, TwentyRunsAgainstItselfRaiseAtMostOneAlarm) {
  EXPECT_LE(alarms_of_twenty_runs(normal_noise(0.02), 21, true), 1U);
  EXPECT_LE(alarms_of_twenty_runs(spiky_noise(0.02), 22, true), 1U);
  EXPECT_LE(alarms_of_twenty_runs(normal_noise(0.15), 23, true), 1U);
}

TEST(Compare, TheCorrectionAloneNearlySufficesWithoutAnyFloor) {
  EXPECT_LE(alarms_of_twenty_runs(normal_noise(0.02), 24, false), 1U);
}

TEST(Compare, FindsASlowdownOfFivePercentUnderTwoPercentOfNoise) {
  DeterministicRandom random(25);
  std::size_t found = 0;
  constexpr std::size_t kRuns = 20;
  for (std::size_t run = 0; run < kRuns; ++run) {
    std::vector<ComparisonRow> rows;
    for (std::size_t i = 0; i < kRows; ++i)
      rows.push_back(make_row(random, normal_noise(0.02), kPairs, i == 7 ? 1.05 : 1.0, i));
    const Comparison comparison = compare(rows, kFew);
    found += comparison.rows[7].verdict == Verdict::kSlower ? 1U : 0U;
    EXPECT_EQ(comparison.count(Verdict::kFaster), 0U);
  }
  EXPECT_GE(found, kRuns * 9 / 10);
}

TEST(Compare, FindsASlowdownOfFivePercentInASingleRowOfFewPairs) {
  DeterministicRandom random(26);
  std::size_t found = 0;
  for (int run = 0; run < 20; ++run) {
    const std::vector<ComparisonRow> rows = {make_row(random, normal_noise(0.01), 12, 1.05, 0)};
    found += compare(rows, kFew).rows[0].verdict == Verdict::kSlower ? 1U : 0U;
  }
  EXPECT_GE(found, 18U);
}

TEST(Compare, KnowsThatMoreThroughputIsFaster) {
  DeterministicRandom random(27);
  ComparisonRow row = make_row(random, normal_noise(0.005), 20, 1.10, 0);
  row.floor = assumed_floor(0);
  EXPECT_EQ(compare(std::vector{row}).rows[0].verdict, Verdict::kSlower);
  row.better = Better::kHigher;
  EXPECT_EQ(compare(std::vector{row}).rows[0].verdict, Verdict::kFaster);
}

TEST(Compare, SaysNoChangeOnlyWhenTheIntervalIsInsideTheFloor) {
  DeterministicRandom random(28);
  ComparisonRow quiet = make_row(random, normal_noise(0.005), 20, 1.0, 0);
  quiet.floor = assumed_floor(0);
  ComparisonRow noisy = make_row(random, normal_noise(0.2), 20, 1.0, 1);
  noisy.floor = assumed_floor(0);
  const Comparison comparison = compare(std::vector{quiet, noisy});
  EXPECT_EQ(comparison.rows[0].verdict, Verdict::kNoChange);
  EXPECT_EQ(comparison.rows[1].verdict, Verdict::kCannotTell);
  EXPECT_EQ(comparison.exit_code(), 0);
}

TEST(Compare, AnEffectBelowTheAbsoluteFloorIsNoClaim) {
  ComparisonRow row;
  row.name = "tiny";
  row.unit = "ns";
  for (int i = 0; i < 20; ++i) {
    row.baseline.push_back(2.0 + 0.001 * i);
    row.candidate.push_back(2.2 + 0.001 * i);
  }
  row.floor = {.relative = 0.02, .absolute = 1.0, .pairs = 20};
  const Comparison comparison = compare(std::vector{row});
  EXPECT_EQ(comparison.rows[0].verdict, Verdict::kCannotTell);
  EXPECT_EQ(comparison.rows[0].reason, "0.2 ns are within the floor of 1");
}

TEST(Compare, SaysWhenThePairsAreTooFewForTheRows) {
  DeterministicRandom random(29);
  std::vector<ComparisonRow> rows;
  for (std::size_t i = 0; i < kRows; ++i) rows.push_back(make_row(random, normal_noise(0.001), 8, 1.5, i));
  const Comparison comparison = compare(rows, kFew);
  EXPECT_EQ(comparison.alarms(), 0U);
  EXPECT_EQ(comparison.rows[0].reason, "8 pairs are too few for 60 rows: at least 14");
  EXPECT_EQ(comparison.exit_code(), 2);
}

TEST(Compare, AsksMoreOfAStoredBaselineThanOfPairs) {
  DeterministicRandom random(30);
  ComparisonRow row = make_row(random, normal_noise(0.002), 30, 1.03, 0);
  row.floor = assumed_floor(0);
  EXPECT_EQ(compare(std::vector{row}).rows[0].verdict, Verdict::kSlower);
  row.paired = false;
  const RowVerdict unpaired = compare(std::vector{row}).rows[0];
  EXPECT_NE(unpaired.verdict, Verdict::kSlower);
  EXPECT_DOUBLE_EQ(unpaired.floor.relative, 0.04);
}

TEST(Compare, JudgesNothingFromBrokenSamples) {
  ComparisonRow none{.name = "none", .unit = "ns"};
  ComparisonRow zero{.name = "zero", .unit = "ns", .baseline = {0}, .candidate = {1}};
  const Comparison comparison = compare(std::vector{none, zero});
  EXPECT_EQ(comparison.rows[0].reason, "no samples");
  EXPECT_EQ(comparison.rows[1].reason, "a sample is not positive");
  EXPECT_EQ(comparison.exit_code(), 2);
}

// Time that tells nothing: half of the pairs point each way.
ComparisonRow undecided_row(double middle = 1.0) {
  ComparisonRow row{.name = "level0/row", .unit = "ns"};
  for (int i = 0; i < 20; ++i) {
    row.baseline.push_back(1000);
    row.candidate.push_back(1000 * middle * (i % 2 == 0 ? 0.9 : 1.12));
  }
  row.floor = paired_floor(0);
  return row;
}

TEST(Instructions, DecideWhereTimeCannotTell) {
  ComparisonRow row = undecided_row();
  EXPECT_EQ(compare(std::vector{row}).rows[0].verdict, Verdict::kCannotTell);
  row.instruction_ratio = 1.047;
  const RowVerdict slower = compare(std::vector{row}).rows[0];
  EXPECT_EQ(slower.verdict, Verdict::kSlower);
  EXPECT_THAT(slower.reason, ::testing::StartsWith("+4.7 % instructions; by time alone "));
  row.instruction_ratio = 0.95;
  EXPECT_EQ(compare(std::vector{row}).rows[0].verdict, Verdict::kFaster);
  // As many instructions are no proof that nothing has changed: memory may be slower.
  row.instruction_ratio = 1.004;
  const RowVerdict same = compare(std::vector{row}).rows[0];
  EXPECT_EQ(same.verdict, Verdict::kCannotTell);
  EXPECT_THAT(same.reason, ::testing::EndsWith("as many instructions"));
}

TEST(Instructions, DoNotDecideAgainstTheMeasuredTime) {
  // Time points down by 5 %, beyond the floor but not beyond chance; more instructions may well be faster ones.
  ComparisonRow row = undecided_row(0.95);
  row.instruction_ratio = 1.05;
  const RowVerdict verdict = compare(std::vector{row}).rows[0];
  EXPECT_EQ(verdict.verdict, Verdict::kCannotTell);
  EXPECT_THAT(verdict.reason, ::testing::EndsWith("+5.0 % instructions"));
  // What time has told stays told.
  DeterministicRandom random(5);
  row = make_row(random, normal_noise(0.002), kPairs, 0.9, 0);
  row.instruction_ratio = 1.3;
  EXPECT_EQ(compare(std::vector{row}).rows[0].verdict, Verdict::kFaster);
}

TEST(Looks, ShareTheChanceOfAFalseAlarm) {
  DeterministicRandom random(11);
  ComparisonRow row = make_row(random, normal_noise(0.002), 8, 0.9, 0);
  // The least p of eight pairs is 2/256: enough for one look, not for a quarter of its chance.
  EXPECT_EQ(compare(std::vector{row}, {.looks = 1}).rows[0].verdict, Verdict::kFaster);
  EXPECT_EQ(compare(std::vector{row}, {.looks = 4}).rows[0].verdict, Verdict::kCannotTell);
}

TEST(Looks, SettleOnlyWhatWasUndecided) {
  Comparison earlier;
  Comparison later;
  for (const auto& [before, after] :
       {std::pair{Verdict::kSlower, Verdict::kNoChange}, std::pair{Verdict::kCannotTell, Verdict::kFaster},
        std::pair{Verdict::kNoChange, Verdict::kSlower}}) {
    const std::string name = "row" + std::to_string(earlier.rows.size());
    earlier.rows.push_back({.name = name, .unit = "ns", .ratio = {}, .floor = {}, .verdict = before, .reason = {}});
    later.rows.push_back({.name = name, .unit = "ns", .ratio = {}, .floor = {}, .verdict = after, .reason = {}});
  }
  const Comparison settled = settle(earlier, later);
  EXPECT_EQ(settled.rows[0].verdict, Verdict::kSlower);
  EXPECT_EQ(settled.rows[1].verdict, Verdict::kFaster);
  EXPECT_EQ(settled.rows[2].verdict, Verdict::kNoChange);
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

TEST(NoiseFloor, IsWhatTheSameProgramShowsAgainstItself) {
  DeterministicRandom random(31);
  std::vector<double> first;
  std::vector<double> second;
  for (int i = 0; i < 40; ++i) {
    first.push_back(1000 * (1 + 0.02 * normal(random)));
    second.push_back(1000 * (1 + 0.02 * normal(random)));
  }
  const NoiseFloor floor = noise_floor(first, second);
  EXPECT_GT(floor.relative, 0.005);
  EXPECT_LT(floor.relative, 0.035);
  EXPECT_NEAR(floor.absolute, floor.relative * 1000, 6);
  EXPECT_TRUE(floor.measured());
  EXPECT_FALSE(assumed_floor(2).measured());
  EXPECT_EQ(worst_of(floor, assumed_floor(3)).relative, 0.15);
}

TEST(Comparison, SurvivesJson) {
  DeterministicRandom random(32);
  std::vector<ComparisonRow> rows = {make_row(random, normal_noise(0.01), 20, 1.2, 0), undecided_row()};
  rows[1].instruction_ratio = 1.25;
  const Comparison comparison = compare(rows, kFew);
  const Json json = to_json(comparison);
  std::vector<std::string> problems;
  const Comparison again = comparison_from_json(JsonReader(json, "c", problems));
  EXPECT_THAT(problems, ::testing::IsEmpty());
  ASSERT_EQ(again.rows.size(), 2U);
  EXPECT_FALSE(again.rows[0].instruction_ratio.has_value());
  EXPECT_EQ(again.rows[1].instruction_ratio, 1.25);
  EXPECT_EQ(again.rows[0].verdict, comparison.rows[0].verdict);
  EXPECT_EQ(again.rows[0].reason, comparison.rows[0].reason);
  EXPECT_EQ(again.rows[0].ratio.low, comparison.rows[0].ratio.low);
  EXPECT_EQ(json["slower"], 2);
}

}  // namespace
}  // namespace godwit::measure
