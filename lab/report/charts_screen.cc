// The screen (screen.h) as the head of the HTML page: the same figures as bars, then as the same tables.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/charts.h"
#include "report/html.h"
#include "report/screen.h"
#include "support/format.h"
#include "support/svg.h"
#include "support/text_width.h"

namespace godwit::report {

namespace {

using measure::CostGroup;

constexpr double kBarHeight = 34;
constexpr double kHeadHeight = 24;
constexpr double kFootHeight = 14;
constexpr double kGainHeight = 44;
constexpr double kGainBarHeight = 12;
// Widths at which labels must fit: a phone, and half of a desk, where two charts stand side by side.
constexpr double kPhonePixels = 330;
constexpr double kDeskPixels = 440;
constexpr double kLetterPixels = 7;
constexpr double kLabelPadding = 10;

std::string_view colour_of(CostGroup group) {
  switch (group) {
    case CostGroup::kKernel: return "send_call";
    case CostGroup::kCipher: return "seal";
    case CostGroup::kDigest: return "digest";
    case CostGroup::kApplication: return "application";
    case CostGroup::kOwn: return "encode";
    case CostGroup::kIdle: return "idle";
  }
  return "other";
}

// The steps as they were measured: the lower end where time is missing, the upper one where there is too much.
double measured(const measure::Range& range, const measure::SideSummary& side) {
  return side.remainder_share.value_or(0) >= 0 ? range.low : range.high;
}

void label_segment(Svg& svg, double x, double width, double y, CostGroup group, const std::string& label) {
  const double needed = static_cast<double>(display_width(label)) * kLetterPixels + kLabelPadding;
  const bool on_phone = needed <= width / 100 * kPhonePixels;
  if (!on_phone && needed > width / 100 * kDeskPixels) return;
  svg.text(x + width / 2, y, label, fmt::format("in-bar{} on-{}", on_phone ? "" : " wide", colour_of(group)),
           Anchor::kMiddle);
}

void draw_side(Svg& svg, double top, std::string_view name, const measure::SideSummary& side, double full_scale) {
  svg.text(0, top + 16, name, "bar-name");
  svg.text(100, top + 16, format_range(side.total) + " ns per packet", "bar-value", Anchor::kEnd);
  const double y = top + kHeadHeight;
  double x = 0;
  for (const measure::ComponentCost& component : side.components) {
    const double width = measured(component.nanoseconds, side) / full_scale * 100;
    if (width <= 0) continue;
    const std::string figure = format_range(component.nanoseconds);
    svg.rectangle(x, y, width, kBarHeight, fmt::format("segment step-{}", colour_of(component.group)),
                  fmt::format("{}: {} ns per packet", component_label(component.group), figure));
    label_segment(svg, x, width, y + kBarHeight / 2 + 5, component.group, figure);
    x += width;
  }
  if (!side.total.is_figure() && side.remainder_share.value_or(0) > 0) {
    const double end = side.total.high / full_scale * 100;
    svg.rectangle(x, y, end - x, kBarHeight, "remainder", "belongs to any of the components");
  }
}

std::string draw_scenario(const measure::ScenarioSummary& scenario) {
  double full_scale = 1e-9;
  double sides = 0;
  for (const auto* const side : {&scenario.sender, &scenario.receiver}) {
    if (!*side) continue;
    full_scale = std::max(full_scale, (*side)->total.high);
    ++sides;
  }
  const double each = kHeadHeight + kBarHeight + kFootHeight;
  Svg svg(each * sides, scenario_title(scenario));
  double top = 0;
  if (scenario.sender) {
    draw_side(svg, top, "sender", *scenario.sender, full_scale * 1.002);
    top += each;
  }
  if (scenario.receiver) draw_side(svg, top, "receiver", *scenario.receiver, full_scale * 1.002);
  return fmt::format("<div class=\"scenario\">\n<h3>{}</h3>\n{}{}</div>\n", escape_html(scenario_title(scenario)),
                     std::move(svg).take(), html_table(component_table(scenario)));
}

std::string draw_legend() {
  std::string items;
  for (const CostGroup group :
       {CostGroup::kKernel, CostGroup::kCipher, CostGroup::kDigest, CostGroup::kOwn, CostGroup::kApplication}) {
    items += fmt::format("<li><span class=\"key\"><i class=\"swatch step-{}\"></i>{}</span></li>\n", colour_of(group),
                         component_label(group));
  }
  return "<ul class=\"legend\">\n" + items + "</ul>\n";
}

// As long as its middle, or its least where nothing bounds it.
double length_of(const measure::Range& gain) {
  return std::isfinite(gain.high) ? gain.middle() : std::isfinite(gain.low) ? gain.low : 0;
}

// A solid bar for half of the cost and a lighter one for all of it.
std::string draw_gains(const measure::AnalysisSummary& summary) {
  const std::size_t shown = std::min(kShownChanges, summary.changes.size());
  if (shown == 0) return "";
  double most = 1e-9;
  for (std::size_t i = 0; i < shown; ++i) most = std::max(most, length_of(summary.changes[i].free));
  Svg svg(kGainHeight * static_cast<double>(shown), "what would gain most");
  for (std::size_t i = 0; i < shown; ++i) {
    const measure::ChangeGain& gain = summary.changes[i];
    const double top = kGainHeight * static_cast<double>(i);
    svg.text(0, top + 16, fmt::format("{}. {}", i + 1, gain.what), "bar-name");
    svg.text(100, top + 16,
             fmt::format("{} at half cost, {} if free", format_gain(gain.halved), format_gain(gain.free)),
             "bar-value wide", Anchor::kEnd);
    svg.text(100, top + 16, format_gain(gain.free) + " if free", "bar-value narrow", Anchor::kEnd);
    svg.rectangle(0, top + 24, length_of(gain.free) / most * 100, kGainBarHeight, "gain-free");
    svg.rectangle(0, top + 24, length_of(gain.halved) / most * 100, kGainBarHeight, "gain-half");
  }
  return "<h3>What would gain most, in packets per second</h3>\n" + std::move(svg).take() +
         html_table(gains_table(summary));
}

}  // namespace

std::string draw_screen(const measure::Results& results) {
  const measure::AnalysisSummary summary = measure::summarize_analysis(results);
  const Fitness fitness = fitness_of(results);
  std::string body;
  if (summary.shipped) {
    body += fmt::format("<p class=\"finding-line\">{}</p>\n", escape_html(key_finding(summary))) + draw_legend();
    std::string scenarios = draw_scenario(*summary.shipped);
    if (summary.single) scenarios += draw_scenario(*summary.single);
    body += "<div class=\"scenarios\">\n" + scenarios + "</div>\n";
    if (const std::string sums = sums_sentence(summary); !sums.empty())
      body += "<p class=\"note\">" + escape_html(sums) + "</p>\n";
    body += "<h3>Limits</h3>\n" + html_table(rates_table(summary)) + draw_gains(summary);
  }
  for (const std::string& sentence : suite_sentences(results)) body += "<p>" + escape_html(sentence) + "</p>\n";
  if (body.empty()) return "";
  return body + fmt::format("<p class=\"note {}\">{}</p>\n", fitness.fit ? "" : "bad", escape_html(fitness.sentence()));
}

}  // namespace godwit::report
