// The words of one-time codes (docs/rendezvous.md section 7): 256 short English words, so that a word says eight bits.
// No two are one slip of a finger apart (a letter more, less, wrong, or two in each other's place), so that a mistyped
// word is found out before it costs the guess; no two begin with the same three letters, so that three are enough to
// name one.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace godwit {

inline constexpr std::size_t kWords = 256;
inline constexpr std::size_t kWordPrefix = 3;  // letters that name a word
// In the order of the alphabet; a word's place is its value.
extern const std::array<std::string_view, kWords> kWordList;

}  // namespace godwit
