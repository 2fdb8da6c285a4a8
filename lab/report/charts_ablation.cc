#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/charts.h"
#include "report/interval_text.h"
#include "support/format.h"
#include "support/svg.h"

namespace godwit::report {

namespace {

constexpr double kHeadHeight = 22;
constexpr double kBarHeight = 20;
constexpr double kStepHeight = kHeadHeight + kBarHeight + 14;

}  // namespace

std::string draw_ablation(const measure::Ablation& ablation) {
  double full_scale = 1e-9;
  for (const measure::Ablation::Step& step : ablation.steps)
    full_scale = std::max({full_scale, step.value.high, step.value.estimate});
  full_scale *= 1.02;
  Svg svg(kStepHeight * static_cast<double>(ablation.steps.size()), ablation.title);
  double top = 0;
  double before = 0;
  for (std::size_t i = 0; i < ablation.steps.size(); ++i) {
    const measure::Ablation::Step& step = ablation.steps[i];
    const bool last = i + 1 == ablation.steps.size();
    const double width = step.value.estimate / full_scale * 100;
    svg.name(top + 15, (i == 0 ? "" : "+ ") + step.label, "bar-name");
    std::string value = format_value(step.value.estimate, ablation.unit);
    if (i > 0 && before != 0) value = format_change(step.value.estimate / before - 1) + "  →  " + value;
    svg.text(100, top + 15, value, "bar-value", Anchor::kEnd);
    const double y = top + kHeadHeight;
    if (i > 0) {
      const double old_width = before / full_scale * 100;
      if (old_width > width) svg.rectangle(width, y, old_width - width, kBarHeight, "saved");
    }
    svg.rectangle(
        0, y, width, kBarHeight, last ? "bar final" : "bar",
        step.label + ": " + format_interval(step.value, ablation.unit) + (step.note.empty() ? "" : " · " + step.note),
        2);
    svg.whisker_horizontal(step.value.low / full_scale * 100, step.value.high / full_scale * 100, y + kBarHeight / 2, 4,
                           "whisker");
    before = step.value.estimate;
    top += kStepHeight;
  }
  return std::move(svg).take();
}

}  // namespace godwit::report
