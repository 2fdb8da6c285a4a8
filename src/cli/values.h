// The values of options as people write them: addresses with names, rates, sizes, times, probabilities. Every parser
// returns nothing for what it does not understand, and check_* turn one into a validator of CLI11.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bandwidth.h"
#include "base/result.h"
#include "base/time.h"

namespace godwit::cli {

// "100M", "2.5G", "64k": decimal bits per second; a plain number is bits. Nothing for zero.
[[nodiscard]] std::optional<Bandwidth> parse_rate(std::string_view text);
// "64M", "1.5G", "100k": binary bytes; a plain number is bytes.
[[nodiscard]] std::optional<std::uint64_t> parse_size(std::string_view text);
// "25ms", "100us", "1.5s", "500ns"; a plain number is seconds.
[[nodiscard]] std::optional<Duration> parse_duration(std::string_view text);
// 0 … 1, or "1%".
[[nodiscard]] std::optional<double> parse_probability(std::string_view text);

// What `parser` understands. Without a name of its own: the option names the type.
template <typename Parser>
[[nodiscard]] CLI::Validator check_parsed(Parser parser, const char* expected) {
  return {[parser, expected](const std::string& text) {
            return parser(text) ? std::string() : "'" + text + "' is not " + expected;
          },
          ""};
}
[[nodiscard]] CLI::Validator check_rate();
[[nodiscard]] CLI::Validator check_size();
// The same without zero.
[[nodiscard]] CLI::Validator check_positive_size();
// Bytes of an echo that goes as one packet, its header included.
[[nodiscard]] CLI::Validator check_message_size();
[[nodiscard]] CLI::Validator check_duration();
// A number of seconds within the bounds, as CLI::Range, which takes what is no number ("nan") for one.
[[nodiscard]] CLI::Validator check_seconds(double least, double most);
[[nodiscard]] CLI::Validator check_probability();
[[nodiscard]] CLI::Validator check_bind();
[[nodiscard]] CLI::Validator check_public_key();

}  // namespace godwit::cli
