// The numbers that describe other numbers: medians and their bootstrap intervals, spread, outliers. Everything is a
// pure function of the samples and a seed, so a stored result can be looked at again and gives the same verdict.
// Comparison (compare.h) and results (results.h) build on this.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "support/json_fwd.h"

namespace godwit::measure {

// All of these need at least one sample; NaN is not a sample.
[[nodiscard]] double median(std::span<const double> samples);
// Linear interpolation between order statistics (Hyndman and Fan type 7); `share` is 0 … 1.
[[nodiscard]] double quantile(std::span<const double> samples, double share);
[[nodiscard]] double mean(std::span<const double> samples);
// With n - 1; 0 for a single sample.
[[nodiscard]] double standard_deviation(std::span<const double> samples);
// Median of |x - median|, times 1.4826: estimates the standard deviation of normal samples, ignores outliers.
[[nodiscard]] double median_absolute_deviation(std::span<const double> samples);

// Quantile function of the standard normal distribution (Acklam's approximation with one step of Halley's method).
[[nodiscard]] double normal_quantile(double probability);
[[nodiscard]] double normal_distribution(double z);

struct Interval {
  double estimate = 0;
  double low = 0;
  double high = 0;
  double confidence = 0.95;

  [[nodiscard]] bool contains(double value) const { return low <= value && value <= high; }
  [[nodiscard]] double half_width() const { return (high - low) / 2; }
};

enum class BootstrapMethod : std::uint8_t {
  kPercentile,  // robust for medians
  kBca,         // bias-corrected and accelerated (Efron 1987): for smooth statistics such as the mean
};
struct BootstrapOptions {
  double confidence = 0.95;
  std::size_t resamples = 4000;
  std::uint64_t seed = 1;
  BootstrapMethod method = BootstrapMethod::kPercentile;
};

// Gets a resample that it may reorder.
using Statistic = std::function<double(std::span<double>)>;

// A single sample yields an interval of no width: it says nothing, and callers show the count beside it.
[[nodiscard]] Interval bootstrap(std::span<const double> samples, const Statistic& statistic,
                                 const BootstrapOptions& options = {});
// Up to kExactMedian samples the bootstrap distribution is computed, not sampled: the seed plays no part.
inline constexpr std::size_t kExactMedian = 200;
[[nodiscard]] Interval bootstrap_median(std::span<const double> samples, const BootstrapOptions& options = {});

// Median of candidate[i] / baseline[i]. Equal lengths, at least one pair, positive baselines.
[[nodiscard]] Interval paired_ratio(std::span<const double> baseline, std::span<const double> candidate,
                                    const BootstrapOptions& options = {});
// Ratio of the medians of two independent sets, each resampled on its own.
[[nodiscard]] Interval unpaired_ratio(std::span<const double> baseline, std::span<const double> candidate,
                                      const BootstrapOptions& options = {});

// Tukey's fences: mild beyond 1.5, severe beyond 3 interquartile ranges from the quartiles.
struct Outliers {
  std::size_t low_severe = 0;
  std::size_t low_mild = 0;
  std::size_t high_mild = 0;
  std::size_t high_severe = 0;

  [[nodiscard]] std::size_t total() const { return low_severe + low_mild + high_mild + high_severe; }
  friend bool operator==(const Outliers&, const Outliers&) = default;
};
[[nodiscard]] Outliers classify_outliers(std::span<const double> samples);

// What a result shows of one case's samples.
struct Summary {
  Interval median;
  double deviation = 0;  // median_absolute_deviation
  double minimum = 0;
  double maximum = 0;
  std::size_t count = 0;
  Outliers outliers;
};
[[nodiscard]] Summary summarize(std::span<const double> samples, const BootstrapOptions& options = {});

[[nodiscard]] Json to_json(const Interval& interval);
[[nodiscard]] Interval interval_from_json(JsonReader reader);
[[nodiscard]] Json to_json(const Summary& summary);
[[nodiscard]] Summary summary_from_json(JsonReader reader);

}  // namespace godwit::measure
