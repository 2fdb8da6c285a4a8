#include "support/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "support/format.h"
#include "support/text_width.h"

namespace godwit::report {

namespace {

// Short numbers: a report has thousands of them.
std::string brief(double value) {
  std::string text = fmt::format("{:.2f}", value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text == "-0" ? "0" : text;
}

std::string tooltip(std::string_view tip) {
  return tip.empty() ? "" : "<title>" + escape_html(tip) + "</title>";
}

}  // namespace

Svg::Svg(double height, std::string_view label) {
  out_ = fmt::format("<svg class=\"chart\" width=\"100%\" height=\"{}\" role=\"img\" aria-label=\"{}\">\n",
                     brief(height), escape_html(label));
}

void Svg::rectangle(double x, double y, double width, double height, std::string_view css, std::string_view tip,
                    double radius) {
  out_ += fmt::format("<rect x=\"{}%\" y=\"{}\" width=\"{}%\" height=\"{}\" class=\"{}\"", brief(x), brief(y),
                      brief(std::max(0.0, width)), brief(std::max(0.0, height)), css);
  if (radius > 0) out_ += fmt::format(" rx=\"{}\"", brief(radius));
  out_ += tip.empty() ? "/>\n" : ">" + tooltip(tip) + "</rect>\n";
}

void Svg::line(double x1, double y1, double x2, double y2, std::string_view css) {
  out_ += fmt::format("<line x1=\"{}%\" y1=\"{}\" x2=\"{}%\" y2=\"{}\" class=\"{}\"/>\n", brief(x1), brief(y1),
                      brief(x2), brief(y2), css);
}

void Svg::circle(double x, double y, double radius, std::string_view css, std::string_view tip) {
  out_ += fmt::format("<circle cx=\"{}%\" cy=\"{}\" r=\"{}\" class=\"{}\"", brief(x), brief(y), brief(radius), css);
  out_ += tip.empty() ? "/>\n" : ">" + tooltip(tip) + "</circle>\n";
}

void Svg::text(double x, double y, std::string_view content, std::string_view css, Anchor anchor) {
  const char* where = anchor == Anchor::kStart ? "start" : anchor == Anchor::kMiddle ? "middle" : "end";
  out_ += fmt::format("<text x=\"{}%\" y=\"{}\" text-anchor=\"{}\" class=\"{}\">{}</text>\n", brief(x), brief(y), where,
                      css, escape_html(content));
}

void Svg::whisker_horizontal(double low, double high, double y, double cap, std::string_view css) {
  line(low, y, high, y, css);
  line(low, y - cap, low, y + cap, css);
  line(high, y - cap, high, y + cap, css);
}

void Svg::name(double y, std::string_view content, std::string_view css) {
  constexpr std::size_t kLongest = 27;
  constexpr std::size_t kTail = 17;  // the end of a benchmark's name says more than its beginning
  if (display_width(content) <= kLongest) return text(0, y, content, css);
  text(0, y, content, std::string(css) + " wide");
  // Cut between characters, not inside one.
  std::size_t head = kLongest - kTail - 1;
  std::size_t tail = content.size() - kTail;
  const auto continues = [content](std::size_t at) {
    return (static_cast<unsigned char>(content[at]) & 0xC0U) == 0x80U;
  };
  while (head > 0 && continues(head)) --head;
  while (tail < content.size() && continues(tail)) ++tail;
  text(0, y, std::string(content.substr(0, head)) + "…" + std::string(content.substr(tail)),
       std::string(css) + " narrow");
}

std::string Svg::take() && {
  return std::move(out_) + "</svg>\n";
}

Ticks make_ticks(double low, double high, std::size_t most) {
  if (!(high > low)) high = low + 1;
  const double rough = (high - low) / static_cast<double>(std::max<std::size_t>(1, most));
  const double power = std::pow(10, std::floor(std::log10(rough)));
  double step = power * 10;
  for (const double multiple : {1.0, 2.0, 2.5, 5.0}) {
    if (multiple * power >= rough * 0.999999) {
      step = multiple * power;
      break;
    }
  }
  Ticks ticks;
  ticks.step = step;
  ticks.first = std::floor(low / step + 1e-9) * step;
  ticks.count = static_cast<std::size_t>(std::ceil((high - ticks.first) / step - 1e-9)) + 1;
  return ticks;
}

}  // namespace godwit::report
