#include "ticket/bech32.h"

#include <array>

namespace godwit {
namespace {

constexpr std::string_view kLetters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
constexpr std::size_t kChecksumLetters = 6;
constexpr std::uint32_t kResidue = 0x2bc830a3;  // of Bech32m

char lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

// One step of the division by the generator polynomial over GF(32).
std::uint32_t step(std::uint32_t remainder, std::uint8_t value) {
  constexpr std::array<std::uint32_t, 5> kGenerator = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3};
  const std::uint32_t top = remainder >> 25;
  remainder = (remainder & 0x1ffffff) << 5 ^ value;
  for (std::size_t i = 0; i < kGenerator.size(); ++i) {
    if ((top >> i & 1) != 0) remainder ^= kGenerator[i];
  }
  return remainder;
}

std::uint32_t remainder_of_prefix(std::string_view prefix) {
  std::uint32_t remainder = 1;
  for (const char letter : prefix) remainder = step(remainder, static_cast<std::uint8_t>(letter >> 5));
  remainder = step(remainder, 0);
  for (const char letter : prefix) remainder = step(remainder, static_cast<std::uint8_t>(letter & 31));
  return remainder;
}

}  // namespace

std::string encode_bech32(std::string_view prefix, const std::vector<std::uint8_t>& values) {
  std::uint32_t remainder = remainder_of_prefix(prefix);
  std::string text(prefix);
  text += '1';
  for (const std::uint8_t value : values) {
    remainder = step(remainder, value);
    text += kLetters[value];
  }
  for (std::size_t i = 0; i < kChecksumLetters; ++i) remainder = step(remainder, 0);
  remainder ^= kResidue;
  for (std::size_t i = 0; i < kChecksumLetters; ++i) {
    text += kLetters[remainder >> 5 * (kChecksumLetters - 1 - i) & 31];
  }
  return text;
}

DecodedBech32 decode_bech32(std::string_view prefix, std::string_view text) {
  DecodedBech32 result;
  const auto fails = [&result](Bech32Error error) {
    result.error = error;
    result.values.clear();
    return result;
  };
  if (text.size() > kMaxBech32 || text.size() <= prefix.size()) return fails(Bech32Error::kNotOne);
  for (std::size_t i = 0; i < prefix.size(); ++i) {
    if (lower(text[i]) != prefix[i]) return fails(Bech32Error::kNotOne);
  }
  if (text[prefix.size()] != '1') return fails(Bech32Error::kNotOne);
  std::uint32_t remainder = remainder_of_prefix(prefix);
  for (std::size_t i = prefix.size() + 1; i < text.size(); ++i) {
    const std::size_t value = kLetters.find(lower(text[i]));
    if (value == std::string_view::npos) {
      result.place = i;
      return fails(Bech32Error::kLetter);
    }
    remainder = step(remainder, static_cast<std::uint8_t>(value));
    result.values.push_back(static_cast<std::uint8_t>(value));
  }
  if (result.values.size() < kChecksumLetters) return fails(Bech32Error::kShort);
  if (remainder != kResidue) return fails(Bech32Error::kChecksum);
  result.values.resize(result.values.size() - kChecksumLetters);
  return result;
}

std::vector<std::uint8_t> to_five_bits(ByteView bytes) {
  std::vector<std::uint8_t> values;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const std::uint8_t byte : bytes) {
    bits = bits << 8 | byte;
    count += 8;
    for (; count >= 5; count -= 5) values.push_back(static_cast<std::uint8_t>(bits >> (count - 5) & 31));
  }
  if (count > 0) values.push_back(static_cast<std::uint8_t>(bits << (5 - count) & 31));
  return values;
}

std::optional<std::vector<std::uint8_t>> from_five_bits(const std::uint8_t* values, std::size_t count) {
  std::vector<std::uint8_t> bytes;
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (std::size_t i = 0; i < count; ++i) {
    bits = bits << 5 | values[i];
    held += 5;
    if (held < 8) continue;
    held -= 8;
    bytes.push_back(static_cast<std::uint8_t>(bits >> held));
  }
  if (held >= 5 || (bits & ((1U << held) - 1)) != 0) return std::nullopt;
  return bytes;
}

}  // namespace godwit
