// How many columns of a terminal a text takes: most characters take one, combining marks and format characters none,
// East Asian wide characters and emoji two. Used wherever text is aligned, cut or redrawn on a line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace godwit::report {

struct TextCharacter {
  char32_t code = 0;
  std::size_t bytes = 0;  // of its encoding, at least 1
  bool valid = false;     // false: one byte that is no UTF-8 (RFC 3629)
};

// The first character of `text`, which is not empty.
[[nodiscard]] TextCharacter first_character(std::string_view text);
// Columns of one character: 0, 1 or 2. Control characters, which move the cursor, count as 1.
[[nodiscard]] std::size_t character_columns(char32_t code);
// Columns of a text without control characters. A byte that is no UTF-8 counts as 1.
[[nodiscard]] std::size_t display_width(std::string_view text);
// `text` if it takes at most `columns`, else its beginning and an ellipsis, together at most `columns`. Never cuts
// inside a character or between a character and its combining marks.
[[nodiscard]] std::string cut_to_columns(std::string_view text, std::size_t columns);
// Lines of at most `columns`, broken between words but not before "%"; a longer word keeps its line to itself. At least
// one line.
[[nodiscard]] std::vector<std::string> wrap_to_columns(const std::string& text, std::size_t columns);

}  // namespace godwit::report
