#include "code/one_time_code.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "code/words.h"

namespace godwit {
namespace {

constexpr std::size_t kLongestText = 100;

// Whether one slip makes one of the other: a letter more, less or wrong, or two neighbours in each other's place.
bool one_slip_apart(std::string_view one, std::string_view other) {
  const auto [left, right] = std::ranges::mismatch(one, other);
  const std::string_view rest(left, one.end());
  const std::string_view others(right, other.end());
  if (rest.empty() || others.empty()) return rest.size() + others.size() <= 1;
  if (rest.substr(1) == others.substr(1) || rest == others.substr(1) || rest.substr(1) == others) return true;
  return rest.size() > 1 && others.size() > 1 && rest[0] == others[1] && rest[1] == others[0] &&
         rest.substr(2) == others.substr(2);
}

std::optional<std::uint8_t> find_word(std::string_view text) {
  if (text.size() < kWordPrefix) return std::nullopt;
  const auto found = std::ranges::find_if(kWordList, [&](std::string_view word) { return word.starts_with(text); });
  if (found == kWordList.end()) return std::nullopt;
  return static_cast<std::uint8_t>(found - kWordList.begin());
}

Error unknown_word(const std::string& text) {
  std::string message = "'" + text + "' is no word of a code";
  const auto meant = std::ranges::find_if(kWordList, [&](std::string_view word) { return one_slip_apart(text, word); });
  if (meant != kWordList.end()) message += ": did you mean '" + std::string(*meant) + "'?";
  return {.code = ErrorCode::kInvalidArgument, .message = std::move(message)};
}

// In lower case, at hyphens and blanks. Nothing for what has other characters than letters and digits besides.
std::optional<std::vector<std::string>> split(std::string_view text) {
  std::vector<std::string> parts(1);
  if (text.size() > kLongestText) return std::nullopt;
  for (char letter : text) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
    const bool plain = (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9');
    if (plain) {
      parts.back() += letter;
    } else if (letter != '-' && letter != ' ') {
      return std::nullopt;
    } else if (!parts.back().empty()) {
      parts.emplace_back();
    }
  }
  if (parts.back().empty()) parts.pop_back();
  return parts;
}

}  // namespace

std::string OneTimeCode::to_string() const {
  std::string text = std::to_string(nameplate);
  for (const std::uint8_t word : words) text += "-" + std::string(kWordList[word]);
  return text;
}

Result<OneTimeCode> OneTimeCode::parse(std::string_view text) {
  const Error shape{.code = ErrorCode::kInvalidArgument,
                    .message = "a code is a number and three words, as 4711-tiger-museum-lotus"};
  const auto parts = split(text);
  if (!parts || parts->size() != 1 + kWordCount) return std::unexpected(shape);
  OneTimeCode code;
  const std::string& number = parts->front();
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), code.nameplate);
  if (error != std::errc{} || end != number.data() + number.size() || code.nameplate == 0 ||
      code.nameplate > kMaxNameplate) {
    return std::unexpected(shape);
  }
  for (std::size_t i = 0; i < kWordCount; ++i) {
    const auto word = find_word((*parts)[1 + i]);
    if (!word) return std::unexpected(unknown_word((*parts)[1 + i]));
    code.words[i] = *word;
  }
  return code;
}

OneTimeCode OneTimeCode::make(RandomSource& random) {
  OneTimeCode code;
  random.fill(code.words);
  return code;
}

}  // namespace godwit
