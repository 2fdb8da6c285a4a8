#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/charts.h"
#include "support/format.h"
#include "support/svg.h"

namespace godwit::report {

namespace {

constexpr double kRowHeight = 46;
constexpr double kAxisHeight = 22;
constexpr double kMostShown = 1.0;  // a change beyond 100 % is drawn at the edge and written out

const char* css_of(measure::Verdict verdict) {
  switch (verdict) {
    case measure::Verdict::kFaster: return "good";
    case measure::Verdict::kSlower: return "bad";
    case measure::Verdict::kNoChange: return "same";
    case measure::Verdict::kCannotTell: return "faint";
  }
  return "faint";
}

}  // namespace

std::string draw_comparison(const measure::Comparison& comparison) {
  if (comparison.cases.empty()) return "";
  double reach = 0.02;
  for (const measure::CaseVerdict& bench_case : comparison.cases) {
    reach = std::max({reach, std::abs(bench_case.ratio.low - 1), std::abs(bench_case.ratio.high - 1),
                      bench_case.noise_threshold.relative});
  }
  reach = std::min(reach, kMostShown) * 1.08;
  const auto x_of = [reach](double change) { return 50 + std::clamp(change / reach, -1.0, 1.0) * 49; };
  const double rows_height = kRowHeight * static_cast<double>(comparison.cases.size());
  Svg svg(rows_height + kAxisHeight, "changes with their intervals");
  const Ticks ticks = make_ticks(0, reach, 2);
  for (std::size_t i = 0; i < ticks.count; ++i) {
    if (ticks.at(i) > reach) break;
    for (const double sign : {-1.0, 1.0}) {
      const double change = sign * ticks.at(i);
      if (i == 0 && sign > 0) continue;
      svg.line(x_of(change), 0, x_of(change), rows_height, i == 0 ? "zero-line" : "grid-line");
      const bool at_edge = x_of(change) < 8 || x_of(change) > 92;
      const Anchor anchor = !at_edge ? Anchor::kMiddle : change < 0 ? Anchor::kStart : Anchor::kEnd;
      const double x = !at_edge ? x_of(change) : change < 0 ? 0 : 100;
      svg.text(x, rows_height + 16, i == 0 ? "same" : format_change(change), "axis", anchor);
    }
  }
  double top = 0;
  for (const measure::CaseVerdict& bench_case : comparison.cases) {
    const std::string css = css_of(bench_case.verdict);
    const bool measured = bench_case.ratio.high > 0;
    svg.name(top + 16, bench_case.name, "bar-name");
    svg.text(100, top + 16,
             fmt::format("{} {}", measured ? format_change(bench_case.ratio.estimate - 1) : "",
                         to_string(bench_case.verdict)),
             "bar-value " + css, Anchor::kEnd);
    const double y = top + 31;
    svg.rectangle(x_of(-bench_case.noise_threshold.relative), y - 7,
                  x_of(bench_case.noise_threshold.relative) - x_of(-bench_case.noise_threshold.relative), 14, "noise",
                  "noise threshold ±" + format_percent(bench_case.noise_threshold.relative));
    if (measured) {
      svg.whisker_horizontal(x_of(bench_case.ratio.low - 1), x_of(bench_case.ratio.high - 1), y, 5, "whisker-" + css);
      svg.circle(
          x_of(bench_case.ratio.estimate - 1), y, 4, "dot fill-" + css,
          fmt::format("{} → {}: {} … {}; {}", format_value(bench_case.baseline, bench_case.unit),
                      format_value(bench_case.candidate, bench_case.unit), format_change(bench_case.ratio.low - 1),
                      format_change(bench_case.ratio.high - 1), bench_case.reason));
    }
    top += kRowHeight;
  }
  return std::move(svg).take();
}

}  // namespace godwit::report
