#include "measure/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "base/assert.h"
#include "measure/rank_tests.h"
#include "support/json.h"

namespace godwit::measure {

namespace {

// Below half a percent nobody acts, and code placement alone moves that much (Mytkowicz et al., ASPLOS 2009).
constexpr double kLeastRelativeThreshold = 0.005;
constexpr double kThresholdConfidence = 0.99;

bool all_positive(std::span<const double> values) {
  return std::all_of(values.begin(), values.end(), [](double value) { return value > 0 && std::isfinite(value); });
}

std::vector<double> logarithms_of_ratios(const ComparedCase& bench_case) {
  std::vector<double> logarithms(bench_case.baseline.size());
  for (std::size_t i = 0; i < logarithms.size(); ++i)
    logarithms[i] = std::log(bench_case.candidate[i] / bench_case.baseline[i]);
  return logarithms;
}

// Numbers only; the verdict needs the p values of all cases.
CaseVerdict measure_case(const ComparedCase& bench_case, const ComparisonOptions& options) {
  CaseVerdict result;
  result.name = bench_case.name;
  result.unit = bench_case.unit;
  result.better = bench_case.better;
  result.paired = bench_case.paired;
  result.noise_threshold = bench_case.noise_threshold;
  result.instruction_ratio = bench_case.instruction_ratio;
  result.samples = std::min(bench_case.baseline.size(), bench_case.candidate.size());
  if (!bench_case.paired) {
    result.noise_threshold.relative *= options.unpaired_threshold_factor;
    result.noise_threshold.absolute *= options.unpaired_threshold_factor;
  }
  if (result.samples == 0) {
    result.reason = "no samples";
    return result;
  }
  if (!all_positive(bench_case.baseline) || !all_positive(bench_case.candidate)) {
    result.reason = "a sample is not positive";
    return result;
  }
  GODWIT_ASSERT(!bench_case.paired || bench_case.baseline.size() == bench_case.candidate.size());
  result.baseline = median(bench_case.baseline);
  result.candidate = median(bench_case.candidate);
  const BootstrapOptions bootstrap{
      .confidence = options.confidence, .resamples = options.resamples, .seed = options.seed};
  result.ratio = bench_case.paired ? paired_ratio(bench_case.baseline, bench_case.candidate, bootstrap)
                                   : unpaired_ratio(bench_case.baseline, bench_case.candidate, bootstrap);
  result.p = bench_case.paired ? wilcoxon_signed_rank(logarithms_of_ratios(bench_case))
                               : mann_whitney(bench_case.baseline, bench_case.candidate).p;
  return result;
}

// Of a case that time cannot tell. Instructions are exact, but they are not time: where the measured time points the
// other way by more than the threshold, they do not decide.
void decide_by_instructions(CaseVerdict& bench_case) {
  if (bench_case.verdict != Verdict::kCannotTell || !bench_case.instruction_ratio) return;
  const double change = *bench_case.instruction_ratio - 1;
  if (std::abs(change) <= kInstructionThreshold) {
    bench_case.reason += ", as many instructions";
    return;
  }
  const double time = bench_case.ratio.estimate - 1;
  if (time * change < 0 && std::abs(time) > bench_case.noise_threshold.relative) {
    bench_case.reason += fmt::format(", {:+.1f} % instructions", change * 100);
    return;
  }
  bench_case.verdict = change > 0 ? Verdict::kSlower : Verdict::kFaster;
  bench_case.reason = fmt::format("{:+.1f} % instructions; by time alone {}", change * 100, bench_case.reason);
}

void decide(CaseVerdict& bench_case, const ComparisonOptions& options, std::size_t cases) {
  if (!bench_case.reason.empty()) return;  // could not be measured
  const double alpha = options.family_alpha / static_cast<double>(options.looks);
  const double change = bench_case.ratio.estimate - 1;
  const double difference = std::abs(change) * bench_case.baseline;
  const bool significant = bench_case.adjusted_p < alpha && !bench_case.ratio.contains(1);
  const bool beyond_relative = std::abs(change) > bench_case.noise_threshold.relative;
  const bool beyond_absolute = difference > bench_case.noise_threshold.absolute;
  if (significant && beyond_relative && beyond_absolute) {
    const bool more = change > 0;
    bench_case.verdict = more == (bench_case.better == Better::kHigher) ? Verdict::kFaster : Verdict::kSlower;
    bench_case.reason = fmt::format("beyond the threshold of {:.1f} %, p = {:.2g}",
                                    bench_case.noise_threshold.relative * 100, bench_case.adjusted_p);
    return;
  }
  // Equivalence: the interval says that an effect larger than the threshold is not there.
  if (bench_case.ratio.low >= 1 - bench_case.noise_threshold.relative &&
      bench_case.ratio.high <= 1 + bench_case.noise_threshold.relative) {
    bench_case.verdict = Verdict::kNoChange;
    bench_case.reason = fmt::format("within the threshold of {:.1f} %", bench_case.noise_threshold.relative * 100);
    return;
  }
  bench_case.verdict = Verdict::kCannotTell;
  const std::size_t needed = pairs_needed(cases, alpha);
  if (bench_case.paired && bench_case.samples < needed) {
    bench_case.reason =
        fmt::format("{} pairs are too few for {} cases: at least {}", bench_case.samples, cases, needed);
  } else if (!significant) {
    bench_case.reason = fmt::format("chance is not excluded, p = {:.2g}", bench_case.adjusted_p);
  } else if (!beyond_relative) {
    bench_case.reason = fmt::format("{:+.1f} % is within the threshold of {:.1f} %", change * 100,
                                    bench_case.noise_threshold.relative * 100);
  } else {
    bench_case.reason = fmt::format("{:.3g} {} are within the threshold of {:.3g}", difference, bench_case.unit,
                                    bench_case.noise_threshold.absolute);
  }
}

}  // namespace

std::string_view to_string(Better better) {
  return better == Better::kLower ? "lower" : "higher";
}

std::optional<Better> parse_better(std::string_view text) {
  if (text == "lower") return Better::kLower;
  if (text == "higher") return Better::kHigher;
  return std::nullopt;
}

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::kFaster: return "faster";
    case Verdict::kSlower: return "slower";
    case Verdict::kNoChange: return "no change";
    case Verdict::kCannotTell: return "cannot tell";
  }
  return "cannot tell";
}

std::optional<Verdict> parse_verdict(std::string_view text) {
  for (const Verdict verdict : {Verdict::kFaster, Verdict::kSlower, Verdict::kNoChange, Verdict::kCannotTell}) {
    if (to_string(verdict) == text) return verdict;
  }
  return std::nullopt;
}

NoiseThreshold noise_threshold(std::span<const double> first, std::span<const double> second) {
  GODWIT_ASSERT(first.size() == second.size() && !first.empty());
  const BootstrapOptions options{.confidence = kThresholdConfidence};
  const Interval ratio = paired_ratio(first, second, options);
  std::vector<double> differences(first.size());
  for (std::size_t i = 0; i < first.size(); ++i) differences[i] = second[i] - first[i];
  const Interval difference = bootstrap_median(differences, options);
  NoiseThreshold threshold;
  threshold.relative = std::max({std::abs(ratio.low - 1), std::abs(ratio.high - 1), kLeastRelativeThreshold});
  threshold.absolute = std::max(std::abs(difference.low), std::abs(difference.high));
  threshold.pairs = first.size();
  return threshold;
}

NoiseThreshold assumed_threshold(int level) {
  constexpr std::array<double, 4> kRelative = {0.02, 0.05, 0.10, 0.15};
  return {.relative = kRelative[static_cast<std::size_t>(std::clamp(level, 0, 3))], .absolute = 0, .pairs = 0};
}

NoiseThreshold paired_threshold(int level) {
  constexpr std::array<double, 4> kRelative = {0.02, 0.025, 0.10, 0.15};
  return {.relative = kRelative[static_cast<std::size_t>(std::clamp(level, 0, 3))], .absolute = 0, .pairs = 0};
}

NoiseThreshold worst_of(const NoiseThreshold& one, const NoiseThreshold& other) {
  return {.relative = std::max(one.relative, other.relative),
          .absolute = std::max(one.absolute, other.absolute),
          .pairs = one.pairs + other.pairs};
}

std::size_t Comparison::count(Verdict verdict) const {
  return static_cast<std::size_t>(std::count_if(
      cases.begin(), cases.end(), [verdict](const CaseVerdict& bench_case) { return bench_case.verdict == verdict; }));
}

int Comparison::exit_code() const {
  if (count(Verdict::kSlower) > 0) return 1;
  return count(Verdict::kCannotTell) == cases.size() ? 2 : 0;
}

std::vector<double> holm_adjust(std::span<const double> p_values) {
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [p_values](std::size_t a, std::size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> adjusted(p_values.size());
  double largest = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    largest = std::max(largest, static_cast<double>(order.size() - i) * p_values[order[i]]);
    adjusted[order[i]] = std::min(1.0, largest);
  }
  return adjusted;
}

std::size_t pairs_needed(std::size_t cases, double family_alpha) {
  std::size_t pairs = 1;
  while (std::ldexp(1.0, 1 - static_cast<int>(pairs)) * static_cast<double>(std::max<std::size_t>(1, cases)) >=
         family_alpha) {
    ++pairs;
  }
  return pairs;
}

Comparison compare(std::span<const ComparedCase> cases, const ComparisonOptions& options) {
  Comparison comparison;
  std::vector<double> p_values;
  for (const ComparedCase& bench_case : cases) {
    comparison.cases.push_back(measure_case(bench_case, options));
    p_values.push_back(comparison.cases.back().p);
  }
  const std::vector<double> adjusted = holm_adjust(p_values);
  for (std::size_t i = 0; i < comparison.cases.size(); ++i) {
    comparison.cases[i].adjusted_p = adjusted[i];
    decide(comparison.cases[i], options, cases.size());
    decide_by_instructions(comparison.cases[i]);
  }
  return comparison;
}

Comparison settle(const Comparison& earlier, const Comparison& later) {
  Comparison settled = later;
  for (CaseVerdict& bench_case : settled.cases) {
    const auto before = std::find_if(earlier.cases.begin(), earlier.cases.end(),
                                     [&bench_case](const CaseVerdict& other) { return other.name == bench_case.name; });
    if (before != earlier.cases.end() && before->verdict != Verdict::kCannotTell) bench_case = *before;
  }
  return settled;
}

Json to_json(const NoiseThreshold& threshold) {
  return {{"relative", threshold.relative}, {"absolute", threshold.absolute}, {"pairs", threshold.pairs}};
}

NoiseThreshold noise_threshold_from_json(JsonReader reader) {
  NoiseThreshold threshold;
  threshold.relative = reader.number("relative");
  threshold.absolute = reader.number("absolute");
  threshold.pairs = static_cast<std::size_t>(reader.count("pairs"));
  if (threshold.relative < 0 || threshold.absolute < 0) reader.problem("", "a threshold is not negative");
  return threshold;
}

Json to_json(const Comparison& comparison) {
  Json cases = Json::array();
  for (const CaseVerdict& bench_case : comparison.cases) {
    cases.push_back({{"name", bench_case.name},
                     {"unit", bench_case.unit},
                     {"better", to_string(bench_case.better)},
                     {"paired", bench_case.paired},
                     {"baseline", bench_case.baseline},
                     {"candidate", bench_case.candidate},
                     {"ratio", to_json(bench_case.ratio)},
                     {"p", bench_case.p},
                     {"adjusted_p", bench_case.adjusted_p},
                     {"noise_threshold", to_json(bench_case.noise_threshold)},
                     {"instruction_ratio", number_or_null(bench_case.instruction_ratio)},
                     {"samples", bench_case.samples},
                     {"verdict", to_string(bench_case.verdict)},
                     {"reason", bench_case.reason}});
  }
  return {{"faster", comparison.count(Verdict::kFaster)},
          {"slower", comparison.count(Verdict::kSlower)},
          {"no_change", comparison.count(Verdict::kNoChange)},
          {"cannot_tell", comparison.count(Verdict::kCannotTell)},
          {"cases", cases}};
}

Comparison comparison_from_json(JsonReader reader) {
  Comparison comparison;
  for (JsonReader& entry : reader.objects("cases")) {
    CaseVerdict bench_case;
    bench_case.name = entry.text("name");
    bench_case.unit = entry.text("unit");
    const std::optional<Better> better = parse_better(entry.text("better"));
    if (!better) entry.problem("better", "expected \"lower\" or \"higher\"");
    bench_case.better = better.value_or(Better::kLower);
    bench_case.paired = entry.flag("paired");
    bench_case.baseline = entry.number("baseline");
    bench_case.candidate = entry.number("candidate");
    bench_case.ratio = interval_from_json(entry.object("ratio"));
    bench_case.p = entry.number("p");
    bench_case.adjusted_p = entry.number("adjusted_p");
    bench_case.noise_threshold = noise_threshold_from_json(entry.object("noise_threshold"));
    if (entry.has("instruction_ratio") && !entry.value()["instruction_ratio"].is_null()) {
      bench_case.instruction_ratio = entry.number("instruction_ratio");
    }
    bench_case.samples = static_cast<std::size_t>(entry.count("samples"));
    const std::optional<Verdict> verdict = parse_verdict(entry.text("verdict"));
    if (!verdict) entry.problem("verdict", "expected \"faster\", \"slower\", \"no change\" or \"cannot tell\"");
    bench_case.verdict = verdict.value_or(Verdict::kCannotTell);
    bench_case.reason = entry.text("reason");
    comparison.cases.push_back(std::move(bench_case));
  }
  return comparison;
}

}  // namespace godwit::measure
