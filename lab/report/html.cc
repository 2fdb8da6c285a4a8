#include "report/html.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/assert.h"
#include "report/charts.h"
#include "report/tables.h"
#include "support/format.h"
#include "support/html_style.h"

namespace godwit::report {

namespace {

using measure::Results;

constexpr const char* kLevelTitles[] = {"Level 0: pure computation", "Level 1: protocol logic in memory",
                                        "Level 2: system calls", "Level 3: system limits"};

const char* css_of(Tone tone) {
  switch (tone) {
    case Tone::kPlain: return "";
    case Tone::kGood: return "good";
    case Tone::kBad: return "bad";
    case Tone::kWarning: return "warn";
    case Tone::kFaint: return "faint";
    case Tone::kStrong: return "strong";
  }
  return "";
}

std::string section(const std::string& id, const std::string& title, const std::string& body) {
  if (body.empty()) return "";
  return fmt::format("<section id=\"{}\">\n<h2>{}</h2>\n{}</section>\n", id, title, body);
}

std::string details(const std::string& summary, const std::string& body) {
  return fmt::format("<details><summary>{}</summary>\n{}</details>\n", escape_html(summary), body);
}

std::string tile(const std::string& value, const std::string& label, const char* css = "") {
  return fmt::format(
      "<div class=\"tile\"><div class=\"tile-value {}\">{}</div><div class=\"tile-label\">{}</div></div>\n", css,
      escape_html(value), escape_html(label));
}

// What the screen above them does not draw.
std::string tiles(const Results& results) {
  std::string out;
  const std::size_t verified =
      static_cast<std::size_t>(std::count_if(results.benchmarks.begin(), results.benchmarks.end(),
                                             [](const auto& bench_case) { return bench_case.verified; }));
  if (!results.benchmarks.empty())
    out += tile(fmt::format("{} of {}", verified, results.benchmarks.size()), "benchmarks with verified delivery",
                verified == results.benchmarks.size() ? "good" : "bad");
  if (results.comparison) {
    const std::size_t slower = results.comparison->count(measure::Verdict::kSlower);
    const std::size_t faster = results.comparison->count(measure::Verdict::kFaster);
    out += slower > 0
               ? tile(fmt::format("{} slower", slower), fmt::format("cases than before, and {} faster", faster), "bad")
               : tile(fmt::format("{} faster", faster), "cases than before, and none slower", "good");
  }
  const int code = results.environment.exit_code();
  out += tile(code == 0   ? "fit"
              : code == 1 ? "fit at a cost"
                          : "unfit",
              "the machine, says the doctor",
              code == 0   ? "good"
              : code == 1 ? "warn"
                          : "bad");
  return "<div class=\"tiles\">\n" + out + "</div>\n";
}

std::string warnings(const Results& results) {
  std::string items;
  for (const std::string& mark : results.marks) items += "<li>" + escape_html(mark) + "</li>\n";
  for (const measure::Finding& finding : results.environment.findings) {
    if (finding.verdict != measure::FindingVerdict::kInvalid) continue;
    items += fmt::format("<li><b>{}</b>: {} – {}; level {} must not be gated on</li>\n", escape_html(finding.name),
                         escape_html(finding.value), escape_html(finding.cost), fmt::join(finding.levels, ", "));
  }
  if (results.fingerprint.build_type != "Release" && results.fingerprint.build_type != "RelWithDebInfo") {
    items += fmt::format("<li>the build is of type {}</li>\n", escape_html(results.fingerprint.build_type));
  }
  if (items.empty()) return "";
  return "<div class=\"warning\" role=\"note\"><b>Not to be quoted without this:</b><ul>\n" + items + "</ul></div>\n";
}

// Each once, in their order.
std::vector<std::string> breakdown_names(const Results& results) {
  std::vector<std::string> names;
  for (const measure::Breakdown& breakdown : results.breakdowns) {
    if (std::find(names.begin(), names.end(), breakdown.name) == names.end()) names.push_back(breakdown.name);
  }
  return names;
}

// The same as the terminal shows, first of all.
std::string screen_head(const Results& results) {
  const std::string drawn = draw_screen(results);
  if (drawn.empty()) return "";
  return "<section id=\"screen\">\n<h2>Where a packet’s time goes</h2>\n" + drawn + "</section>\n";
}

std::string breakdown_section(const Results& results) {
  std::string body = draw_breakdowns(results.breakdowns);
  if (body.empty()) return "";
  std::string tables;
  for (const measure::Breakdown& breakdown : results.breakdowns) tables += html_table(breakdown_table(breakdown));
  body += details("Every step in figures, with the limit if it were free", tables);
  std::string limits;
  for (const std::string& name : breakdown_names(results)) limits += html_table(limits_table(results, name));
  return body + details("Limits of sender and receiver together", limits);
}

std::string path_section(const Results& results) {
  std::string drawn;
  std::string tables;
  for (const std::string& name : breakdown_names(results)) {
    drawn += draw_occupancy(results.breakdowns, name);
    for (const Table& table : {path_table(results, name), occupancy_table(results, name), drops_table(results, name)}) {
      if (!table.empty()) tables += html_table(table);
    }
  }
  if (tables.empty()) return "";
  return "<p>Datagrams that one system call moved: the bar holds all calls, fuller ones are stronger.</p>\n" + drawn +
         details("System calls, context switches, cache misses and drops", tables);
}

std::string throughput_section(const Results& results) {
  std::string body;
  for (const measure::Curves& curves : results.curves) {
    body += fmt::format("<h3>{}</h3>\n{}", escape_html(curves.title), draw_curves(curves));
    body += details("In figures", html_table(curves_table(curves)));
  }
  return body;
}

std::string ablation_section(const Results& results) {
  std::string body;
  for (const measure::Ablation& ablation : results.ablations) {
    body += fmt::format("<h3>{}</h3>\n{}", escape_html(ablation.title), draw_ablation(ablation));
    body += details("In figures", html_table(ablation_table(ablation)));
  }
  return body;
}

std::string latency_section(const Results& results) {
  std::map<std::string, std::vector<const measure::BenchmarkResult*>> by_unit;
  for (const measure::BenchmarkResult& bench_case : results.benchmarks) {
    if (bench_case.distribution) by_unit[bench_case.distribution_unit].push_back(&bench_case);
  }
  std::string body;
  for (const auto& [unit, cases] : by_unit) body += draw_percentiles(cases);
  if (!body.empty()) body += details("In figures", html_table(latency_table(results)));
  return body;
}

std::string grid_section(const Results& results) {
  std::string body;
  for (const measure::Grid& grid : results.grids) {
    body += fmt::format("<h3>{}</h3>\n{}", escape_html(grid.title), draw_grid(grid));
    body += details("With intervals", html_table(grid_table(grid)));
  }
  return body;
}

std::string comparison_section(const Results& results) {
  if (!results.comparison || results.comparison->cases.empty()) return "";
  // Changes first: they are what one looks for.
  using measure::Verdict;
  measure::Comparison ordered;
  for (const Verdict verdict : {Verdict::kSlower, Verdict::kFaster, Verdict::kCannotTell, Verdict::kNoChange}) {
    for (const measure::CaseVerdict& bench_case : results.comparison->cases) {
      if (bench_case.verdict == verdict) ordered.cases.push_back(bench_case);
    }
  }
  return "<p class=\"note\">Points are medians of paired ratios, lines their 95 % intervals; the band is what this "
         "machine "
         "shows when a program is compared with itself.</p>\n" +
         draw_comparison(ordered) + details("In figures", html_table(comparison_table(*results.comparison)));
}

std::string history_section(const std::vector<ReportRun>& runs) {
  if (runs.size() < 2) return "";
  std::string body;
  for (int level = 0; level < measure::kLevels; ++level) {
    std::string cards;
    for (const measure::BenchmarkResult& bench_case : runs.back().results.benchmarks) {
      if (bench_case.level != level) continue;
      History history{.name = bench_case.name, .unit = bench_case.unit, .better = bench_case.better, .points = {}};
      for (const ReportRun& run : runs) {
        const measure::BenchmarkResult* then = run.results.find(bench_case.name);
        if (then != nullptr && then->unit == bench_case.unit)
          history.points.push_back({run.label, then->summary.median});
      }
      history.name.erase(0, std::string_view("level0/").size());  // the heading says it
      if (history.points.size() > 1) cards += draw_history(history);
    }
    if (!cards.empty())
      body += fmt::format("<h3>{}</h3>\n<div class=\"cards\">\n{}</div>\n", kLevelTitles[level], cards);
  }
  std::vector<std::string> other_machines;
  for (const ReportRun& run : runs) {
    if (!fingerprint_differences(run.results.fingerprint, runs.back().results.fingerprint).empty())
      other_machines.push_back(run.label);
  }
  if (!other_machines.empty() && !body.empty()) {
    body = fmt::format("<p class=\"note bad\">Another machine or build: {}. Levels are not comparable with it.</p>\n",
                       escape_html(fmt::format("{}", fmt::join(other_machines, ", ")))) +
           body;
  }
  return body;
}

std::string benchmark_section(const Results& results) {
  std::string body;
  for (int level = 0; level < measure::kLevels; ++level) {
    Table table = benchmark_table(results, fmt::format("level{}/", level));
    if (table.empty()) continue;
    // The heading has said the level.
    for (std::vector<Cell>& row : table.rows) row.front().text.erase(0, std::string_view("level0/").size());
    body += fmt::format("<h3>{}</h3>\n{}", kLevelTitles[level], html_table(without_empty_columns(table)));
  }
  const Table noise = noise_table(results);
  if (!noise.empty())
    body += details("Noise threshold of each case (the program compared with itself)", html_table(noise));
  return body;
}

std::string environment_section(const Results& results) {
  using measure::FindingVerdict;
  std::string complaints;
  for (const FindingVerdict verdict : {FindingVerdict::kInvalid, FindingVerdict::kCosts, FindingVerdict::kUnknown}) {
    for (const measure::Finding& finding : results.environment.findings) {
      if (finding.verdict != verdict) continue;
      std::string more;
      if (!finding.cost.empty()) more += "<div>" + escape_html(finding.cost) + "</div>";
      if (!finding.fix.empty()) more += "<div class=\"faint\">" + escape_html(finding.fix) + "</div>";
      if (!finding.levels.empty())
        more += fmt::format("<div class=\"bad\">voids level {}</div>", fmt::join(finding.levels, ", "));
      complaints += fmt::format(
          "<li class=\"finding\"><span class=\"chip {}\">{}</span><div><b>{}</b> {}{}</div></li>\n",
          css_of(tone_of(verdict)), to_string(verdict), escape_html(finding.name), escape_html(finding.value), more);
    }
  }
  std::string body =
      complaints.empty() ? "<p>Nothing to complain about.</p>\n" : "<ul class=\"findings\">\n" + complaints + "</ul>\n";
  Table fine{.columns = {{.title = "in order"}, {.title = "found"}}};
  for (const measure::Finding& finding : results.environment.findings) {
    if (finding.verdict == FindingVerdict::kOk) fine.rows.push_back({{finding.name}, {finding.value}});
  }
  if (!fine.empty()) body += details(fmt::format("{} findings in order", fine.rows.size()), html_table(fine));
  return body;
}

std::string navigation(const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string links;
  for (const auto& [id, title] : entries) links += fmt::format("<a href=\"#{}\">{}</a>\n", id, title);
  return "<nav>\n" + links + "</nav>\n";
}

}  // namespace

std::string html_table(const Table& table) {
  if (table.empty()) return "";
  std::string out = "<div class=\"scroll\"><table>\n";
  if (!table.title.empty()) out += "<caption>" + escape_html(table.title) + "</caption>\n";
  const auto css = [&table](std::size_t column, Tone tone) {
    std::string classes = css_of(tone);
    if (table.columns[column].right) classes += classes.empty() ? "right" : " right";
    if (table.columns[column].minor) classes += classes.empty() ? "minor" : " minor";
    return classes.empty() ? std::string() : " class=\"" + classes + "\"";
  };
  out += "<thead><tr>";
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    out += "<th" + css(i, Tone::kPlain) + ">" + escape_html(table.columns[i].title) + "</th>";
  }
  out += "</tr></thead>\n<tbody>\n";
  for (const std::vector<Cell>& row : table.rows) {
    out += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i)
      out += "<td" + css(i, row[i].tone) + ">" +
             (table.columns[i].right ? escape_html(row[i].text) : breakable_html(row[i].text)) + "</td>";
    out += "</tr>\n";
  }
  out += "</tbody></table></div>\n";
  if (!table.note.empty()) out += "<p class=\"note\">" + escape_html(table.note) + "</p>\n";
  return out;
}

std::string html_report(const std::vector<ReportRun>& runs) {
  GODWIT_ASSERT(!runs.empty());
  const Results& results = runs.back().results;
  const std::vector<std::tuple<std::string, std::string, std::string>> parts = {
      {"breakdown", "Each step of a packet", breakdown_section(results)},
      {"path", "What a packet causes", path_section(results)},
      {"ablation", "What each measure is worth", ablation_section(results)},
      {"throughput", "Throughput", throughput_section(results)},
      {"latency", "Latency", latency_section(results)},
      {"loss", "Loss and delay", grid_section(results)},
      {"comparison", "Before and after", comparison_section(results)},
      {"history", "History", history_section(runs)},
      {"benchmarks", "Every benchmark", benchmark_section(results)},
      {"environment", "The machine’s fitness", environment_section(results)},
      {"machine", "Machine and build", html_table(machine_table(results))}};
  std::string body;
  std::vector<std::pair<std::string, std::string>> entries;
  for (const auto& [id, title, content] : parts) {
    if (content.empty()) continue;
    entries.emplace_back(id, title);
    body += section(id, title, content);
  }
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>Godwit performance, "
      "{}</title>\n<style>\n{}</style>\n</head>\n"
      "<body>\n<header>\n<h1>Godwit performance</h1>\n<p class=\"lead\">{}<br>{} · {} · {} "
      "run</p>\n{}{}{}{}</header>\n<main>\n{}</main>\n"
      "<footer>Medians with 95 % bootstrap intervals. Figures are of this machine; ratios travel, absolute figures do "
      "not.</footer>\n"
      "</body>\n</html>\n",
      escape_html(results.started_at), html_style(), escape_html(describe_machine(results.fingerprint)),
      escape_html(results.started_at), escape_html(describe_build(results.fingerprint)), escape_html(results.mode),
      warnings(results), screen_head(results), tiles(results), navigation(entries), body);
}

}  // namespace godwit::report
