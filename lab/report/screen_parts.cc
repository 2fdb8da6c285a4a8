// What the screen and the HTML page say alike: tables and sentences from a summary.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/screen.h"
#include "support/format.h"

namespace godwit::report {

namespace {

using measure::AnalysisSummary;
using measure::CostGroup;
using measure::Range;
using measure::ScenarioSummary;
using measure::SideSummary;

constexpr std::size_t kNamedCases = 3;

std::string dash_or(const std::optional<SideSummary>& side, const auto& text_of) {
  return side ? text_of(*side) : std::string("–");
}

std::string format_shares(const Range& share) {
  const std::string low = format_percent(share.low);
  const std::string high = format_percent(share.high);
  if (share.is_figure() || low == high) return high;
  return fmt::format("{}–{}", low.substr(0, low.find(' ')), high);
}

// The component that takes most of the slower side.
CostGroup dearest_component(const SideSummary& side) {
  return std::max_element(
             side.components.begin(), side.components.end(),
             [](const auto& one, const auto& other) { return one.nanoseconds.middle() < other.nanoseconds.middle(); })
      ->group;
}

const SideSummary& slower_side(const ScenarioSummary& scenario) {
  return scenario.slower_side() == "sender" ? *scenario.sender : *scenario.receiver;
}

void append_sums(std::string& text, const ScenarioSummary& scenario, std::string_view when) {
  const auto missed = [](const std::optional<SideSummary>& side) {
    return side && side->remainder_share ? format_percent(std::abs(*side->remainder_share))
                                         : std::string("an unknown share");
  };
  const bool known = (scenario.sender && scenario.sender->remainder_share) ||
                     (scenario.receiver && scenario.receiver->remainder_share);
  if (!known) return;
  text += fmt::format("{}{} (sender) and {} (receiver) {}", text.empty() ? "" : ", ", missed(scenario.sender),
                      missed(scenario.receiver), when);
}

std::string named_cases(const measure::Comparison& comparison, measure::Verdict verdict) {
  std::vector<std::string> names;
  const std::size_t all = comparison.count(verdict);
  for (const measure::CaseVerdict& bench_case : comparison.cases) {
    if (bench_case.verdict != verdict || names.size() == kNamedCases) continue;
    names.push_back(fmt::format("{} {}", bench_case.name, format_change(bench_case.ratio.estimate - 1)));
  }
  std::string text = fmt::format("{}", fmt::join(names, ", "));
  if (all > names.size()) text += fmt::format(" and {} more", all - names.size());
  return text;
}

}  // namespace

std::string component_label(CostGroup group) {
  return group == CostGroup::kKernel ? "kernel calls" : std::string(measure::to_string(group));
}

std::string format_range(const Range& range) {
  if (!std::isfinite(range.high)) return std::isfinite(range.low) ? "≥ " + format_number(range.low) : "unbounded";
  const std::string low = format_number(range.low);
  const std::string high = format_number(range.high);
  return range.is_figure() || low == high ? high : low + "–" + high;
}

std::string format_range(const Range& range, std::string_view unit) {
  const Scale scale = scale_for(std::isfinite(range.high) ? range.high : range.low, unit);
  const std::string numbers = format_range({range.low * scale.factor, range.high * scale.factor});
  return scale.unit.empty() ? numbers : numbers + " " + scale.unit;
}

std::string format_gain(const Range& gain) {
  if (!std::isfinite(gain.high)) return std::isfinite(gain.low) ? "≥ " + format_change(gain.low) : "unbounded";
  const std::string low = format_change(gain.low);
  const std::string high = format_change(gain.high);
  if (gain.is_figure() || low == high) return high;
  return fmt::format("{} … {}", low, high);
}

std::string scenario_title(const ScenarioSummary& scenario) {
  std::string title = scenario.name;
  if (scenario.name == measure::kShippedScenario) title = "A full packet of a stream, as shipped";
  if (scenario.name == measure::kSingleScenario) title = "The same with one datagram per system call";
  std::string how = scenario.backend.empty() ? "" : "back end " + scenario.backend;
  if (scenario.datagrams_per_send_call && *scenario.datagrams_per_send_call > 1.5) {
    how += fmt::format("{}{} datagrams per send call", how.empty() ? "" : ", ",
                       format_number(*scenario.datagrams_per_send_call));
  }
  return how.empty() ? title : title + ": " + how;
}

Table component_table(const ScenarioSummary& scenario, bool with_shares) {
  Table table{.columns = {{.title = "Component"}, {.title = "sender ns", .right = true}}};
  if (with_shares) table.columns.push_back({.title = "%", .right = true});
  table.columns.push_back({.title = "receiver ns", .right = true});
  if (with_shares) table.columns.push_back({.title = "%", .right = true});
  const auto add_row = [&](const std::string& label, Tone tone, const auto& nanoseconds_of, const auto& share_of) {
    std::vector<Cell> cells = {{label, tone}};
    for (const std::optional<SideSummary>* const side : {&scenario.sender, &scenario.receiver}) {
      cells.push_back({dash_or(*side, nanoseconds_of), tone});
      if (with_shares) cells.push_back({dash_or(*side, share_of)});
    }
    table.rows.push_back(std::move(cells));
  };
  for (const CostGroup group :
       {CostGroup::kKernel, CostGroup::kCipher, CostGroup::kDigest, CostGroup::kOwn, CostGroup::kApplication}) {
    add_row(
        component_label(group), Tone::kPlain,
        [group](const SideSummary& side) { return format_range(side.of(group).nanoseconds); },
        [group](const SideSummary& side) { return format_shares(side.of(group).share); });
  }
  add_row(
      "total", Tone::kStrong, [](const SideSummary& side) { return format_range(side.total); },
      [](const SideSummary&) { return std::string("100 %"); });
  return table;
}

Table rates_table(const AnalysisSummary& summary) {
  // One unit for all goodputs, so that the columns stay narrow.
  const Scale scale = scale_for(summary.shipped ? summary.shipped->bits_per_second.high : 0, "bit/s");
  Table table{.columns = {{.title = "Limits"},
                          {.title = "packets/s", .right = true},
                          {.title = scale.unit, .right = true},
                          {.title = "without calls", .right = true},
                          {.title = "measured end to end", .right = true, .minor = true}}};
  const auto scaled = [&scale](const Range& range) {
    return format_range({range.low * scale.factor, range.high * scale.factor});
  };
  const auto add = [&](const ScenarioSummary& scenario, std::string label) {
    table.rows.push_back({{std::move(label)},
                          {format_range(scenario.packets_per_second, "count"), Tone::kStrong},
                          {scaled(scenario.bits_per_second)},
                          {scaled(scenario.bits_per_second_without_calls)},
                          {scenario.delivered ? format_number(scenario.delivered->estimate * scale.factor) : "–"}});
  };
  if (summary.shipped) {
    add(*summary.shipped, summary.shipped->name == measure::kShippedScenario ? "as shipped" : summary.shipped->name);
  }
  if (summary.single) add(*summary.single, "one per call");
  return table;
}

Table gains_table(const AnalysisSummary& summary) {
  Table table{.columns = {{.title = "What would gain most"},
                          {.title = "at half cost", .right = true},
                          {.title = "if free", .right = true},
                          {.title = "packets/s then", .right = true, .minor = true}}};
  for (const measure::ChangeGain& gain : summary.changes) {
    if (table.rows.size() == kShownChanges) break;
    table.rows.push_back({{fmt::format("{}. {}", table.rows.size() + 1, gain.what)},
                          {format_gain(gain.halved)},
                          {format_gain(gain.free), Tone::kStrong},
                          {format_range(gain.free_packets_per_second, "count")}});
  }
  return table;
}

std::string sums_sentence(const AnalysisSummary& summary) {
  std::string text;
  if (summary.shipped) append_sums(text, *summary.shipped, summary.single ? "as shipped" : "");
  if (summary.single) append_sums(text, *summary.single, "with one datagram per call");
  if (text.empty()) return "";
  text = "The parts miss the measured whole by " + text.substr(0, text.find_last_not_of(' ') + 1) + ".";
  const bool ranges =
      (summary.shipped && !summary.shipped->sums_up()) || (summary.single && !summary.single->sums_up());
  if (ranges) {
    text += fmt::format(" Beyond {:.0f} % the difference may belong to any part: ranges stand for figures.",
                        measure::kBreakdownTolerance * 100);
  }
  return text;
}

std::string key_finding(const AnalysisSummary& summary) {
  if (!summary.shipped) return "";
  const ScenarioSummary& shipped = *summary.shipped;
  const SideSummary& slower = slower_side(shipped);
  const CostGroup dearest = dearest_component(slower);
  std::string text = fmt::format(
      "The {} sets the pace with {} ns per packet, of which {} {}", shipped.slower_side(), format_range(slower.total),
      dearest == CostGroup::kKernel ? "kernel calls take" : "the " + component_label(dearest) + " takes",
      format_shares(slower.of(dearest).share));
  if (dearest != CostGroup::kOwn) {
    text += fmt::format(" and Godwit's own transport takes {}", format_shares(slower.of(CostGroup::kOwn).share));
  }
  if (summary.single) {
    const SideSummary& single = slower_side(*summary.single);
    const double low = slower.total.high > 0 ? single.total.low / slower.total.high : 0;
    const double high = slower.total.low > 0 ? single.total.high / slower.total.low : 0;
    text += fmt::format("; one datagram per system call costs {} times as much, {} of it in {}",
                        format_range({low, high}), format_shares(single.of(dearest_component(single)).share),
                        component_label(dearest_component(single)));
  }
  return text + ".";
}

std::vector<std::string> suite_sentences(const measure::Results& results) {
  std::vector<std::string> sentences;
  std::size_t cases = 0;
  std::size_t verified = 0;
  for (const measure::BenchmarkResult& bench_case : results.benchmarks) {
    if (bench_case.name.starts_with("level2/analyze/")) continue;
    ++cases;
    verified += bench_case.verified ? 1 : 0;
  }
  if (cases > 0) {
    sentences.push_back(verified == cases ? fmt::format("Benchmarks: {} cases, every result verified.", cases)
                                          : fmt::format("Benchmarks: {} cases, of which {} are NOT verified.", cases,
                                                        cases - verified));
  }
  if (results.comparison) {
    using measure::Verdict;
    const measure::Comparison& comparison = *results.comparison;
    std::string text = fmt::format("Compared: {} slower, {} faster, {} unchanged, {} cannot be told.",
                                   comparison.count(Verdict::kSlower), comparison.count(Verdict::kFaster),
                                   comparison.count(Verdict::kNoChange), comparison.count(Verdict::kCannotTell));
    if (comparison.count(Verdict::kSlower) > 0) text += " Slower: " + named_cases(comparison, Verdict::kSlower) + ".";
    if (comparison.count(Verdict::kFaster) > 0) text += " Faster: " + named_cases(comparison, Verdict::kFaster) + ".";
    sentences.push_back(std::move(text));
  }
  return sentences;
}

Fitness fitness_of(const measure::Results& results) {
  Fitness fitness;
  std::vector<bool> used(measure::kLevels, false);
  if (!results.breakdowns.empty()) used[2] = true;
  for (const measure::BenchmarkResult& bench_case : results.benchmarks) {
    if (bench_case.level >= 0 && bench_case.level < measure::kLevels)
      used[static_cast<std::size_t>(bench_case.level)] = true;
  }
  for (int level = 0; level < measure::kLevels; ++level) {
    if (!used[static_cast<std::size_t>(level)]) continue;
    for (std::string& reason : results.environment.reasons_against(level)) {
      if (std::find(fitness.reasons.begin(), fitness.reasons.end(), reason) == fitness.reasons.end())
        fitness.reasons.push_back(std::move(reason));
    }
  }
  const std::string& build = results.fingerprint.build_type;
  if (build != "Release" && build != "RelWithDebInfo") {
    fitness.reasons.push_back("the build is of type " + (build.empty() ? std::string("unknown") : build));
  }
  // Files that were put together from several runs keep the marks of each.
  for (const std::string& mark : results.marks) {
    if (mark.starts_with("environment unfit") && fitness.reasons.empty()) fitness.reasons.push_back(mark);
  }
  for (const measure::Finding& finding : results.environment.findings) {
    if (finding.verdict == measure::FindingVerdict::kCosts) fitness.drawbacks.push_back(finding.name);
  }
  fitness.fit = fitness.reasons.empty();
  return fitness;
}

std::string unfit_warning(const std::vector<std::string>& reasons) {
  return fmt::format("NOT FIT TO MEASURE ON: {}. Do not quote these figures.", fmt::join(reasons, "; "));
}

std::string Fitness::sentence() const {
  if (!fit) return unfit_warning(reasons);
  if (drawbacks.empty()) return "The machine was fit to measure on.";
  return fmt::format("The machine was fit to measure on, at a cost to accuracy: {}.", fmt::join(drawbacks, ", "));
}

}  // namespace godwit::report
