#include "support/histogram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "support/json.h"

namespace godwit::measure {
namespace {

TEST(Histogram, IsExactBelowItsPrecision) {
  Histogram histogram;
  for (std::uint64_t value = 0; value < 256; ++value) histogram.record(value);
  EXPECT_EQ(histogram.buckets().size(), 256U);
  EXPECT_EQ(histogram.percentile(50), 127U);
  EXPECT_EQ(histogram.percentile(100), 255U);
  EXPECT_EQ(histogram.percentile(0), 0U);
}

TEST(Histogram, BucketsTileTheRangeWithoutGapOrOverlap) {
  Histogram histogram(3, 1U << 12U);
  for (std::uint64_t value = 0; value < (1U << 13U); ++value) histogram.record(value);
  std::uint64_t expected_low = 0;
  for (const Histogram::Bucket& bucket : histogram.buckets()) {
    EXPECT_EQ(bucket.low, expected_low);
    EXPECT_EQ(bucket.count, bucket.high - bucket.low + 1);
    EXPECT_LE(static_cast<double>(bucket.high - bucket.low), static_cast<double>(bucket.low) / 8);
    expected_low = bucket.high + 1;
  }
  EXPECT_EQ(expected_low, 1U << 13U);
  EXPECT_EQ(histogram.saturated(), 0U);
}

TEST(Histogram, AgreesWithSortedSamplesWithinItsError) {
  DeterministicRandom random(7);
  Histogram histogram;
  std::vector<std::uint64_t> samples;
  for (int i = 0; i < 20'000; ++i) {
    const auto value = static_cast<std::uint64_t>(std::exp(random.unit() * 20));
    samples.push_back(value);
    histogram.record(value);
  }
  std::sort(samples.begin(), samples.end());
  for (const double percentile : {1.0, 25.0, 50.0, 90.0, 99.0, 99.9, 99.99, 100.0}) {
    const auto rank = static_cast<std::size_t>(std::ceil(percentile / 100 * 20'000)) - 1;
    const auto exact = static_cast<double>(samples[rank]);
    const auto found = static_cast<double>(histogram.percentile(percentile));
    EXPECT_GE(found, exact) << percentile;
    EXPECT_LE(found, exact * 1.008 + 1) << percentile;
  }
}

TEST(Histogram, MergesToWhatOneHistogramWouldHaveSeen) {
  DeterministicRandom random(8);
  Histogram one;
  Histogram other;
  Histogram both;
  for (int i = 0; i < 5'000; ++i) {
    const std::uint64_t value = random.below(1'000'000);
    (i % 3 == 0 ? one : other).record(value);
    both.record(value);
  }
  EXPECT_TRUE(one.merge(other));
  EXPECT_EQ(one, both);
  EXPECT_FALSE(one.merge(Histogram(5)));
  EXPECT_EQ(one, both);
}

TEST(Histogram, CountsWhatIsBeyondItsRange) {
  Histogram histogram(7, 1000);
  histogram.record(5);
  histogram.record(1U << 20U);
  EXPECT_EQ(histogram.saturated(), 1U);
  EXPECT_EQ(histogram.count(), 2U);
  EXPECT_EQ(histogram.percentile(100), 1U << 20U);
}

TEST(Histogram, SurvivesJson) {
  DeterministicRandom random(9);
  Histogram histogram;
  for (int i = 0; i < 1'000; ++i) histogram.record(random.below(1U << 30U));
  const Json json = to_json(histogram);
  std::vector<std::string> problems;
  const Histogram again = histogram_from_json(JsonReader(json, "h", problems));
  EXPECT_THAT(problems, ::testing::IsEmpty());
  EXPECT_EQ(again, histogram);
  EXPECT_EQ(json["percentiles"]["99.99"], histogram.percentile(99.99));
}

TEST(Histogram, KeepsItsRangeThroughJson) {
  const Histogram histogram(5, 1U << 20U);
  const Json json = to_json(histogram);
  std::vector<std::string> problems;
  EXPECT_EQ(histogram_from_json(JsonReader(json, "h", problems)), histogram);
}

TEST(Histogram, RefusesJsonThatContradictsItself) {
  Json json = to_json(Histogram());
  json["count"] = 4;
  json["buckets"] = {1, 2, 3};
  std::vector<std::string> problems;
  static_cast<void>(histogram_from_json(JsonReader(json, "h", problems)));
  EXPECT_THAT(problems, ::testing::ElementsAre("h.buckets: expected pairs of lower end and count",
                                               "h.count: differs from the sum of the buckets"));
}

TEST(Histogram, OfNothingIsZero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.percentile(99), 0U);
  EXPECT_EQ(histogram.minimum(), 0U);
  EXPECT_EQ(histogram.mean(), 0);
}

}  // namespace
}  // namespace godwit::measure
