#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/charts.h"
#include "report/interval_text.h"
#include "support/format.h"
#include "support/svg.h"

namespace godwit::report {

namespace {

constexpr double kCellHeight = 44;
constexpr double kHeadHeight = 26;
constexpr double kLeft = 17;  // percent, for the rows' names
constexpr int kShades = 9;    // heat-0 … heat-9

// The worst value of the grid is the faintest, the best the strongest; a share always spans 0 … 1, so that two grids of
// shares can be laid side by side.
int shade_of(const measure::Grid& grid, double value, double least, double most) {
  const bool share = grid.unit.starts_with("share");
  const double low = share ? 0 : least;
  const double high = share ? std::max(1.0, most) : most;
  if (high <= low) return kShades / 2;
  double position = std::clamp((value - low) / (high - low), 0.0, 1.0);
  if (grid.better == measure::Better::kLower) position = 1 - position;
  return static_cast<int>(std::lround(position * kShades));
}

}  // namespace

std::string draw_grid(const measure::Grid& grid) {
  if (grid.rows.empty() || grid.columns.empty()) return "";
  double least = 0;
  double most = 0;
  bool any = false;
  for (const auto& cell : grid.cells) {
    if (!cell) continue;
    least = any ? std::min(least, cell->estimate) : cell->estimate;
    most = any ? std::max(most, cell->estimate) : cell->estimate;
    any = true;
  }
  Svg svg(kHeadHeight + kCellHeight * static_cast<double>(grid.rows.size()), grid.title);
  const double width = (100 - kLeft) / static_cast<double>(grid.columns.size());
  for (std::size_t c = 0; c < grid.columns.size(); ++c) {
    svg.text(kLeft + width * (static_cast<double>(c) + 0.5), 17, grid.columns[c], "axis", Anchor::kMiddle);
  }
  for (std::size_t r = 0; r < grid.rows.size(); ++r) {
    const double y = kHeadHeight + kCellHeight * static_cast<double>(r);
    svg.text(kLeft - 2, y + kCellHeight / 2 + 4, grid.rows[r], "axis", Anchor::kEnd);
    for (std::size_t c = 0; c < grid.columns.size(); ++c) {
      const auto& cell = grid.cells[r * grid.columns.size() + c];
      const double x = kLeft + width * static_cast<double>(c);
      if (!cell) {
        svg.rectangle(x + 0.2, y + 1, width - 0.4, kCellHeight - 2, "heat-none", "not measured", 3);
        svg.text(x + width / 2, y + kCellHeight / 2 + 5, "–", "axis", Anchor::kMiddle);
        continue;
      }
      const int shade = shade_of(grid, cell->estimate, least, most);
      svg.rectangle(x + 0.2, y + 1, width - 0.4, kCellHeight - 2, fmt::format("heat-{}", shade),
                    fmt::format("{} {}, {} {}: {}", grid.row_label, grid.rows[r], grid.column_label, grid.columns[c],
                                format_interval(*cell, grid.unit)),
                    3);
      svg.text(x + width / 2, y + kCellHeight / 2 + 5, format_value(cell->estimate, grid.unit),
               fmt::format("heat-text-{}", shade), Anchor::kMiddle);
    }
  }
  std::string scale;
  for (int shade = 1; shade <= kShades; shade += 2) scale += fmt::format("<i class=\"swatch heat-{}\"></i>", shade);
  return fmt::format("<p class=\"axis-title\">down: {}, across: {} · <span class=\"key\">worse {} better</span></p>\n",
                     escape_html(grid.row_label), escape_html(grid.column_label), scale) +
         std::move(svg).take();
}

}  // namespace godwit::report
