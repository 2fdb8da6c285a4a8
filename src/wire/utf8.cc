#include "wire/utf8.h"

#include <algorithm>
#include <cstdint>

namespace godwit::wire {
namespace {

bool in_range(std::uint8_t byte, std::uint8_t low, std::uint8_t high) {
  return byte >= low && byte <= high;
}

// Length of the well-formed sequence at the front of `text`, 0 if there is none. The rows are the grammar of RFC 3629
// section 4: only the second byte's range depends on the first.
std::size_t sequence_length(ByteView text) {
  const std::uint8_t first = text[0];
  if (first <= 0x7f) return 1;

  std::size_t length = 0;
  std::uint8_t low = 0x80;
  std::uint8_t high = 0xbf;
  if (in_range(first, 0xc2, 0xdf)) {
    length = 2;
  } else if (in_range(first, 0xe0, 0xef)) {
    length = 3;
    if (first == 0xe0) low = 0xa0;   // below are overlong forms
    if (first == 0xed) high = 0x9f;  // above are surrogates
  } else if (in_range(first, 0xf0, 0xf4)) {
    length = 4;
    if (first == 0xf0) low = 0x90;   // below are overlong forms
    if (first == 0xf4) high = 0x8f;  // above is beyond U+10FFFF
  }
  if (length == 0 || text.size() < length || !in_range(text[1], low, high)) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if (!in_range(text[i], 0x80, 0xbf)) return 0;
  }
  return length;
}

}  // namespace

bool is_valid_utf8(ByteView text) {
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    if (length == 0) return false;
    text = text.subspan(length);
  }
  return true;
}

std::string_view cut_utf8(std::string_view text, std::size_t bytes) {
  constexpr std::size_t kLongest = 4;
  if (text.size() <= bytes) return text;
  // The last character that begins within the bytes may end beyond them.
  for (std::size_t back = 1; back < kLongest && back <= bytes; ++back) {
    const std::size_t begin = bytes - back;
    if (sequence_length(as_bytes(text.substr(begin))) > back) return text.substr(0, begin);
  }
  return text.substr(0, bytes);
}

std::string with_valid_utf8(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = sequence_length(as_bytes(text));
    if (length == 0) {
      result += '?';
    } else {
      result += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return result;
}

}  // namespace godwit::wire
