#include "cli/values.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <memory>

#include "crypto/keypair.h"
#include "runtime/resolve.h"
#include "transfer/control.h"
#include "wire/limits.h"

namespace godwit::cli {
namespace {

struct Quantity {
  double value = 0;
  std::string_view unit;
};

std::optional<Quantity> parse_quantity(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc{} || end == text.data() || !std::isfinite(value) || value < 0) return std::nullopt;
  return Quantity{value, text.substr(static_cast<std::size_t>(end - text.data()))};
}

std::optional<double> scale_of(std::string_view unit, double base) {
  if (unit.empty()) return 1.0;
  if (unit.size() > 1) return std::nullopt;
  switch (unit[0]) {
    case 'k':
    case 'K': return base;
    case 'm':
    case 'M': return base * base;
    case 'g':
    case 'G': return base * base * base;
    case 't':
    case 'T': return base * base * base * base;
    default: return std::nullopt;
  }
}

std::optional<std::uint64_t> whole(double value) {
  if (value >= 9.2e18) return std::nullopt;
  return static_cast<std::uint64_t>(value + 0.5);
}

}  // namespace

std::optional<Bandwidth> parse_rate(std::string_view text) {
  const auto quantity = parse_quantity(text);
  if (!quantity) return std::nullopt;
  const auto scale = scale_of(quantity->unit, 1000);
  const auto bits = scale ? whole(quantity->value * *scale) : std::nullopt;
  if (!bits || *bits < 8) return std::nullopt;
  return Bandwidth::from_bits_per_second(*bits);
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  const auto quantity = parse_quantity(text);
  if (!quantity) return std::nullopt;
  const auto scale = scale_of(quantity->unit, 1024);
  return scale ? whole(quantity->value * *scale) : std::nullopt;
}

std::optional<Duration> parse_duration(std::string_view text) {
  const auto quantity = parse_quantity(text);
  if (!quantity) return std::nullopt;
  double seconds = 0;
  if (quantity->unit.empty() || quantity->unit == "s")
    seconds = quantity->value;
  else if (quantity->unit == "ms")
    seconds = quantity->value * 1e-3;
  else if (quantity->unit == "us")
    seconds = quantity->value * 1e-6;
  else if (quantity->unit == "ns")
    seconds = quantity->value * 1e-9;
  else if (quantity->unit == "m")
    seconds = quantity->value * 60;
  else
    return std::nullopt;
  if (seconds > 1e9) return std::nullopt;
  return Duration{static_cast<Duration::rep>(std::llround(seconds * 1e9))};
}

std::optional<double> parse_probability(std::string_view text) {
  const auto quantity = parse_quantity(text);
  if (!quantity) return std::nullopt;
  double value = quantity->value;
  if (quantity->unit == "%")
    value /= 100;
  else if (!quantity->unit.empty())
    return std::nullopt;
  if (value > 1) return std::nullopt;
  return value;
}

CLI::Validator check_rate() {
  return check_parsed(parse_rate, "a rate in bits per second (100M, 2.5G)");
}
CLI::Validator check_message_size() {
  return CLI::Range(kEchoHeader, wire::kShortMessageLimit);
}

CLI::Validator check_size() {
  return check_parsed(parse_size, "a size in bytes (64M, 10G)");
}
CLI::Validator check_positive_size() {
  const auto parse = [](std::string_view text) {
    const auto bytes = parse_size(text);
    return bytes && *bytes > 0 ? bytes : std::nullopt;
  };
  return check_parsed(parse, "a size of at least one byte (64M, 10G)");
}
CLI::Validator check_duration() {
  return check_parsed(parse_duration, "a time (10, 1.5s, 25ms, 100us)");
}
CLI::Validator check_seconds(double least, double most) {
  CLI::Validator check = CLI::Range(least, most);
  return check & CLI::Validator(
                     [](const std::string& text) {
                       const auto end = text.find_first_not_of("+-.eE0123456789");
                       return end == std::string::npos ? std::string() : "'" + text + "' is not a number of seconds";
                     },
                     "");
}
CLI::Validator check_probability() {
  return check_parsed(parse_probability, "a probability (0.01 or 1%)");
}
CLI::Validator check_bind() {
  return check_parsed(parse_bind, "an address to bind to (ADDR:PORT or [ADDR]:PORT)");
}
CLI::Validator check_public_key() {
  return check_parsed(PublicKey::from_hex, "a public key of 64 hexadecimal digits");
}

}  // namespace godwit::cli
