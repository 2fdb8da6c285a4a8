#include "measure/statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <numeric>

#include "base/random.h"
#include "support/json.h"

namespace godwit::measure {
namespace {

double normal(RandomSource& random) {
  const double radius = std::sqrt(-2 * std::log(1 - random.unit()));
  return radius * std::cos(2 * std::numbers::pi * random.unit());
}

std::vector<double> normal_samples(RandomSource& random, std::size_t count, double centre, double deviation) {
  std::vector<double> samples(count);
  for (double& value : samples) value = centre + deviation * normal(random);
  return samples;
}

TEST(Statistics, MedianTakesTheMiddle) {
  EXPECT_EQ(median(std::vector<double>{3}), 3);
  EXPECT_EQ(median(std::vector<double>{9, 1, 5}), 5);
  EXPECT_EQ(median(std::vector<double>{4, 1, 3, 2}), 2.5);
}

TEST(Statistics, QuantilesInterpolateAsTypeSeven) {
  const std::vector<double> samples = {1, 2, 3, 4};
  EXPECT_DOUBLE_EQ(quantile(samples, 0), 1);
  EXPECT_DOUBLE_EQ(quantile(samples, 0.25), 1.75);
  EXPECT_DOUBLE_EQ(quantile(samples, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(quantile(samples, 1), 4);
}

TEST(Statistics, SpreadOfKnownSamples) {
  const std::vector<double> samples = {2, 4, 4, 4, 5, 5, 7, 9};
  EXPECT_DOUBLE_EQ(mean(samples), 5);
  EXPECT_NEAR(standard_deviation(samples), 2.13809, 1e-5);
  EXPECT_DOUBLE_EQ(median_absolute_deviation(samples), 1.4826 * 0.5);
  EXPECT_EQ(standard_deviation(std::vector<double>{3}), 0);
}

TEST(Statistics, MedianAbsoluteDeviationEstimatesTheNormalOne) {
  DeterministicRandom random(3);
  EXPECT_NEAR(median_absolute_deviation(normal_samples(random, 20'000, 10, 2)), 2, 0.06);
}

TEST(Statistics, NormalQuantileInvertsTheDistribution) {
  EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-12);
  for (const double p : {1e-9, 0.001, 0.02425, 0.3, 0.5, 0.8, 0.99, 1 - 1e-9}) {
    EXPECT_NEAR(normal_distribution(normal_quantile(p)), p, 1e-12 + p * 1e-9) << p;
  }
}

TEST(Bootstrap, IsTheSameForTheSameSeed) {
  DeterministicRandom random(4);
  const std::vector<double> samples = normal_samples(random, 30, 100, 5);
  const Statistic average = [](std::span<double> values) { return mean(values); };
  const Interval one = bootstrap(samples, average, {.seed = 9});
  const Interval other = bootstrap(samples, average, {.seed = 9});
  EXPECT_EQ(one.low, other.low);
  EXPECT_EQ(one.high, other.high);
  EXPECT_LE(one.low, one.estimate);
  EXPECT_GE(one.high, one.estimate);
}

TEST(Bootstrap, CoversTheTruthAboutAsOftenAsItSays) {
  DeterministicRandom random(5);
  int median_covered = 0;
  int mean_covered = 0;
  constexpr int kRounds = 200;
  for (int round = 0; round < kRounds; ++round) {
    const std::vector<double> samples = normal_samples(random, 25, 50, 3);
    const BootstrapOptions options{.resamples = 300, .seed = random.next_u64()};
    median_covered += bootstrap_median(samples, options).contains(50) ? 1 : 0;
    BootstrapOptions bca = options;
    bca.method = BootstrapMethod::kBca;
    mean_covered += bootstrap(samples, [](std::span<double> values) { return mean(values); }, bca).contains(50) ? 1 : 0;
  }
  EXPECT_GE(median_covered, kRounds * 90 / 100);
  EXPECT_GE(mean_covered, kRounds * 88 / 100);
  EXPECT_LE(mean_covered, kRounds * 99 / 100);
}

TEST(Bootstrap, TheComputedIntervalOfAMedianIsTheSampledOne) {
  DeterministicRandom random(14);
  for (const std::size_t count : {2U, 5U, 20U, 21U, 100U, 101U}) {
    const std::vector<double> samples = normal_samples(random, count, 100, 5);
    const Interval computed = bootstrap_median(samples);
    const Interval sampled =
        bootstrap(samples, [](std::span<double> values) { return median(values); }, {.resamples = 20'000});
    EXPECT_NEAR(computed.low, sampled.low, 0.25) << count;
    EXPECT_NEAR(computed.high, sampled.high, 0.25) << count;
    EXPECT_EQ(computed.estimate, sampled.estimate);
  }
}

TEST(Bootstrap, BcaLeansWithASkewedStatistic) {
  DeterministicRandom random(6);
  std::vector<double> samples(40);
  for (double& value : samples) value = std::exp(1.2 * normal(random));
  const Statistic average = [](std::span<double> values) { return mean(values); };
  const Interval plain = bootstrap(samples, average, {.resamples = 3000});
  const Interval bca = bootstrap(samples, average, {.resamples = 3000, .method = BootstrapMethod::kBca});
  EXPECT_GT(bca.high, plain.high);
  EXPECT_GT(bca.low, plain.low);
}

TEST(Bootstrap, OneSampleSaysNothing) {
  const Interval interval = bootstrap_median(std::vector<double>{7});
  EXPECT_EQ(interval.low, 7);
  EXPECT_EQ(interval.high, 7);
}

TEST(PairedRatio, CancelsWhatBothSidesOfAPairShare) {
  DeterministicRandom random(7);
  std::vector<double> baseline;
  std::vector<double> candidate;
  for (int pair = 0; pair < 20; ++pair) {
    const double drift = 1 + 0.3 * random.unit();  // the host is up to 30 % slower from pair to pair
    baseline.push_back(100 * drift * (1 + 0.002 * normal(random)));
    candidate.push_back(103 * drift * (1 + 0.002 * normal(random)));
  }
  const Interval paired = paired_ratio(baseline, candidate);
  EXPECT_NEAR(paired.estimate, 1.03, 0.003);
  EXPECT_FALSE(paired.contains(1));
  EXPECT_TRUE(unpaired_ratio(baseline, candidate).contains(1));
}

TEST(Outliers, AreClassedByTukeysFences) {
  std::vector<double> samples(100);
  std::iota(samples.begin(), samples.end(), 0);  // quartiles 24.75 and 74.25, range 49.5
  samples.push_back(160);
  samples.push_back(400);
  samples.push_back(-60);
  samples.push_back(-400);
  EXPECT_EQ(classify_outliers(samples), (Outliers{1, 1, 1, 1}));
  EXPECT_EQ(classify_outliers(std::vector<double>{5, 5, 5}).total(), 0U);
}

TEST(Summary, SurvivesJson) {
  DeterministicRandom random(8);
  const Summary summary = summarize(normal_samples(random, 20, 10, 1));
  const Json json = to_json(summary);
  std::vector<std::string> problems;
  const Summary again = summary_from_json(JsonReader(json, "s", problems));
  EXPECT_THAT(problems, ::testing::IsEmpty());
  EXPECT_EQ(again.median.low, summary.median.low);
  EXPECT_EQ(again.count, 20U);
  EXPECT_EQ(again.outliers, summary.outliers);
}

TEST(Interval, ThatExcludesItsEstimateIsRefused) {
  const Json json = {{"estimate", 3}, {"low", 1}, {"high", 2}, {"confidence", 0.95}};
  std::vector<std::string> problems;
  static_cast<void>(interval_from_json(JsonReader(json, "i", problems)));
  EXPECT_THAT(problems, ::testing::ElementsAre("i: the estimate lies outside its own interval"));
}

}  // namespace
}  // namespace godwit::measure
