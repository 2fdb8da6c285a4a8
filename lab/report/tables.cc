#include "report/tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "support/format.h"

namespace godwit::report {

namespace {

using measure::BenchmarkResult;
using measure::Breakdown;
using measure::Verdict;

std::string joined(const std::vector<std::string>& texts) {
  return fmt::format("{}", fmt::join(texts, ", "));
}

// Steps of the slower side alone move the limit: those that gain less are told in a sentence.
constexpr double kNoGain = 0.001;

// What makes a case less than a plain figure, in words.
std::string remarks_of(const BenchmarkResult& bench_case) {
  std::vector<std::string> remarks = bench_case.marks;
  if (!bench_case.verified) remarks.emplace_back("not verified");
  if (bench_case.steady == measure::SteadyClass::kNone) remarks.emplace_back("no steady state");
  const std::size_t severe = bench_case.summary.outliers.low_severe + bench_case.summary.outliers.high_severe;
  if (severe * 10 > bench_case.summary.count) remarks.push_back(fmt::format("{} severe outliers", severe));
  return joined(remarks);
}

std::string counts_of(const BenchmarkResult& bench_case) {
  std::vector<std::string> counts;
  for (const auto& [name, value] : bench_case.counts) counts.push_back(format_number(value) + " " + name);
  return joined(counts);
}

// Half the interval's width as a share of the median.
std::string precision_of(const measure::Interval& interval) {
  return interval.estimate == 0 ? "–" : "± " + format_percent(interval.half_width() / std::abs(interval.estimate));
}

const Breakdown* find_breakdown(const measure::Results& results, std::string_view name, std::string_view side) {
  const auto found = std::find_if(results.breakdowns.begin(), results.breakdowns.end(),
                                  [&](const Breakdown& b) { return b.name == name && b.side == side; });
  return found == results.breakdowns.end() ? nullptr : &*found;
}

// A change of a better-is-lower figure is good when it falls.
Tone tone_of_change(double share, measure::Better better) {
  if (std::abs(share) < 0.02) return Tone::kPlain;
  return (share > 0) == (better == measure::Better::kHigher) ? Tone::kGood : Tone::kBad;
}

}  // namespace

Tone tone_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kFaster: return Tone::kGood;
    case Verdict::kSlower: return Tone::kBad;
    case Verdict::kNoChange: return Tone::kPlain;
    case Verdict::kCannotTell: return Tone::kFaint;
  }
  return Tone::kPlain;
}

Tone tone_of(measure::FindingVerdict verdict) {
  switch (verdict) {
    case measure::FindingVerdict::kOk: return Tone::kGood;
    case measure::FindingVerdict::kCosts: return Tone::kWarning;
    case measure::FindingVerdict::kInvalid: return Tone::kBad;
    case measure::FindingVerdict::kUnknown: return Tone::kFaint;
  }
  return Tone::kPlain;
}

std::string step_label(trace::CostStep step) {
  std::string label(trace::cost_step_name(step));
  std::replace(label.begin(), label.end(), '_', ' ');
  return label;
}

Table benchmark_table(const measure::Results& results, std::string_view prefix) {
  Table table{.columns = {{.title = "benchmark"},
                          {.title = "median", .right = true},
                          {.title = "95 % interval", .right = true},
                          {.title = "spread", .right = true, .minor = true},
                          {.title = "runs", .right = true, .minor = true},
                          {.title = "exact counts", .minor = true},
                          {.title = "remarks"}}};
  for (const BenchmarkResult& bench_case : results.benchmarks) {
    if (!bench_case.name.starts_with(prefix)) continue;
    const measure::Interval& median = bench_case.summary.median;
    const double spread = median.estimate == 0 ? 0 : bench_case.summary.deviation / std::abs(median.estimate);
    const std::string remarks = remarks_of(bench_case);
    table.rows.push_back({{bench_case.name},
                          {format_value(median.estimate, bench_case.unit), Tone::kStrong},
                          {precision_of(median)},
                          {format_percent(spread), spread > 0.15 ? Tone::kWarning : Tone::kPlain},
                          {std::to_string(bench_case.summary.count)},
                          {counts_of(bench_case), Tone::kFaint},
                          {remarks, Tone::kWarning}});
  }
  return table;
}

Table latency_table(const measure::Results& results, std::string_view prefix) {
  Table table{.columns = {{.title = "benchmark"}}};
  for (const double percentile : measure::kReportedPercentiles) {
    table.columns.push_back({.title = fmt::format("p{}", percentile), .right = true, .minor = percentile == 90});
  }
  table.columns.push_back({.title = "highest", .right = true});
  table.columns.push_back({.title = "samples", .right = true, .minor = true});
  for (const BenchmarkResult& bench_case : results.benchmarks) {
    if (!bench_case.distribution || !bench_case.name.starts_with(prefix)) continue;
    std::vector<Cell> cells = {{bench_case.name}};
    for (const double percentile : measure::kReportedPercentiles) {
      const auto value = static_cast<double>(bench_case.distribution->percentile(percentile));
      // A percentile beyond the number of samples is only the highest of them.
      const bool known = static_cast<double>(bench_case.distribution->count()) * (1 - percentile / 100) >= 1;
      cells.push_back({known ? format_value(value, bench_case.distribution_unit) : "–"});
    }
    cells.push_back(
        {format_value(static_cast<double>(bench_case.distribution->maximum()), bench_case.distribution_unit)});
    cells.push_back({std::to_string(bench_case.distribution->count()), Tone::kFaint});
    table.rows.push_back(std::move(cells));
  }
  return table;
}

Table breakdown_table(const Breakdown& breakdown) {
  Table table{.title = breakdown.name + ", " + breakdown.side,
              .columns = {{.title = "step"},
                          {.title = "belongs to", .minor = true},
                          {.title = "ns a packet", .right = true},
                          {.title = "share", .right = true},
                          {.title = "samples a packet", .right = true, .minor = true},
                          {.title = "sample p50", .right = true, .minor = true},
                          {.title = "sample p99", .right = true, .minor = true},
                          {.title = "packets/s if free", .right = true}}};
  for (const measure::BreakdownStep& step : breakdown.steps) {
    table.rows.push_back(
        {{step_label(step.step)},
         {std::string(measure::to_string(measure::group_of(step.step))), Tone::kFaint},
         {format_number(step.nanoseconds), Tone::kStrong},
         {format_percent(step.share)},
         {format_number(step.samples)},
         {format_value(step.sample_p50, "ns")},
         {format_value(step.sample_p99, "ns")},
         {step.free_packets_per_second > 0 ? format_value(step.free_packets_per_second, "count") : "–"}});
  }
  table.rows.push_back({{"sum of the steps", Tone::kStrong},
                        {""},
                        {format_number(breakdown.sum_nanoseconds), Tone::kStrong},
                        {"100 %"},
                        {""},
                        {""},
                        {""},
                        {format_value(breakdown.packets_per_second(), "count")}});
  if (breakdown.plain_nanoseconds) {
    table.rows.push_back({{"whole without probes"},
                          {""},
                          {format_number(breakdown.plain_nanoseconds->estimate)},
                          {format_change(breakdown.plain_nanoseconds->estimate / breakdown.sum_nanoseconds - 1)},
                          {""},
                          {""},
                          {""},
                          {""}});
  }
  const double own = breakdown.own_nanoseconds();
  table.note =
      fmt::format("{} The transport's own cost is {} ns a packet ({} {:.0f} ns). A probe costs {} ns and is taken off.",
                  breakdown.verdict(), format_number(own), own <= measure::kOwnTargetNanoseconds ? "within" : "above",
                  measure::kOwnTargetNanoseconds, format_number(breakdown.probe_nanoseconds));
  return table;
}

Table limits_table(const measure::Results& results, std::string_view name) {
  Table table{.title = "Limits of " + std::string(name),
              .columns = {{.title = "if this were free"},
                          {.title = "packets/s", .right = true, .minor = true},
                          {.title = "goodput", .right = true},
                          {.title = "gain", .right = true}}};
  const Breakdown* sender = find_breakdown(results, name, "sender");
  const Breakdown* receiver = find_breakdown(results, name, "receiver");
  if (sender == nullptr && receiver == nullptr) return table;
  // One side alone is its own pipeline.
  const Breakdown nothing;
  const std::vector<measure::PipelineLimit> limits =
      sender == nullptr ? measure::pipeline_limits(*receiver, nothing)
                        : measure::pipeline_limits(*sender, receiver == nullptr ? nothing : *receiver);
  bool others_gain_nothing = false;
  for (const measure::PipelineLimit& limit : limits) {
    const bool first = limit.side.empty();
    if (!first && limit.gain < kNoGain) {
      others_gain_nothing = true;
      continue;
    }
    table.rows.push_back(
        {{first ? "nothing: as it is" : fmt::format("{} of the {}", step_label(limit.step), limit.side),
          first ? Tone::kStrong : Tone::kPlain},
         {format_value(limit.packets_per_second, "count")},
         {format_value(limit.bits_per_second, "bit/s")},
         {first ? "" : format_change(limit.gain), limit.gain >= 0.05 ? Tone::kGood : Tone::kFaint}});
  }
  const std::string others =
      others_gain_nothing ? fmt::format(" Any other step, were it free: less than {}.", format_change(kNoGain)) : "";
  if (sender != nullptr && receiver != nullptr) {
    table.note = fmt::format("Each side has a processor to itself; the {} sets the pace.",
                             sender->sum_nanoseconds >= receiver->sum_nanoseconds ? "sender" : "receiver") +
                 others;
  }
  return table;
}

Table comparison_table(const measure::Comparison& comparison, bool changes_only) {
  Table table{.columns = {{.title = "benchmark"},
                          {.title = "before", .right = true, .minor = true},
                          {.title = "after", .right = true, .minor = true},
                          {.title = "change", .right = true},
                          {.title = "95 % interval", .right = true},
                          {.title = "verdict"},
                          {.title = "why", .minor = true}}};
  for (const measure::CaseVerdict& bench_case : comparison.cases) {
    if (changes_only && bench_case.verdict != Verdict::kFaster && bench_case.verdict != Verdict::kSlower) continue;
    const bool measured = bench_case.ratio.high > 0;
    table.rows.push_back({{bench_case.name},
                          {format_value(bench_case.baseline, bench_case.unit)},
                          {format_value(bench_case.candidate, bench_case.unit)},
                          {measured ? format_change(bench_case.ratio.estimate - 1) : "–", tone_of(bench_case.verdict)},
                          {measured ? fmt::format("{} … {}", format_change(bench_case.ratio.low - 1),
                                                  format_change(bench_case.ratio.high - 1))
                                    : "–"},
                          {std::string(to_string(bench_case.verdict)), tone_of(bench_case.verdict)},
                          {bench_case.reason, Tone::kFaint}});
  }
  table.note = fmt::format("{} faster, {} slower, {} without change, {} cannot be told.",
                           comparison.count(Verdict::kFaster), comparison.count(Verdict::kSlower),
                           comparison.count(Verdict::kNoChange), comparison.count(Verdict::kCannotTell));
  return table;
}

Table ablation_table(const measure::Ablation& ablation) {
  Table table{.title = ablation.title,
              .columns = {{.title = "step"},
                          {.title = "value", .right = true},
                          {.title = "95 % interval", .right = true},
                          {.title = "by this step", .right = true},
                          {.title = "note", .minor = true}}};
  double before = 0;
  for (const measure::Ablation::Step& step : ablation.steps) {
    const bool first = table.rows.empty();
    const double change = before != 0 ? step.value.estimate / before - 1 : 0;
    table.rows.push_back(
        {{step.label},
         {format_value(step.value.estimate, ablation.unit), Tone::kStrong},
         {precision_of(step.value)},
         {first ? "" : format_change(change), first ? Tone::kPlain : tone_of_change(change, ablation.better)},
         {step.note, Tone::kFaint}});
    before = step.value.estimate;
  }
  return table;
}

Table curves_table(const measure::Curves& curves) {
  Table table{.title = curves.title, .columns = {{.title = curves.x_label, .right = true}}};
  std::set<double> positions;
  for (const measure::Curves::Line& line : curves.lines) {
    table.columns.push_back({.title = line.label, .right = true});
    for (const measure::Curves::Point& point : line.points) positions.insert(point.x);
  }
  for (const double x : positions) {
    std::vector<Cell> cells = {{format_number(x)}};
    for (const measure::Curves::Line& line : curves.lines) {
      const auto found =
          std::find_if(line.points.begin(), line.points.end(), [x](const auto& point) { return point.x == x; });
      if (found == line.points.end()) {
        cells.push_back({"–", Tone::kFaint});
      } else {
        cells.push_back({format_value(found->value.estimate, curves.unit) + " " + precision_of(found->value)});
      }
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

Table grid_table(const measure::Grid& grid) {
  Table table{.title = grid.title, .columns = {{.title = grid.row_label + " \\ " + grid.column_label}}};
  for (const std::string& column : grid.columns) table.columns.push_back({.title = column, .right = true});
  for (std::size_t r = 0; r < grid.rows.size(); ++r) {
    std::vector<Cell> cells = {{grid.rows[r]}};
    for (std::size_t c = 0; c < grid.columns.size(); ++c) {
      const auto& cell = grid.cells[r * grid.columns.size() + c];
      cells.push_back(cell ? Cell{format_value(cell->estimate, grid.unit) + " " + precision_of(*cell)}
                           : Cell{"–", Tone::kFaint});
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

Table environment_table(const measure::EnvironmentReport& report, bool complaints_only) {
  Table table{
      .columns = {
          {.title = "verdict"}, {.title = "what"}, {.title = "found"}, {.title = "costs"}, {.title = "remedy"}}};
  for (const measure::Finding& finding : report.findings) {
    if (complaints_only && finding.verdict == measure::FindingVerdict::kOk) continue;
    std::string cost = finding.cost;
    if (!finding.levels.empty()) cost += fmt::format(" (voids level {})", fmt::join(finding.levels, ", "));
    table.rows.push_back({{std::string(to_string(finding.verdict)), tone_of(finding.verdict)},
                          {finding.name},
                          {finding.value},
                          {cost},
                          {finding.fix, Tone::kFaint}});
  }
  return table;
}

Table machine_table(const measure::Results& results) {
  const measure::Fingerprint& f = results.fingerprint;
  Table table{.columns = {{.title = "what"}, {.title = "value"}}};
  const auto add = [&table](const char* what, std::string value) {
    table.rows.push_back({{what}, {std::move(value)}});
  };
  add("date", results.started_at);
  add("mode",
      fmt::format("{}, {} of measuring, seed {}", results.mode, format_duration(results.seconds), results.seed));
  add("processor", fmt::format("{} ({}), {} online, virtualization: {}", f.processor, f.processor_id, f.processors,
                               f.virtualization));
  add("governor, turbo, SMT", fmt::format("{}, {}, {}", f.governor, f.turbo, f.smt));
  add("memory", format_value(static_cast<double>(f.memory_bytes), "bytes"));
  add("system", fmt::format("Linux {}, {}", f.kernel, f.distribution));
  add("build", fmt::format("{}, {}, {}", f.compiler, f.build_type, f.flags));
  add("commit", f.commit + (f.dirty ? " with changes" : ""));
  std::vector<std::string> libraries;
  for (const auto& [name, version] : f.libraries) libraries.push_back(name + " " + version);
  add("libraries", joined(libraries));
  add("cipher", f.cipher.empty() ? "not chosen" : f.cipher);
  if (!results.marks.empty()) add("marks", joined(results.marks));
  return table;
}

Table noise_table(const measure::Results& results, std::string_view prefix) {
  Table table{.columns = {{.title = "benchmark"},
                          {.title = "threshold", .right = true},
                          {.title = "absolute", .right = true},
                          {.title = "A/A pairs", .right = true}}};
  for (const BenchmarkResult& bench_case : results.benchmarks) {
    if (!bench_case.noise_threshold || !bench_case.name.starts_with(prefix)) continue;
    table.rows.push_back(
        {{bench_case.name},
         {format_percent(bench_case.noise_threshold->relative), Tone::kStrong},
         {format_value(bench_case.noise_threshold->absolute, bench_case.unit)},
         {bench_case.noise_threshold->measured() ? std::to_string(bench_case.noise_threshold->pairs) : "assumed"}});
  }
  return table;
}

}  // namespace godwit::report
