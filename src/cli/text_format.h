// Amounts, rates and times as people read them, and text from elsewhere made safe to print.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"

namespace godwit::cli {

// "1.50 GiB", "640 KiB", "12 B".
[[nodiscard]] std::string format_bytes(std::uint64_t bytes);
// "9.53 Gbit/s", "100.0 Mbit/s".
[[nodiscard]] std::string format_rate(double bits_per_second);
// "1:02:03", "0:07".
[[nodiscard]] std::string format_clock(Duration duration);
// "1.234 ms", "56.7 us".
[[nodiscard]] std::string format_duration(Duration duration);

// Safe to print, one line: control characters, characters that reorder a line, and bytes that are no UTF-8 become '?'.
// At most `columns` columns, never cut inside a character.
[[nodiscard]] std::string printable_text(std::string_view text, std::size_t columns = 300);
// Safe to print, one line, with nothing lost: `\n`, `\t`, `\\`, and `\xNN` for every other byte that does not print. As
// much of the beginning as fits into `most` bytes, never cut inside a character; `left_out` bytes of the text are
// behind it.
struct EscapedText {
  std::string text;
  std::size_t left_out = 0;
};
[[nodiscard]] EscapedText escape_text(std::string_view text, std::size_t most);

}  // namespace godwit::cli
