// Bytes as letters that people can copy: 32 letters without those that look alike, a prefix that says what it is, and a
// checksum of six letters (Bech32m, BIP 350). Any change of up to three letters is found.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace godwit {

// Prefix, separator, letters and checksum together, for the length of the code's cycle.
inline constexpr std::size_t kMaxBech32 = 1023;

// `prefix` in lower case; `values` below 32. Requires that all of it has at most kMaxBech32 letters.
[[nodiscard]] std::string encode_bech32(std::string_view prefix, const std::vector<std::uint8_t>& values);

enum class Bech32Error : std::uint8_t {
  kNotOne,    // does not begin with the prefix, or is too long
  kShort,     // has not even a checksum
  kLetter,    // has a letter that none of them is
  kChecksum,  // a letter is wrong, missing or too many
};
// Of either case, or a mixture. The values without the checksum; or why not, with the place of a wrong letter.
struct DecodedBech32 {
  std::optional<Bech32Error> error;
  std::size_t place = 0;  // of kLetter, from 0
  std::vector<std::uint8_t> values;
};
[[nodiscard]] DecodedBech32 decode_bech32(std::string_view prefix, std::string_view text);

// Groups of five bits, the last one filled with zeros, and back. Nothing for bits left over that are not zeros, or that
// are five or more.
[[nodiscard]] std::vector<std::uint8_t> to_five_bits(ByteView bytes);
[[nodiscard]] std::optional<std::vector<std::uint8_t>> from_five_bits(const std::uint8_t* values, std::size_t count);

}  // namespace godwit
