#include "support/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

namespace godwit::report {

namespace {

struct Prefix {
  double least;  // smallest value it suits
  double factor;
  const char* unit;
};
constexpr Prefix kTime[] = {{1e9, 1e-9, "s"}, {1e6, 1e-6, "ms"}, {1e3, 1e-3, "µs"}, {0, 1, "ns"}};
constexpr Prefix kBits[] = {{1e9, 1e-9, "Gbit/s"}, {1e6, 1e-6, "Mbit/s"}, {1e3, 1e-3, "kbit/s"}, {0, 1, "bit/s"}};
constexpr Prefix kPackets[] = {{1e6, 1e-6, "M packets/s"}, {1e3, 1e-3, "k packets/s"}, {0, 1, "packets/s"}};
constexpr Prefix kRate[] = {{1e6, 1e-6, "M/s"}, {1e3, 1e-3, "k/s"}, {0, 1, "/s"}};
constexpr Prefix kCount[] = {{1e9, 1e-9, "G"}, {1e6, 1e-6, "M"}, {1e3, 1e-3, "k"}, {0, 1, ""}};
constexpr Prefix kBytesRate[] = {{1e9, 1e-9, "GB/s"}, {1e6, 1e-6, "MB/s"}, {1e3, 1e-3, "kB/s"}, {0, 1, "B/s"}};
constexpr Prefix kBytes[] = {{1024.0 * 1024 * 1024, 1 / (1024.0 * 1024 * 1024), "GiB"},
                             {1024.0 * 1024, 1 / (1024.0 * 1024), "MiB"},
                             {1024, 1 / 1024.0, "KiB"},
                             {0, 1, "B"}};
constexpr Prefix kShare[] = {{0, 100, "%"}};

std::span<const Prefix> prefixes_of(std::string_view unit) {
  if (unit == "ns") return kTime;
  if (unit == "bit/s") return kBits;
  if (unit == "packets/s") return kPackets;
  if (unit == "/s") return kRate;
  if (unit == "count") return kCount;
  if (unit == "bytes/s") return kBytesRate;
  if (unit == "bytes") return kBytes;
  if (unit == "share" || unit.starts_with("share ")) return kShare;
  return {};
}

}  // namespace

Scale scale_for(double value, std::string_view unit) {
  for (const Prefix& prefix : prefixes_of(unit)) {
    // 999.7 would be shown as 1000: the next prefix takes over a little early.
    if (std::abs(value) >= prefix.least * 0.9995) return {prefix.factor, prefix.unit};
  }
  return {1, std::string(unit)};
}

std::string format_number(double value) {
  if (!std::isfinite(value)) return "–";
  if (value == 0) return "0";
  const int magnitude = static_cast<int>(std::floor(std::log10(std::abs(value))));
  const int digits = std::clamp(2 - magnitude, 0, 6);
  std::string text = fmt::format("{:.{}f}", value, digits);
  // Rounding up may have added a digit: 9.999 is 10.0, not 10.00.
  const double rounded = std::abs(std::strtod(text.c_str(), nullptr));
  if (digits > 0 && rounded >= std::pow(10, magnitude + 1)) text = fmt::format("{:.{}f}", value, digits - 1);
  return text;
}

std::string format_tick(double value, double step) {
  int digits = 0;
  while (digits < 6 && std::abs(step - std::round(step * std::pow(10, digits)) / std::pow(10, digits)) > 1e-9 * step) {
    ++digits;
  }
  return fmt::format("{:.{}f}", value, digits);
}

std::string format_value(double value, std::string_view unit) {
  const Scale scale = scale_for(value, unit);
  const std::string number = format_number(value * scale.factor);
  return scale.unit.empty() ? number : number + " " + scale.unit;
}

std::string format_percent(double share) {
  const double percent = share * 100;
  if (!std::isfinite(percent)) return "–";
  if (std::abs(percent) >= 9.95) return fmt::format("{:.0f} %", percent);
  if (std::abs(percent) >= 0.095 || percent == 0) return fmt::format("{:.{}f} %", percent, percent == 0 ? 0 : 1);
  return fmt::format("{:.2f} %", percent);
}

std::string format_change(double share) {
  if (std::abs(share) < 0.0005) return "±0 %";
  return (share > 0 ? "+" : "−") + format_percent(std::abs(share));
}

std::string format_duration(double seconds) {
  const auto whole = static_cast<long long>(std::max(0.0, std::round(seconds)));
  if (whole >= 3600) return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char character : text) {
    switch (character) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += character;
    }
  }
  return out;
}

std::string breakable_html(std::string_view text) {
  std::string out;
  for (const char character : text) {
    out += escape_html({&character, 1});
    if (character == '/' || character == '_') out += "<wbr>";
  }
  return out;
}

}  // namespace godwit::report
