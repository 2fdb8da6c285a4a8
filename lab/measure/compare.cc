#include "measure/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "base/assert.h"
#include "support/json.h"
#include "measure/rank_tests.h"

namespace godwit::measure {

namespace {

// Below half a percent nobody acts, and code placement alone moves that much (Mytkowicz et al., ASPLOS 2009).
constexpr double kLeastRelativeFloor = 0.005;
constexpr double kFloorConfidence = 0.99;

bool all_positive(std::span<const double> values) {
  return std::all_of(values.begin(), values.end(), [](double value) { return value > 0 && std::isfinite(value); });
}

std::vector<double> logarithms_of_ratios(const ComparisonRow& row) {
  std::vector<double> logarithms(row.baseline.size());
  for (std::size_t i = 0; i < logarithms.size(); ++i) logarithms[i] = std::log(row.candidate[i] / row.baseline[i]);
  return logarithms;
}

// Numbers only; the verdict needs the p values of all rows.
RowVerdict measure_row(const ComparisonRow& row, const ComparisonOptions& options) {
  RowVerdict result;
  result.name = row.name;
  result.unit = row.unit;
  result.better = row.better;
  result.paired = row.paired;
  result.floor = row.floor;
  result.instruction_ratio = row.instruction_ratio;
  result.samples = std::min(row.baseline.size(), row.candidate.size());
  if (!row.paired) {
    result.floor.relative *= options.unpaired_floor_factor;
    result.floor.absolute *= options.unpaired_floor_factor;
  }
  if (result.samples == 0) {
    result.reason = "no samples";
    return result;
  }
  if (!all_positive(row.baseline) || !all_positive(row.candidate)) {
    result.reason = "a sample is not positive";
    return result;
  }
  GODWIT_ASSERT(!row.paired || row.baseline.size() == row.candidate.size());
  result.baseline = median(row.baseline);
  result.candidate = median(row.candidate);
  const BootstrapOptions bootstrap{
      .confidence = options.confidence, .resamples = options.resamples, .seed = options.seed};
  result.ratio = row.paired ? paired_ratio(row.baseline, row.candidate, bootstrap)
                            : unpaired_ratio(row.baseline, row.candidate, bootstrap);
  result.p = row.paired ? wilcoxon_signed_rank(logarithms_of_ratios(row)) : mann_whitney(row.baseline, row.candidate).p;
  return result;
}

// Of a row that time cannot tell. Instructions are exact, but they are not time: where the measured time points the
// other way by more than the floor, they do not decide.
void judge_by_instructions(RowVerdict& row) {
  if (row.verdict != Verdict::kCannotTell || !row.instruction_ratio) return;
  const double change = *row.instruction_ratio - 1;
  if (std::abs(change) <= kInstructionFloor) {
    row.reason += ", as many instructions";
    return;
  }
  const double time = row.ratio.estimate - 1;
  if (time * change < 0 && std::abs(time) > row.floor.relative) {
    row.reason += fmt::format(", {:+.1f} % instructions", change * 100);
    return;
  }
  row.verdict = change > 0 ? Verdict::kSlower : Verdict::kFaster;
  row.reason = fmt::format("{:+.1f} % instructions; by time alone {}", change * 100, row.reason);
}

void judge(RowVerdict& row, const ComparisonOptions& options, std::size_t rows) {
  if (!row.reason.empty()) return;  // could not be measured
  const double alpha = options.family_alpha / static_cast<double>(options.looks);
  const double change = row.ratio.estimate - 1;
  const double difference = std::abs(change) * row.baseline;
  const bool significant = row.adjusted_p < alpha && !row.ratio.contains(1);
  const bool beyond_relative = std::abs(change) > row.floor.relative;
  const bool beyond_absolute = difference > row.floor.absolute;
  if (significant && beyond_relative && beyond_absolute) {
    const bool more = change > 0;
    row.verdict = more == (row.better == Better::kHigher) ? Verdict::kFaster : Verdict::kSlower;
    row.reason = fmt::format("beyond the floor of {:.1f} %, p = {:.2g}", row.floor.relative * 100, row.adjusted_p);
    return;
  }
  // Equivalence: the interval says that an effect larger than the floor is not there.
  if (row.ratio.low >= 1 - row.floor.relative && row.ratio.high <= 1 + row.floor.relative) {
    row.verdict = Verdict::kNoChange;
    row.reason = fmt::format("within the floor of {:.1f} %", row.floor.relative * 100);
    return;
  }
  row.verdict = Verdict::kCannotTell;
  const std::size_t needed = pairs_needed(rows, alpha);
  if (row.paired && row.samples < needed) {
    row.reason = fmt::format("{} pairs are too few for {} rows: at least {}", row.samples, rows, needed);
  } else if (!significant) {
    row.reason = fmt::format("chance is not excluded, p = {:.2g}", row.adjusted_p);
  } else if (!beyond_relative) {
    row.reason = fmt::format("{:+.1f} % is within the floor of {:.1f} %", change * 100, row.floor.relative * 100);
  } else {
    row.reason = fmt::format("{:.3g} {} are within the floor of {:.3g}", difference, row.unit, row.floor.absolute);
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

NoiseFloor noise_floor(std::span<const double> first, std::span<const double> second) {
  GODWIT_ASSERT(first.size() == second.size() && !first.empty());
  const BootstrapOptions options{.confidence = kFloorConfidence};
  const Interval ratio = paired_ratio(first, second, options);
  std::vector<double> differences(first.size());
  for (std::size_t i = 0; i < first.size(); ++i) differences[i] = second[i] - first[i];
  const Interval difference = bootstrap_median(differences, options);
  NoiseFloor floor;
  floor.relative = std::max({std::abs(ratio.low - 1), std::abs(ratio.high - 1), kLeastRelativeFloor});
  floor.absolute = std::max(std::abs(difference.low), std::abs(difference.high));
  floor.pairs = first.size();
  return floor;
}

NoiseFloor assumed_floor(int level) {
  constexpr std::array<double, 4> kRelative = {0.02, 0.05, 0.10, 0.15};
  return {.relative = kRelative[static_cast<std::size_t>(std::clamp(level, 0, 3))], .absolute = 0, .pairs = 0};
}

NoiseFloor paired_floor(int level) {
  constexpr std::array<double, 4> kRelative = {0.02, 0.025, 0.10, 0.15};
  return {.relative = kRelative[static_cast<std::size_t>(std::clamp(level, 0, 3))], .absolute = 0, .pairs = 0};
}

NoiseFloor worst_of(const NoiseFloor& one, const NoiseFloor& other) {
  return {.relative = std::max(one.relative, other.relative),
          .absolute = std::max(one.absolute, other.absolute),
          .pairs = one.pairs + other.pairs};
}

std::size_t Comparison::count(Verdict verdict) const {
  return static_cast<std::size_t>(
      std::count_if(rows.begin(), rows.end(), [verdict](const RowVerdict& row) { return row.verdict == verdict; }));
}

int Comparison::exit_code() const {
  if (count(Verdict::kSlower) > 0) return 1;
  return count(Verdict::kCannotTell) == rows.size() ? 2 : 0;
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

std::size_t pairs_needed(std::size_t rows, double family_alpha) {
  std::size_t pairs = 1;
  while (std::ldexp(1.0, 1 - static_cast<int>(pairs)) * static_cast<double>(std::max<std::size_t>(1, rows)) >=
         family_alpha) {
    ++pairs;
  }
  return pairs;
}

Comparison compare(std::span<const ComparisonRow> rows, const ComparisonOptions& options) {
  Comparison comparison;
  std::vector<double> p_values;
  for (const ComparisonRow& row : rows) {
    comparison.rows.push_back(measure_row(row, options));
    p_values.push_back(comparison.rows.back().p);
  }
  const std::vector<double> adjusted = holm_adjust(p_values);
  for (std::size_t i = 0; i < comparison.rows.size(); ++i) {
    comparison.rows[i].adjusted_p = adjusted[i];
    judge(comparison.rows[i], options, rows.size());
    judge_by_instructions(comparison.rows[i]);
  }
  return comparison;
}

Comparison settle(const Comparison& earlier, const Comparison& later) {
  Comparison settled = later;
  for (RowVerdict& row : settled.rows) {
    const auto before = std::find_if(earlier.rows.begin(), earlier.rows.end(),
                                     [&row](const RowVerdict& other) { return other.name == row.name; });
    if (before != earlier.rows.end() && before->verdict != Verdict::kCannotTell) row = *before;
  }
  return settled;
}

Json to_json(const NoiseFloor& floor) {
  return {{"relative", floor.relative}, {"absolute", floor.absolute}, {"pairs", floor.pairs}};
}

NoiseFloor noise_floor_from_json(JsonReader reader) {
  NoiseFloor floor;
  floor.relative = reader.number("relative");
  floor.absolute = reader.number("absolute");
  floor.pairs = static_cast<std::size_t>(reader.count("pairs"));
  if (floor.relative < 0 || floor.absolute < 0) reader.problem("", "a floor is not negative");
  return floor;
}

Json to_json(const Comparison& comparison) {
  Json rows = Json::array();
  for (const RowVerdict& row : comparison.rows) {
    rows.push_back({{"name", row.name},
                    {"unit", row.unit},
                    {"better", to_string(row.better)},
                    {"paired", row.paired},
                    {"baseline", row.baseline},
                    {"candidate", row.candidate},
                    {"ratio", to_json(row.ratio)},
                    {"p", row.p},
                    {"adjusted_p", row.adjusted_p},
                    {"floor", to_json(row.floor)},
                    {"instruction_ratio", number_or_null(row.instruction_ratio)},
                    {"samples", row.samples},
                    {"verdict", to_string(row.verdict)},
                    {"reason", row.reason}});
  }
  return {{"faster", comparison.count(Verdict::kFaster)},
          {"slower", comparison.count(Verdict::kSlower)},
          {"no_change", comparison.count(Verdict::kNoChange)},
          {"cannot_tell", comparison.count(Verdict::kCannotTell)},
          {"rows", rows}};
}

Comparison comparison_from_json(JsonReader reader) {
  Comparison comparison;
  for (JsonReader& entry : reader.objects("rows")) {
    RowVerdict row;
    row.name = entry.text("name");
    row.unit = entry.text("unit");
    const std::optional<Better> better = parse_better(entry.text("better"));
    if (!better) entry.problem("better", "expected \"lower\" or \"higher\"");
    row.better = better.value_or(Better::kLower);
    row.paired = entry.flag("paired");
    row.baseline = entry.number("baseline");
    row.candidate = entry.number("candidate");
    row.ratio = interval_from_json(entry.object("ratio"));
    row.p = entry.number("p");
    row.adjusted_p = entry.number("adjusted_p");
    row.floor = noise_floor_from_json(entry.object("floor"));
    if (entry.has("instruction_ratio") && !entry.value()["instruction_ratio"].is_null()) {
      row.instruction_ratio = entry.number("instruction_ratio");
    }
    row.samples = static_cast<std::size_t>(entry.count("samples"));
    const std::optional<Verdict> verdict = parse_verdict(entry.text("verdict"));
    if (!verdict) entry.problem("verdict", "expected \"faster\", \"slower\", \"no change\" or \"cannot tell\"");
    row.verdict = verdict.value_or(Verdict::kCannotTell);
    row.reason = entry.text("reason");
    comparison.rows.push_back(std::move(row));
  }
  return comparison;
}

}  // namespace godwit::measure
