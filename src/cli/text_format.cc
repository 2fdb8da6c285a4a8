#include "cli/text_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "support/text_width.h"

namespace godwit::cli {
namespace {

// Control characters move the cursor; the bidirectional controls make a line read otherwise than it is.
bool prints(const report::TextCharacter& character) {
  if (!character.valid) return false;
  const char32_t code = character.code;
  const bool control = code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029;
  const bool reorders = code == 0x200e || code == 0x200f || code == 0x61c || (code >= 0x202a && code <= 0x202e) ||
                        (code >= 0x2066 && code <= 0x2069);
  return !control && !reorders;
}

}  // namespace

std::string format_bytes(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.2f} {}", value, kUnits[unit]);
}

std::string format_rate(double bits_per_second) {
  constexpr std::array<std::string_view, 4> kUnits = {"bit/s", "kbit/s", "Mbit/s", "Gbit/s"};
  std::size_t unit = 0;
  while (bits_per_second >= 1000 && unit + 1 < kUnits.size()) {
    bits_per_second /= 1000;
    ++unit;
  }
  return fmt::format("{:.{}f} {}", bits_per_second, unit == 3 ? 2 : 1, kUnits[unit]);
}

std::string format_clock(Duration duration) {
  const auto seconds = static_cast<std::uint64_t>(std::max(0.0, to_seconds(duration)) + 0.5);
  if (seconds < 3600) return fmt::format("{}:{:02}", seconds / 60, seconds % 60);
  return fmt::format("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

std::string format_duration(Duration duration) {
  const double nanoseconds = static_cast<double>(duration.count());
  if (nanoseconds < 1e3) return fmt::format("{:.0f} ns", nanoseconds);
  if (nanoseconds < 1e6) return fmt::format("{:.1f} us", nanoseconds / 1e3);
  if (nanoseconds < 1e9) return fmt::format("{:.3f} ms", nanoseconds / 1e6);
  return fmt::format("{:.3f} s", nanoseconds / 1e9);
}

std::string printable_text(std::string_view text, std::size_t columns) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const report::TextCharacter character = report::first_character(text);
    if (prints(character)) {
      result += text.substr(0, character.bytes);
    } else {
      result += '?';
    }
    text.remove_prefix(character.bytes);
  }
  return report::cut_to_columns(result, columns);
}

EscapedText escape_text(std::string_view text, std::size_t most) {
  EscapedText result;
  while (!text.empty()) {
    const report::TextCharacter character = report::first_character(text);
    const std::string_view bytes = text.substr(0, character.bytes);
    std::string escaped;
    if (bytes == "\n") {
      escaped = "\\n";
    } else if (bytes == "\t") {
      escaped = "\\t";
    } else if (bytes == "\\") {
      escaped = "\\\\";
    } else if (prints(character)) {
      escaped = bytes;
    } else {
      for (const char byte : bytes) escaped += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
    }
    if (escaped.size() > most - result.text.size()) break;
    result.text += escaped;
    text.remove_prefix(character.bytes);
  }
  result.left_out = text.size();
  return result;
}

}  // namespace godwit::cli
