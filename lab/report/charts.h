// Results as drawings: each function gives an HTML fragment of SVG and text that needs the classes of html_style.cc and
// nothing else. Every figure is drawn with its interval and is also there as text, for those who cannot see it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "measure/results.h"

namespace godwit::report {

// The screen (screen.h) as bars and tables; empty for results with nothing to say.
[[nodiscard]] std::string draw_screen(const measure::Results& results);
// Stacked bars, sides of one name on one scale, with a legend. Breakdowns of several names stand below each other.
[[nodiscard]] std::string draw_breakdowns(const std::vector<measure::Breakdown>& breakdowns);
// How full the system calls of the breakdowns of this name were: a bar for each side and direction, cut into shares of
// the calls. Empty without path facts.
[[nodiscard]] std::string draw_occupancy(const std::vector<measure::Breakdown>& breakdowns, const std::string& name);
// Bars that shrink (or grow) from step to step.
[[nodiscard]] std::string draw_ablation(const measure::Ablation& ablation);
// Lines with points and intervals; the horizontal axis is logarithmic where it spans more than a factor of eight.
[[nodiscard]] std::string draw_curves(const measure::Curves& curves);
// Latency by percentile, both axes logarithmic, one line a case that has a distribution in this unit.
[[nodiscard]] std::string draw_percentiles(const std::vector<const measure::BenchmarkResult*>& cases);
// A heat map.
[[nodiscard]] std::string draw_grid(const measure::Grid& grid);
// Ratios of a comparison around 1, with intervals and the noise threshold behind them.
[[nodiscard]] std::string draw_comparison(const measure::Comparison& comparison);

// One case over several runs, oldest first.
struct History {
  std::string name;
  std::string unit;
  measure::Better better = measure::Better::kLower;
  struct Point {
    std::string label;  // date or baseline name
    measure::Interval value;
  };
  std::vector<Point> points;
};
[[nodiscard]] std::string draw_history(const History& history);

}  // namespace godwit::report
