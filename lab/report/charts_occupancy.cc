#include <fmt/format.h>

#include <array>

#include "report/charts.h"
#include "report/tables.h"
#include "support/format.h"
#include "support/svg.h"
#include "support/text_width.h"

namespace godwit::report {
namespace {

constexpr double kNameHeight = 20;
constexpr double kBarHeight = 22;
constexpr double kGap = 10;
// Segments too narrow for their label on a phone go without; the table below holds all of them.
constexpr double kPhonePixels = 330;
constexpr double kLetterPixels = 7;

// Fuller calls are stronger: each class is a shade, the fullest the last one.
int shade_of(std::uint64_t most_datagrams) {
  int shade = 0;
  for (std::uint64_t most = 1; most <= most_datagrams && shade < 9; most *= 2) ++shade;
  return shade;
}

void draw_calls(Svg& svg, double top, const std::string& name, const measure::Occupancy& occupancy) {
  const auto all = static_cast<double>(measure::PathFacts::calls_of(occupancy));
  svg.text(0, top + 14, name, "bar-name");
  svg.text(100, top + 14, fmt::format("{} calls", format_value(all, "count")), "bar-value", Anchor::kEnd);
  double x = 0;
  for (const auto& each : occupancy) {
    const double width = static_cast<double>(each.calls) / all * 100;
    const int shade = shade_of(each.most_datagrams);
    const std::string label = occupancy_label(each);
    svg.rectangle(x, top + kNameHeight, width, kBarHeight, fmt::format("heat-{}", shade),
                  fmt::format("{} datagrams: {} of the calls", label, format_percent(width / 100)));
    if (static_cast<double>(display_width(label) + 1) * kLetterPixels <= width / 100 * kPhonePixels) {
      svg.text(x + width / 2, top + kNameHeight + kBarHeight / 2 + 5, label, fmt::format("heat-text-{}", shade),
               Anchor::kMiddle);
    }
    x += width;
  }
}

}  // namespace

std::string draw_occupancy(const std::vector<measure::Breakdown>& breakdowns, const std::string& name) {
  std::vector<std::pair<std::string, const measure::Occupancy*>> rows;
  for (const measure::Breakdown& breakdown : breakdowns) {
    if (breakdown.name != name || !breakdown.path) continue;
    if (!breakdown.path->send_occupancy.empty()) {
      rows.emplace_back(breakdown.side + ", sending", &breakdown.path->send_occupancy);
    }
    if (!breakdown.path->receive_occupancy.empty()) {
      rows.emplace_back(breakdown.side + ", receiving", &breakdown.path->receive_occupancy);
    }
  }
  if (rows.empty()) return "";
  constexpr double kEach = kNameHeight + kBarHeight + kGap;
  Svg svg(kEach * static_cast<double>(rows.size()), "datagrams a system call, " + name);
  double top = 0;
  for (const auto& [label, occupancy] : rows) {
    draw_calls(svg, top, label, *occupancy);
    top += kEach;
  }
  return fmt::format("<h3>{}</h3>\n{}", escape_html(name), std::move(svg).take());
}

}  // namespace godwit::report
