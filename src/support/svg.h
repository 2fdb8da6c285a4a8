// Scalable drawings without a script that stay legible on a phone: horizontal positions are percentages of whatever
// width the page gives, vertical ones and text are pixels, so letters never shrink with the drawing. Colours are CSS
// classes (html_style.cc), which lets light and dark share one drawing.
#pragma once

#include <string>
#include <string_view>

namespace godwit::report {

enum class Anchor : std::uint8_t { kStart, kMiddle, kEnd };

class Svg {
 public:
  // `label` is what a screen reader says instead.
  Svg(double height, std::string_view label);

  // x and widths in percent, y and heights in pixels. `tip` is shown when pointed at; no element without a class.
  void rectangle(double x, double y, double width, double height, std::string_view css, std::string_view tip = "",
                 double radius = 0);
  void line(double x1, double y1, double x2, double y2, std::string_view css);
  void circle(double x, double y, double radius, std::string_view css, std::string_view tip = "");
  // y is the baseline.
  void text(double x, double y, std::string_view content, std::string_view css, Anchor anchor = Anchor::kStart);
  // A name that may be longer than a phone is wide: shortened in its middle there.
  void name(double y, std::string_view content, std::string_view css);
  // A line from low to high with caps of `cap` pixels: an interval.
  void whisker_horizontal(double low, double high, double y, double cap, std::string_view css);

  // The whole element.
  [[nodiscard]] std::string take() &&;

 private:
  std::string out_;
};

// Round tick positions from 0 (or below `low`) to at least `high`: at most `most` of them beyond the first.
struct Ticks {
  double first = 0;
  double step = 1;
  std::size_t count = 1;  // including the first
  [[nodiscard]] double at(std::size_t i) const { return first + step * static_cast<double>(i); }
  [[nodiscard]] double last() const { return at(count - 1); }
};
[[nodiscard]] Ticks make_ticks(double low, double high, std::size_t most);

}  // namespace godwit::report
