// A one-time code, as people read it to each other: "4711-tiger-museum-lotus" (docs/rendezvous.md section 7). The
// number says which exchange at the rendezvous is meant, and is no secret; the three words are, 24 bits of it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/random.h"
#include "base/result.h"

namespace godwit {

struct OneTimeCode {
  static constexpr std::size_t kWordCount = 3;
  static constexpr std::uint32_t kMaxNameplate = 9999;

  std::uint32_t nameplate = 0;                   // 1 to kMaxNameplate
  std::array<std::uint8_t, kWordCount> words{};  // places in kWordList

  // As it is printed, and as both sides put it into the key exchange.
  [[nodiscard]] std::string to_string() const;
  // Takes capitals, and blanks in place of hyphens; three letters or more of a word stand for it. Errors:
  // kInvalidArgument with one line that says what is wrong, and which word may have been meant.
  [[nodiscard]] static Result<OneTimeCode> parse(std::string_view text);
  // The words of a new one; the rendezvous gives it its number.
  [[nodiscard]] static OneTimeCode make(RandomSource& random);

  friend bool operator==(const OneTimeCode&, const OneTimeCode&) = default;
};

}  // namespace godwit
