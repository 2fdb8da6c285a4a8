#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "report/charts.h"
#include "report/tables.h"
#include "support/format.h"
#include "support/svg.h"
#include "support/text_width.h"

namespace godwit::report {

namespace {

constexpr double kBarHeight = 34;
constexpr double kHeadHeight = 24;
constexpr double kFootHeight = 14;
// A chart is some 330 pixels wide on a phone and 900 on a desk; a letter takes about 7.
constexpr double kPhonePixels = 330;
constexpr double kDeskPixels = 860;
constexpr double kLetterPixels = 7;
constexpr double kLabelPadding = 10;

std::string css_of(trace::CostStep step) {
  return "step-" + std::string(trace::cost_step_name(step));
}

// Labels that only fit on a desk are hidden on narrower screens.
void label_segment(Svg& svg, double x, double width, double y, const measure::BreakdownStep& step) {
  const std::string name = step_label(step.step);
  const std::string full = name + " " + format_number(step.nanoseconds);
  const auto fits = [width](const std::string& text, double pixels) {
    return static_cast<double>(display_width(text)) * kLetterPixels + kLabelPadding <= width / 100 * pixels;
  };
  const double middle = x + width / 2;
  if (fits(full, kPhonePixels)) {
    svg.text(middle, y, full, "in-bar on-" + std::string(trace::cost_step_name(step.step)), Anchor::kMiddle);
  } else if (fits(full, kDeskPixels)) {
    svg.text(middle, y, full, "in-bar wide on-" + std::string(trace::cost_step_name(step.step)), Anchor::kMiddle);
  }
}

void draw_bar(Svg& svg, double top, const measure::Breakdown& breakdown, double full_scale) {
  const double baseline = top + 16;
  svg.text(0, baseline, breakdown.side, "bar-name");
  svg.text(100, baseline,
           fmt::format("{} ns a packet · {}", format_number(breakdown.sum_nanoseconds),
                       format_value(breakdown.bits_per_second(), "bit/s")),
           "bar-value", Anchor::kEnd);
  const double y = top + kHeadHeight;
  double x = 0;
  for (const measure::BreakdownStep& step : breakdown.steps) {
    const double width = step.nanoseconds / full_scale * 100;
    const std::string tip = fmt::format("{}: {} ns a packet, {}", step_label(step.step),
                                        format_number(step.nanoseconds), format_percent(step.share));
    svg.rectangle(x, y, width, kBarHeight, "segment " + css_of(step.step), tip);
    label_segment(svg, x, width, y + kBarHeight / 2 + 5, step);
    x += width;
  }
  if (breakdown.plain_nanoseconds) {
    const measure::Interval& whole = *breakdown.plain_nanoseconds;
    const double at = whole.estimate / full_scale * 100;
    if (at > x) svg.rectangle(x, y, at - x, kBarHeight, "remainder", "unexplained remainder");
    svg.line(at, y - 2, at, y + kBarHeight + 5, "whole");
    svg.whisker_horizontal(whole.low / full_scale * 100, whole.high / full_scale * 100, y + kBarHeight + 5, 3, "whole");
  }
}

std::string draw_group(const std::string& name, const std::vector<const measure::Breakdown*>& sides) {
  double full_scale = 1e-9;
  for (const measure::Breakdown* side : sides) {
    full_scale =
        std::max({full_scale, side->sum_nanoseconds, side->plain_nanoseconds ? side->plain_nanoseconds->high : 0.0});
  }
  const double each = kHeadHeight + kBarHeight + kFootHeight;
  Svg svg(each * static_cast<double>(sides.size()), "breakdown of " + name);
  double top = 0;
  std::string verdicts;
  for (const measure::Breakdown* side : sides) {
    draw_bar(svg, top, *side, full_scale * 1.005);
    top += each;
    const double own = side->own_nanoseconds();
    const char* css = side->sums_up().value_or(true) ? "note" : "note bad";
    verdicts +=
        fmt::format("<p class=\"{}\"><b>{}:</b> {} The transport itself takes {} ns, {} the {:.0f} ns aimed at.</p>\n",
                    css, escape_html(side->side), escape_html(side->verdict()), format_number(own),
                    own <= measure::kOwnTargetNanoseconds ? "within" : "above", measure::kOwnTargetNanoseconds);
  }
  return fmt::format("<h3>{}</h3>\n{}{}", escape_html(name), std::move(svg).take(), verdicts);
}

// Swatches of the steps that occur, in data-path order, grouped by whom they belong to.
std::string draw_legend(const std::vector<measure::Breakdown>& breakdowns) {
  std::set<trace::CostStep> present;
  for (const measure::Breakdown& breakdown : breakdowns) {
    for (const measure::BreakdownStep& step : breakdown.steps) present.insert(step.step);
  }
  std::vector<trace::CostStep> in_order(present.begin(), present.end());
  if (present.contains(trace::CostStep::kOther)) std::rotate(in_order.begin(), in_order.begin() + 1, in_order.end());
  std::string out = "<ul class=\"legend\">\n";
  for (const measure::CostGroup group :
       {measure::CostGroup::kOwn, measure::CostGroup::kCipher, measure::CostGroup::kKernel, measure::CostGroup::kDigest,
        measure::CostGroup::kApplication}) {
    std::string items;
    for (const trace::CostStep step : in_order) {
      if (measure::group_of(step) != group) continue;
      items += fmt::format("<span class=\"key\"><i class=\"swatch {}\"></i>{}</span> ", css_of(step), step_label(step));
    }
    if (!items.empty()) out += fmt::format("<li><b>{}</b> {}</li>\n", to_string(group), items);
  }
  return out +
         "<li><b>line</b> <span class=\"key\"><i class=\"swatch mark-whole\"></i>whole without probes, with its "
         "interval</span></li>\n</ul>\n";
}

}  // namespace

std::string draw_breakdowns(const std::vector<measure::Breakdown>& breakdowns) {
  std::string out;
  std::set<std::string> drawn;
  for (const measure::Breakdown& breakdown : breakdowns) {
    if (!drawn.insert(breakdown.name).second) continue;
    std::vector<const measure::Breakdown*> sides;
    for (const measure::Breakdown& other : breakdowns) {
      if (other.name == breakdown.name) sides.push_back(&other);
    }
    out += draw_group(breakdown.name, sides);
  }
  return out.empty() ? out : draw_legend(breakdowns) + out;
}

}  // namespace godwit::report
