#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "report/charts.h"
#include "report/interval_text.h"
#include "support/format.h"
#include "support/svg.h"

namespace godwit::report {

namespace {

constexpr double kPlotHeight = 240;
constexpr double kTop = 26;     // room for the highest label
constexpr double kBottom = 24;  // room for the horizontal axis
constexpr double kLeft = 13;    // percent: labels of the vertical axis stand here
constexpr double kRight = 97;   // percent
constexpr std::size_t kLineColours = 6;

std::string line_css(std::size_t i) {
  return fmt::format("line-{}", i % kLineColours);
}

// Where a value stands: 0 … 1, mapped to the plot.
using Axis = std::function<double(double)>;

double to_x(double position) {
  return kLeft + 2 + position * (kRight - kLeft - 2);
}
double to_y(double position) {
  return kTop + (1 - position) * kPlotHeight;
}

std::string draw_legend(const std::vector<std::string>& labels) {
  std::string out = "<ul class=\"legend\">";
  for (std::size_t i = 0; i < labels.size(); ++i) {
    out += fmt::format("<li><span class=\"key\"><i class=\"swatch {}\"></i>{}</span></li>", "fill-" + line_css(i),
                       escape_html(labels[i]));
  }
  return out + "</ul>\n";
}

void draw_horizontal_line(Svg& svg, double position, const std::string& label) {
  const double y = to_y(position);
  svg.line(kLeft, y, 100, y, "grid-line");
  svg.text(kLeft - 1, y + 4, label, "axis", Anchor::kEnd);
}

Ticks draw_vertical_axis(Svg& svg, double highest, std::string_view unit, const Scale& scale) {
  const Ticks ticks = make_ticks(0, highest * scale.factor, 5);
  for (std::size_t i = 0; i < ticks.count; ++i) {
    draw_horizontal_line(svg, ticks.at(i) / ticks.last(), format_tick(ticks.at(i), ticks.step));
  }
  svg.text(0, 11, scale.unit.empty() ? std::string(unit) : scale.unit, "axis unit");
  return ticks;
}

// "100 µs": a power of ten needs no decimals.
std::string decade_label(double decade, std::string_view unit) {
  const double value = std::pow(10, decade);
  const Scale scale = scale_for(value, unit);
  return fmt::format("{:.0f} {}", value * scale.factor, scale.unit);
}

std::set<double> positions_of(const measure::Curves& curves) {
  std::set<double> positions;
  for (const measure::Curves::Line& line : curves.lines) {
    for (const measure::Curves::Point& point : line.points) positions.insert(point.x);
  }
  return positions;
}

std::string tick_label(double x) {
  return x == std::floor(x) && std::abs(x) < 1e7 ? fmt::format("{:.0f}", x) : format_number(x);
}

// Of a label of an axis on a phone: percent of a drawing 350 px wide.
double label_width(const std::string& label) {
  constexpr double kCharacter = 2.2;
  return kCharacter * static_cast<double>(label.size());
}

// The first position and the last are always named, those between where their labels leave room on a phone.
void label_positions(Svg& svg, const std::set<double>& positions, const Axis& axis) {
  constexpr double kGap = 3;
  const double y = kTop + kPlotHeight + 18;
  double free_from = 0;
  double free_to = 100;
  if (positions.size() > 1) {
    // At the edge, so that the last label stays inside of the drawing.
    const std::string last = tick_label(*positions.rbegin());
    svg.text(100, y, last, "axis", Anchor::kEnd);
    free_to -= label_width(last) + kGap;
  }
  std::size_t index = 0;
  for (const double position : positions) {
    const bool first = index++ == 0;
    if (!first && index == positions.size()) break;
    const std::string label = tick_label(position);
    const double x = to_x(axis(position));
    const double half = label_width(label) / 2;
    if (!first && (x - half < free_from || x + half > free_to)) continue;
    svg.text(x, y, label, "axis", Anchor::kMiddle);
    free_from = x + half + kGap;
  }
}

}  // namespace

std::string draw_curves(const measure::Curves& curves) {
  const std::set<double> positions = positions_of(curves);
  if (positions.empty()) return "";
  const double least = *positions.begin();
  const double most = *positions.rbegin();
  const bool logarithmic = least > 0 && most / least > 8;
  const Axis axis = [=](double x) {
    if (most <= least) return 0.5;
    return logarithmic ? std::log(x / least) / std::log(most / least) : (x - least) / (most - least);
  };
  double highest = 0;
  for (const measure::Curves::Line& line : curves.lines) {
    for (const measure::Curves::Point& point : line.points) highest = std::max(highest, point.value.high);
  }
  const Scale scale = scale_for(highest, curves.unit);
  Svg svg(kTop + kPlotHeight + kBottom, curves.title);
  const Ticks ticks = draw_vertical_axis(svg, highest, curves.unit, scale);
  const auto y_of = [&](double value) { return to_y(value * scale.factor / ticks.last()); };
  label_positions(svg, positions, axis);
  std::vector<std::string> labels;
  for (std::size_t i = 0; i < curves.lines.size(); ++i) {
    const measure::Curves::Line& line = curves.lines[i];
    labels.push_back(line.label);
    for (std::size_t p = 0; p < line.points.size(); ++p) {
      const measure::Curves::Point& point = line.points[p];
      const double x = to_x(axis(point.x));
      if (p > 0) {
        const measure::Curves::Point& from = line.points[p - 1];
        svg.line(to_x(axis(from.x)), y_of(from.value.estimate), x, y_of(point.value.estimate), "line " + line_css(i));
      }
      svg.line(x, y_of(point.value.low), x, y_of(point.value.high), "error " + line_css(i));
    }
    for (const measure::Curves::Point& point : line.points) {
      svg.circle(to_x(axis(point.x)), y_of(point.value.estimate), 4, "dot fill-" + line_css(i),
                 fmt::format("{}, {} {}: {}", line.label, tick_label(point.x), curves.x_label,
                             format_interval(point.value, curves.unit)));
    }
  }
  return draw_legend(labels) + std::move(svg).take() + "<p class=\"axis-title\">" + escape_html(curves.x_label) +
         "</p>\n";
}

std::string draw_percentiles(const std::vector<const measure::BenchmarkResult*>& cases) {
  constexpr double kDecades = 4;  // p0 … p99.99
  constexpr int kSteps = 72;
  double least = 0;
  double most = 0;
  std::string unit;
  for (const measure::BenchmarkResult* bench_case : cases) {
    if (!bench_case->distribution || bench_case->distribution->count() == 0) continue;
    const auto low = static_cast<double>(std::max<std::uint64_t>(1, bench_case->distribution->percentile(0.1)));
    const auto high = static_cast<double>(std::max<std::uint64_t>(1, bench_case->distribution->percentile(99.99)));
    least = least == 0 ? low : std::min(least, low);
    most = std::max(most, high);
    unit = bench_case->distribution_unit;
  }
  if (most == 0) return "";
  const double bottom = std::floor(std::log10(least));
  const double top = std::max(bottom + 1, std::ceil(std::log10(most)));
  const auto y_of = [=](double value) { return to_y((std::log10(std::max(1.0, value)) - bottom) / (top - bottom)); };
  const auto x_of = [](double decades) { return to_x(decades / kDecades); };
  Svg svg(kTop + kPlotHeight + kBottom, "latency by percentile");
  for (double decade = bottom; decade <= top + 0.1; ++decade) {
    draw_horizontal_line(svg, (decade - bottom) / (top - bottom), decade_label(decade, unit));
    for (int minor = 2; minor < 10 && decade < top; ++minor) {
      const double y = y_of(std::pow(10, decade) * minor);
      svg.line(kLeft, y, 100, y, "grid-line minor");
    }
  }
  constexpr std::pair<double, const char*> kMarks[] = {
      {0.30103, "p50"}, {1, "p90"}, {2, "p99"}, {3, "p99.9"}, {4, "p99.99"}};
  for (const auto& [decades, label] : kMarks) {
    svg.line(x_of(decades), kTop, x_of(decades), kTop + kPlotHeight, "grid-line");
    svg.text(x_of(decades), kTop + kPlotHeight + 18, label, "axis",
             decades == kDecades ? Anchor::kEnd : Anchor::kMiddle);
  }
  std::vector<std::string> labels;
  for (const measure::BenchmarkResult* bench_case : cases) {
    if (!bench_case->distribution || bench_case->distribution->count() == 0) continue;
    const std::string css = line_css(labels.size());
    const auto at = [bench_case](double decades) {
      return static_cast<double>(bench_case->distribution->percentile(100 * (1 - std::pow(10, -decades))));
    };
    // No further than the samples reach: beyond, the curve would only repeat the highest of them.
    const double reach = std::min(kDecades, std::log10(static_cast<double>(bench_case->distribution->count())));
    const auto step = [reach](int i) { return reach * i / kSteps; };
    for (int i = 1; i <= kSteps; ++i) {
      svg.line(x_of(step(i - 1)), y_of(at(step(i - 1))), x_of(step(i)), y_of(at(step(i))), "line " + css);
    }
    for (const auto& [decades, label] : kMarks) {
      if (decades > reach + 1e-9) continue;
      svg.circle(x_of(decades), y_of(at(decades)), 4, "dot fill-" + css,
                 fmt::format("{}, {}: {}", bench_case->name, label, format_value(at(decades), unit)));
    }
    labels.push_back(bench_case->name);
  }
  return draw_legend(labels) + std::move(svg).take();
}

std::string draw_history(const History& history) {
  constexpr double kHeight = 64;
  double least = history.points.empty() ? 0 : history.points.front().value.low;
  double most = 0;
  for (const History::Point& point : history.points) {
    least = std::min(least, point.value.low);
    most = std::max(most, point.value.high);
  }
  // Not from zero, but never so close that noise looks like a mountain: a tenth of the value at least.
  const double centre = (least + most) / 2;
  const double reach = std::max((most - least) / 2, 0.05 * std::abs(centre)) * 1.15;
  const auto y_of = [=](double value) {
    return reach > 0 ? kHeight / 2 - (value - centre) / reach * (kHeight / 2 - 4) : kHeight / 2;
  };
  const auto x_of = [&history](std::size_t i) {
    return history.points.size() < 2 ? 50
                                     : 4 + 92 * static_cast<double>(i) / static_cast<double>(history.points.size() - 1);
  };
  Svg svg(kHeight, history.name + " over " + std::to_string(history.points.size()) + " runs");
  for (std::size_t i = 0; i < history.points.size(); ++i) {
    const measure::Interval& value = history.points[i].value;
    if (i > 0)
      svg.line(x_of(i - 1), y_of(history.points[i - 1].value.estimate), x_of(i), y_of(value.estimate), "line line-0");
    svg.line(x_of(i), y_of(value.low), x_of(i), y_of(value.high), "error line-0");
  }
  for (std::size_t i = 0; i < history.points.size(); ++i) {
    const History::Point& point = history.points[i];
    svg.circle(x_of(i), y_of(point.value.estimate), i + 1 == history.points.size() ? 4.5 : 3, "dot fill-line-0",
               point.label + ": " + format_interval(point.value, history.unit));
  }
  std::string change;
  if (history.points.size() > 1) {
    const double share = history.points.back().value.estimate / history.points.front().value.estimate - 1;
    const bool good = (share > 0) == (history.better == measure::Better::kHigher);
    change = fmt::format("<span class=\"{}\">{}</span>",
                         std::abs(share) < 0.02 ? "faint"
                         : good                 ? "good"
                                                : "bad",
                         format_change(share));
  }
  const std::string last =
      history.points.empty() ? "" : format_value(history.points.back().value.estimate, history.unit);
  return fmt::format(
      "<div class=\"card\"><div class=\"card-name\">{}</div><div class=\"card-value\">{} {}</div>\n{}</div>\n",
      breakable_html(history.name), last, change, std::move(svg).take());
}

}  // namespace godwit::report
