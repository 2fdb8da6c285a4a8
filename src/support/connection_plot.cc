#include "support/connection_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "support/format.h"
#include "support/html_style.h"
#include "support/svg.h"

namespace godwit::report {

namespace {

constexpr double kHeight = 170;
constexpr double kTop = 26;
constexpr double kBottom = 24;
constexpr double kLeft = 13;  // percent
constexpr double kRight = 99;
constexpr std::size_t kMostLosses = 2000;

struct Line {
  std::string label;
  std::vector<std::pair<double, double>> points;  // seconds, value
};

double last_time(const std::vector<Line>& lines) {
  double last = 0;
  for (const Line& line : lines) {
    if (!line.points.empty()) last = std::max(last, line.points.back().first);
  }
  return last;
}

// Lines over seconds, with the losses as ticks on the axis.
std::string draw_lines(const std::string& title, std::string_view unit, const std::vector<Line>& lines,
                       const std::vector<double>& losses) {
  double highest = 0;
  for (const Line& line : lines) {
    for (const auto& [at, value] : line.points) highest = std::max(highest, value);
  }
  const Scale scale = scale_for(highest, unit);
  const Ticks ticks = make_ticks(0, std::max(highest * scale.factor, 1e-9), 4);
  const Ticks seconds = make_ticks(0, std::max(last_time(lines), 1e-3), 6);
  const auto x_of = [&](double at) { return kLeft + (kRight - kLeft) * at / seconds.last(); };
  const auto y_of = [&](double value) { return kTop + (1 - value * scale.factor / ticks.last()) * kHeight; };
  Svg svg(kTop + kHeight + kBottom, title);
  for (std::size_t i = 0; i < ticks.count; ++i) {
    const double y = y_of(ticks.at(i) / scale.factor);
    svg.line(kLeft, y, kRight, y, "grid-line");
    svg.text(kLeft - 1, y + 4, format_tick(ticks.at(i), ticks.step), "axis", Anchor::kEnd);
  }
  svg.text(0, 11, scale.unit.empty() ? unit : std::string_view(scale.unit), "axis unit");
  for (std::size_t i = 0; i < seconds.count; ++i) {
    svg.text(x_of(seconds.at(i)), kTop + kHeight + 18, format_tick(seconds.at(i), seconds.step) + " s", "axis",
             i + 1 == seconds.count ? Anchor::kEnd : Anchor::kMiddle);
  }
  std::string legend = "<ul class=\"legend\">";
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string css = fmt::format("line-{}", i);
    legend += fmt::format("<li><span class=\"key\"><i class=\"swatch fill-{}\"></i>{}</span></li>", css,
                          escape_html(lines[i].label));
    const auto& points = lines[i].points;
    for (std::size_t p = 1; p < points.size(); ++p) {
      svg.line(x_of(points[p - 1].first), y_of(points[p - 1].second), x_of(points[p].first), y_of(points[p].second),
               "line " + css);
    }
  }
  for (const double at : losses) svg.line(x_of(at), kTop + kHeight - 8, x_of(at), kTop + kHeight, "error line-3");
  if (!losses.empty()) legend += "<li><span class=\"key\"><i class=\"swatch fill-line-3\"></i>losses found</span></li>";
  return fmt::format("<h3>{}</h3>\n{}</ul>\n{}", escape_html(title), legend, std::move(svg).take());
}

}  // namespace

void ConnectionPlot::on_event(const trace::Event& event) {
  if (!began_) began_ = event.at;
  if (event.connection == 0) return;
  Series& series = connections_[event.connection];
  if (const auto* metrics = std::get_if<trace::MetricsUpdated>(&event.data)) {
    add(series, event.at, *metrics);
  } else if (const auto* acknowledged = std::get_if<trace::PacketsAcknowledged>(&event.data)) {
    series.acknowledged_bytes += acknowledged->bytes;
  } else if (std::holds_alternative<trace::PacketLost>(event.data)) {
    ++series.lost_packets;
    if (series.losses.size() < kMostLosses && (series.losses.empty() || event.at - series.losses.back() > 10ms))
      series.losses.push_back(event.at);
  } else if (const auto* state = std::get_if<trace::CongestionStateChanged>(&event.data)) {
    series.controller = state->controller;
    if (series.states.size() < 4000)
      series.states += fmt::format("{:.3f} s {}, ", to_seconds(event.at - *began_), state->state);
  }
}

void ConnectionPlot::add(Series& series, Instant at, const trace::MetricsUpdated& metrics) {
  auto& points = series.points;
  if (!points.empty() && at - points.back().at < std::max<Duration>(series.spacing, 1ms)) return;
  if (points.size() >= kMostPoints) {
    // Every second one: the axis stays even.
    std::size_t kept = 0;
    for (std::size_t i = 0; i < points.size(); i += 2) points[kept++] = points[i];
    points.resize(kept);
    series.spacing = std::max<Duration>(2 * series.spacing, (at - points.front().at) / (kMostPoints / 2));
  }
  const double seconds = points.empty() ? 0 : to_seconds(at - points.back().at);
  const auto bytes = static_cast<double>(series.acknowledged_bytes - series.counted_bytes);
  series.counted_bytes = series.acknowledged_bytes;
  points.push_back(
      {.at = at,
       .window = static_cast<double>(metrics.window_bytes),
       .in_flight = static_cast<double>(metrics.bytes_in_flight),
       .pacing = metrics.pacing_rate.is_unlimited() ? 0 : static_cast<double>(metrics.pacing_rate.bits_per_second()),
       .delivered = seconds > 0 ? bytes * 8 / seconds : 0,
       .round_trip = to_seconds(metrics.latest_round_trip) * 1e9,
       .minimum_round_trip = to_seconds(metrics.minimum_round_trip) * 1e9});
}

std::string ConnectionPlot::draw(const Series& series, Instant start) const {
  const auto line = [&](const char* label, const std::function<double(const Point&)>& value) {
    Line drawn{.label = label, .points = {}};
    for (const Point& point : series.points) drawn.points.emplace_back(to_seconds(point.at - start), value(point));
    return drawn;
  };
  // Acknowledgements come in batches: the rate is that of the last tenth of the axis' finest step and more.
  Line delivered = line("delivered", [](const Point& point) { return point.delivered; });
  constexpr std::size_t kSmooth = 8;
  for (std::size_t i = delivered.points.size(); i-- > kSmooth;) {
    double sum = 0;
    for (std::size_t k = 0; k < kSmooth; ++k) sum += delivered.points[i - k].second;
    delivered.points[i].second = sum / kSmooth;
  }
  std::vector<double> losses;
  for (const Instant at : series.losses) losses.push_back(to_seconds(at - start));
  std::string out;
  out += draw_lines("Window and bytes in flight", "bytes",
                    {line("congestion window", [](const Point& point) { return point.window; }),
                     line("in flight", [](const Point& point) { return point.in_flight; })},
                    losses);
  out += draw_lines("Rate", "bit/s",
                    {line("pacing", [](const Point& point) { return point.pacing; }), std::move(delivered)}, losses);
  out += draw_lines("Round trip", "ns",
                    {line("latest", [](const Point& point) { return point.round_trip; }),
                     line("least", [](const Point& point) { return point.minimum_round_trip; })},
                    losses);
  if (!series.states.empty()) {
    out += fmt::format("<details><summary>States of {}</summary>\n<p>{}</p></details>\n",
                       escape_html(series.controller), escape_html(series.states));
  }
  return out;
}

std::string ConnectionPlot::sections(Instant start) const {
  std::string out;
  std::size_t number = 0;
  for (const auto& [id, series] : connections_) {
    if (series.points.size() < 2) continue;
    out += fmt::format(
        "<section>\n<h2>{}, connection {}</h2>\n<p class=\"lead\">{} acknowledged, {} packets lost</p>\n{}"
        "</section>\n",
        escape_html(name_), ++number, format_value(static_cast<double>(series.acknowledged_bytes), "bytes"),
        series.lost_packets, draw(series, start));
  }
  return out;
}

std::string plot_page(std::string_view title, std::string_view lead, std::string_view sections) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n<style>\n{}</style>\n</head>\n"
      "<body>\n<header>\n<h1>{}</h1>\n<p class=\"lead\">{}</p>\n</header>\n<main>\n{}</main>\n</body>\n</html>\n",
      escape_html(title), html_style(), escape_html(title), escape_html(lead),
      sections.empty() ? "<p>No connection has sent anything.</p>\n" : sections);
}

}  // namespace godwit::report
