// Figures as people read them: three significant digits, a unit that fits.
// Used by every table and chart, so that a figure looks the same wherever it stands.
#pragma once

#include <string>
#include <string_view>

namespace godwit::report {

// A scale for values of a unit: "ns" becomes µs or ms, "bit/s" Gbit/s, "bytes" KiB, "share" %. Units it does not know
// stay as they are.
struct Scale {
  double factor = 1;  // shown = value * factor
  std::string unit;
};
// The scale that suits `value`; a table or an axis asks once, for its largest value.
[[nodiscard]] Scale scale_for(double value, std::string_view unit);

// Three significant digits, no exponent: "0.315", "31.5", "315", "3150".
[[nodiscard]] std::string format_number(double value);
// For axes: as many decimals as the step needs, "0.5", "20".
[[nodiscard]] std::string format_tick(double value, double step);
// "3.15 µs"
[[nodiscard]] std::string format_value(double value, std::string_view unit);
// "42 %", "4.2 %", "0.04 %"; of a share.
[[nodiscard]] std::string format_percent(double share);
// "+4.2 %", "−4.2 %", "±0 %"; of a change as a share.
[[nodiscard]] std::string format_change(double share);
// "1:02:03", "2:03", "0:03".
[[nodiscard]] std::string format_duration(double seconds);

// Text inside HTML, SVG and attribute values.
[[nodiscard]] std::string escape_html(std::string_view text);
// The same, and the name of a benchmark may be broken after a slash or an underscore.
[[nodiscard]] std::string breakable_html(std::string_view text);

}  // namespace godwit::report
