#include "support/text_width.h"

#include <algorithm>
#include <iterator>

namespace godwit::report {
namespace {

struct CharacterRange {
  char32_t first;
  char32_t last;
};

#include "support/width_table.inc"

template <std::size_t kSize>
bool contains(const CharacterRange (&ranges)[kSize], char32_t code) {
  const auto* const next =
      std::upper_bound(std::begin(ranges), std::end(ranges), code,
                       [](char32_t value, const CharacterRange& range) { return value < range.first; });
  return next != std::begin(ranges) && code <= std::prev(next)->last;
}

constexpr std::string_view kEllipsis = "…";

}  // namespace

TextCharacter first_character(std::string_view text) {
  const auto byte = [text](std::size_t index) { return static_cast<unsigned char>(text[index]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {.code = lead, .bytes = 1, .valid = true};
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  const TextCharacter broken{.code = lead, .bytes = 1, .valid = false};
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return broken;
  char32_t code = lead & (0xffU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80U) return broken;
    code = (code << 6U) | (byte(i) & 0x3fU);
  }
  const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  if (overlong || (code >= 0xd800 && code < 0xe000) || code > 0x10ffff) return broken;
  return {.code = code, .bytes = length, .valid = true};
}

std::size_t character_columns(char32_t code) {
  if (code < 0x300) return 1;
  if (contains(kNoColumn, code)) return 0;
  return contains(kTwoColumns, code) ? 2 : 1;
}

std::size_t display_width(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    const TextCharacter character = first_character(text);
    columns += character.valid ? character_columns(character.code) : 1;
    text.remove_prefix(character.bytes);
  }
  return columns;
}

std::string cut_to_columns(std::string_view text, std::size_t columns) {
  if (display_width(text) <= columns) return std::string(text);
  if (columns == 0) return {};
  std::size_t used = 0;
  std::size_t end = 0;
  while (end < text.size()) {
    const TextCharacter character = first_character(text.substr(end));
    const std::size_t wide = character.valid ? character_columns(character.code) : 1;
    if (used + wide > columns - 1) break;
    used += wide;
    end += character.bytes;
  }
  return std::string(text.substr(0, end)) + std::string(kEllipsis);
}

std::vector<std::string> wrap_to_columns(const std::string& text, std::size_t columns) {
  std::vector<std::string> lines;
  std::string line;
  std::size_t begin = 0;
  while (begin < text.size()) {
    std::size_t end = std::min(text.find(' ', begin), text.size());
    // A figure and its per cent sign stay together.
    if (text.substr(end).starts_with(" %")) end = std::min(text.find(' ', end + 1), text.size());
    const std::string word = text.substr(begin, end - begin);
    if (!line.empty() && display_width(line) + 1 + display_width(word) > columns) {
      lines.push_back(line);
      line.clear();
    }
    if (!line.empty()) line += ' ';
    line += word;
    begin = end + 1;
  }
  if (!line.empty() || lines.empty()) lines.push_back(line);
  return lines;
}

}  // namespace godwit::report
