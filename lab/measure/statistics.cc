#include "measure/statistics.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "base/assert.h"
#include "base/random.h"
#include "support/json.h"

namespace godwit::measure {

namespace {

// Median of samples that may be reordered: linear time, for the thousands of resamples of a bootstrap.
double median_in_place(std::span<double> samples) {
  const std::size_t middle = samples.size() / 2;
  const auto at = samples.begin() + static_cast<std::ptrdiff_t>(middle);
  std::nth_element(samples.begin(), at, samples.end());
  if (samples.size() % 2 == 1) return *at;
  return (*std::max_element(samples.begin(), at) + *at) / 2;
}

double quantile_of_sorted(std::span<const double> sorted, double share) {
  const double position = std::clamp(share, 0.0, 1.0) * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  if (below + 1 >= sorted.size()) return sorted.back();
  const double part = position - static_cast<double>(below);
  return sorted[below] + part * (sorted[below + 1] - sorted[below]);
}

std::vector<double> sorted_copy(std::span<const double> samples) {
  std::vector<double> sorted(samples.begin(), samples.end());
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

void resample(std::span<const double> samples, RandomSource& random, std::span<double> out) {
  for (double& value : out) value = samples[static_cast<std::size_t>(random.below(samples.size()))];
}

// The shares of the bootstrap distribution between which the interval lies.
struct Tails {
  double low;
  double high;
};

Tails percentile_tails(double confidence) {
  return {(1 - confidence) / 2, (1 + confidence) / 2};
}

// A value that a resample's median can take, and how probable it is.
struct Outcome {
  double value;
  double probability;
};

// The whole bootstrap distribution of the median. A resample draws each of the n order statistics with chance 1/n, so
// the ranks of its middle values follow from binomial counts (Maritz and Jarrett 1978). Even sizes need the joint
// distribution of both middle values: m draws at most at rank a with their largest at a, m at least at b with their
// least at b, in C(2m, m) arrangements; what is left of a's own probability is both at a.
std::vector<Outcome> median_distribution(std::span<const double> sorted) {
  const std::size_t n = sorted.size();
  const std::size_t m = n / 2;
  const auto size = static_cast<double>(n);
  const auto log_choose = [n](std::size_t k) {
    return std::lgamma(static_cast<double>(n) + 1) - std::lgamma(static_cast<double>(k) + 1) -
           std::lgamma(static_cast<double>(n - k) + 1);
  };
  // The chance that at least `needed` of n draws have a rank of at most `rank`.
  const auto at_most = [&](std::size_t needed, std::size_t rank) {
    if (rank == 0) return 0.0;
    if (rank == n) return 1.0;
    const double yes = std::log(static_cast<double>(rank) / size);
    const double no = std::log(static_cast<double>(n - rank) / size);
    double sum = 0;
    for (std::size_t k = needed; k <= n; ++k) {
      sum += std::exp(log_choose(k) + static_cast<double>(k) * yes + static_cast<double>(n - k) * no);
    }
    return sum;
  };
  std::vector<Outcome> outcomes;
  if (n % 2 == 1) {
    for (std::size_t rank = 1; rank <= n; ++rank) {
      outcomes.push_back({sorted[rank - 1], at_most(m + 1, rank) - at_most(m + 1, rank - 1)});
    }
    return outcomes;
  }
  const double arrangements = log_choose(m);
  const auto power = [m, size](std::size_t rank) {
    return std::pow(static_cast<double>(rank) / size, static_cast<double>(m));
  };
  for (std::size_t a = 1; a <= n; ++a) {
    double both_here = at_most(m, a) - at_most(m, a - 1);
    const double lower = std::exp(arrangements) * (power(a) - power(a - 1));
    for (std::size_t b = a + 1; b <= n; ++b) {
      const double probability = lower * (power(n - b + 1) - power(n - b));
      outcomes.push_back({(sorted[a - 1] + sorted[b - 1]) / 2, probability});
      both_here -= probability;
    }
    outcomes.push_back({sorted[a - 1], std::max(0.0, both_here)});
  }
  std::sort(outcomes.begin(), outcomes.end(), [](const Outcome& x, const Outcome& y) { return x.value < y.value; });
  return outcomes;
}

double quantile_of(std::span<const Outcome> outcomes, double share) {
  double seen = 0;
  for (const Outcome& outcome : outcomes) {
    seen += outcome.probability;
    if (seen >= share) return outcome.value;
  }
  return outcomes.back().value;
}

// Efron and Tibshirani, "An Introduction to the Bootstrap", equations 14.9 to 14.15.
Tails bca_tails(std::span<const double> samples, const Statistic& statistic, double estimate,
                std::span<const double> sorted_estimates, double confidence) {
  const auto below = static_cast<double>(std::lower_bound(sorted_estimates.begin(), sorted_estimates.end(), estimate) -
                                         sorted_estimates.begin());
  const auto all = static_cast<double>(sorted_estimates.size());
  const double bias = normal_quantile(std::clamp(below / all, 0.5 / all, 1 - 0.5 / all));
  std::vector<double> left_out;
  left_out.reserve(samples.size());
  std::vector<double> rest;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    rest.assign(samples.begin(), samples.end());
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(i));
    left_out.push_back(statistic(rest));
  }
  const double centre = mean(left_out);
  double cubes = 0;
  double squares = 0;
  for (const double value : left_out) {
    const double difference = centre - value;
    cubes += difference * difference * difference;
    squares += difference * difference;
  }
  const double acceleration = squares > 0 ? cubes / (6 * std::pow(squares, 1.5)) : 0;
  const auto tail = [bias, acceleration](double share) {
    const double z = bias + normal_quantile(share);
    return normal_distribution(bias + z / (1 - acceleration * z));
  };
  const Tails plain = percentile_tails(confidence);
  return {tail(plain.low), tail(plain.high)};
}

}  // namespace

double median(std::span<const double> samples) {
  GODWIT_ASSERT(!samples.empty());
  std::vector<double> copy(samples.begin(), samples.end());
  return median_in_place(copy);
}

double quantile(std::span<const double> samples, double share) {
  GODWIT_ASSERT(!samples.empty());
  return quantile_of_sorted(sorted_copy(samples), share);
}

double mean(std::span<const double> samples) {
  GODWIT_ASSERT(!samples.empty());
  return std::accumulate(samples.begin(), samples.end(), 0.0) / static_cast<double>(samples.size());
}

double standard_deviation(std::span<const double> samples) {
  if (samples.size() < 2) return 0;
  const double centre = mean(samples);
  double squares = 0;
  for (const double value : samples) squares += (value - centre) * (value - centre);
  return std::sqrt(squares / static_cast<double>(samples.size() - 1));
}

double median_absolute_deviation(std::span<const double> samples) {
  const double centre = median(samples);
  std::vector<double> distances;
  distances.reserve(samples.size());
  for (const double value : samples) distances.push_back(std::abs(value - centre));
  return 1.4826 * median_in_place(distances);
}

double normal_distribution(double z) {
  return std::erfc(-z / std::numbers::sqrt2) / 2;
}

double normal_quantile(double probability) {
  GODWIT_ASSERT(probability > 0 && probability < 1);
  constexpr double kA[] = {-3.969683028665376e+01, 2.209460984245205e+02,  -2.759285104469687e+02,
                           1.383577518672690e+02,  -3.066479806614716e+01, 2.506628277459239e+00};
  constexpr double kB[] = {-5.447609879822406e+01, 1.615858368580409e+02, -1.556989798598866e+02, 6.680131188771972e+01,
                           -1.328068155288572e+01};
  constexpr double kC[] = {-7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e+00,
                           -2.549732539343734e+00, 4.374664141464968e+00,  2.938163982698783e+00};
  constexpr double kD[] = {7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00, 3.754408661907416e+00};
  constexpr double kTail = 0.02425;
  double z = 0;
  if (probability < kTail || probability > 1 - kTail) {
    const double q = std::sqrt(-2 * std::log(std::min(probability, 1 - probability)));
    z = (((((kC[0] * q + kC[1]) * q + kC[2]) * q + kC[3]) * q + kC[4]) * q + kC[5]) /
        ((((kD[0] * q + kD[1]) * q + kD[2]) * q + kD[3]) * q + 1);
    if (probability > 0.5) z = -z;
  } else {
    const double q = probability - 0.5;
    const double r = q * q;
    z = (((((kA[0] * r + kA[1]) * r + kA[2]) * r + kA[3]) * r + kA[4]) * r + kA[5]) * q /
        (((((kB[0] * r + kB[1]) * r + kB[2]) * r + kB[3]) * r + kB[4]) * r + 1);
  }
  const double error = normal_distribution(z) - probability;
  const double step = error * std::sqrt(2 * std::numbers::pi) * std::exp(z * z / 2);
  return z - step / (1 + z * step / 2);
}

Interval bootstrap(std::span<const double> samples, const Statistic& statistic, const BootstrapOptions& options) {
  GODWIT_ASSERT(!samples.empty());
  std::vector<double> scratch(samples.begin(), samples.end());
  Interval interval;
  interval.confidence = options.confidence;
  interval.estimate = statistic(scratch);
  interval.low = interval.high = interval.estimate;
  if (samples.size() < 2 || options.resamples == 0) return interval;
  DeterministicRandom random(options.seed);
  std::vector<double> estimates(options.resamples);
  for (double& estimate : estimates) {
    resample(samples, random, scratch);
    estimate = statistic(scratch);
  }
  std::sort(estimates.begin(), estimates.end());
  const Tails tails = options.method == BootstrapMethod::kBca
                          ? bca_tails(samples, statistic, interval.estimate, estimates, options.confidence)
                          : percentile_tails(options.confidence);
  interval.low = quantile_of_sorted(estimates, tails.low);
  interval.high = quantile_of_sorted(estimates, tails.high);
  return interval;
}

Interval bootstrap_median(std::span<const double> samples, const BootstrapOptions& options) {
  if (samples.size() < 2 || samples.size() > kExactMedian || options.method != BootstrapMethod::kPercentile) {
    return bootstrap(samples, median_in_place, options);
  }
  const std::vector<Outcome> outcomes = median_distribution(sorted_copy(samples));
  const Tails tails = percentile_tails(options.confidence);
  return {.estimate = median(samples),
          .low = quantile_of(outcomes, tails.low),
          .high = quantile_of(outcomes, tails.high),
          .confidence = options.confidence};
}

Interval paired_ratio(std::span<const double> baseline, std::span<const double> candidate,
                      const BootstrapOptions& options) {
  GODWIT_ASSERT(baseline.size() == candidate.size() && !baseline.empty());
  std::vector<double> ratios(baseline.size());
  for (std::size_t i = 0; i < ratios.size(); ++i) {
    GODWIT_ASSERT(baseline[i] > 0);
    ratios[i] = candidate[i] / baseline[i];
  }
  return bootstrap_median(ratios, options);
}

Interval unpaired_ratio(std::span<const double> baseline, std::span<const double> candidate,
                        const BootstrapOptions& options) {
  GODWIT_ASSERT(!baseline.empty() && !candidate.empty());
  Interval interval;
  interval.confidence = options.confidence;
  interval.estimate = median(candidate) / median(baseline);
  DeterministicRandom random(options.seed);
  std::vector<double> below(baseline.size());
  std::vector<double> above(candidate.size());
  std::vector<double> ratios(std::max<std::size_t>(1, options.resamples));
  for (double& ratio : ratios) {
    resample(baseline, random, below);
    resample(candidate, random, above);
    ratio = median_in_place(above) / median_in_place(below);
  }
  std::sort(ratios.begin(), ratios.end());
  const Tails tails = percentile_tails(options.confidence);
  interval.low = quantile_of_sorted(ratios, tails.low);
  interval.high = quantile_of_sorted(ratios, tails.high);
  return interval;
}

Outliers classify_outliers(std::span<const double> samples) {
  GODWIT_ASSERT(!samples.empty());
  const std::vector<double> sorted = sorted_copy(samples);
  const double lower = quantile_of_sorted(sorted, 0.25);
  const double upper = quantile_of_sorted(sorted, 0.75);
  const double range = upper - lower;
  Outliers outliers;
  for (const double value : sorted) {
    if (value < lower - 3 * range) {
      ++outliers.low_severe;
    } else if (value < lower - 1.5 * range) {
      ++outliers.low_mild;
    } else if (value > upper + 3 * range) {
      ++outliers.high_severe;
    } else if (value > upper + 1.5 * range) {
      ++outliers.high_mild;
    }
  }
  return outliers;
}

Summary summarize(std::span<const double> samples, const BootstrapOptions& options) {
  GODWIT_ASSERT(!samples.empty());
  Summary summary;
  summary.median = bootstrap_median(samples, options);
  summary.deviation = median_absolute_deviation(samples);
  const auto [least, most] = std::minmax_element(samples.begin(), samples.end());
  summary.minimum = *least;
  summary.maximum = *most;
  summary.count = samples.size();
  summary.outliers = classify_outliers(samples);
  return summary;
}

Json to_json(const Interval& interval) {
  return {{"estimate", number_or_null(interval.estimate)},
          {"low", number_or_null(interval.low)},
          {"high", number_or_null(interval.high)},
          {"confidence", interval.confidence}};
}

Interval interval_from_json(JsonReader reader) {
  Interval interval;
  interval.estimate = reader.number("estimate");
  interval.low = reader.number("low");
  interval.high = reader.number("high");
  interval.confidence = reader.number("confidence");
  if (interval.low > interval.estimate || interval.estimate > interval.high) {
    reader.problem("", "the estimate lies outside its own interval");
  }
  if (interval.confidence <= 0 || interval.confidence >= 1) reader.problem("confidence", "expected between 0 and 1");
  return interval;
}

Json to_json(const Summary& summary) {
  return {{"median", to_json(summary.median)},
          {"deviation", number_or_null(summary.deviation)},
          {"minimum", number_or_null(summary.minimum)},
          {"maximum", number_or_null(summary.maximum)},
          {"count", summary.count},
          {"outliers",
           {{"low_severe", summary.outliers.low_severe},
            {"low_mild", summary.outliers.low_mild},
            {"high_mild", summary.outliers.high_mild},
            {"high_severe", summary.outliers.high_severe}}}};
}

Summary summary_from_json(JsonReader reader) {
  Summary summary;
  summary.median = interval_from_json(reader.object("median"));
  summary.deviation = reader.number("deviation");
  summary.minimum = reader.number("minimum");
  summary.maximum = reader.number("maximum");
  summary.count = static_cast<std::size_t>(reader.count("count"));
  JsonReader outliers = reader.object("outliers");
  summary.outliers.low_severe = static_cast<std::size_t>(outliers.count("low_severe"));
  summary.outliers.low_mild = static_cast<std::size_t>(outliers.count("low_mild"));
  summary.outliers.high_mild = static_cast<std::size_t>(outliers.count("high_mild"));
  summary.outliers.high_severe = static_cast<std::size_t>(outliers.count("high_severe"));
  return summary;
}

}  // namespace godwit::measure
