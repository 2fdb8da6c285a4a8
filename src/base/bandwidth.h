// A rate in bytes per second, as a type so that bits and bytes cannot be confused.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>

#include "base/time.h"

namespace godwit {

class Bandwidth {
 public:
  constexpr Bandwidth() = default;
  static constexpr Bandwidth from_bytes_per_second(std::uint64_t value) { return Bandwidth{value}; }
  static constexpr Bandwidth from_bits_per_second(std::uint64_t value) { return Bandwidth{value / 8}; }
  static constexpr Bandwidth unlimited() { return Bandwidth{std::numeric_limits<std::uint64_t>::max()}; }
  // Zero elapsed time yields `unlimited()`.
  static constexpr Bandwidth from_bytes_and_time(std::uint64_t bytes, Duration elapsed) {
    if (elapsed <= Duration::zero()) return unlimited();
    return Bandwidth{
        static_cast<std::uint64_t>(static_cast<double>(bytes) * 1e9 / static_cast<double>(elapsed.count()))};
  }

  [[nodiscard]] constexpr std::uint64_t bytes_per_second() const { return bytes_per_second_; }
  [[nodiscard]] constexpr std::uint64_t bits_per_second() const {
    return is_unlimited() ? bytes_per_second_ : bytes_per_second_ * 8;
  }
  [[nodiscard]] constexpr bool is_unlimited() const {
    return bytes_per_second_ == std::numeric_limits<std::uint64_t>::max();
  }

  // Bytes this rate carries in `elapsed`; saturates.
  [[nodiscard]] constexpr std::uint64_t bytes_in(Duration elapsed) const {
    if (elapsed <= Duration::zero()) return 0;
    const double bytes = static_cast<double>(bytes_per_second_) * static_cast<double>(elapsed.count()) * 1e-9;
    return bytes >= 1.8e19 ? std::numeric_limits<std::uint64_t>::max() : static_cast<std::uint64_t>(bytes);
  }
  // Time this rate needs for `bytes`; a rate of zero takes Duration::max().
  [[nodiscard]] constexpr Duration time_for(std::uint64_t bytes) const {
    if (is_unlimited()) return Duration::zero();
    if (bytes_per_second_ == 0) return Duration::max();
    const double nanoseconds = static_cast<double>(bytes) * 1e9 / static_cast<double>(bytes_per_second_);
    return nanoseconds >= 9e18 ? Duration::max() : Duration{static_cast<Duration::rep>(nanoseconds)};
  }
  [[nodiscard]] constexpr Bandwidth scaled(double factor) const {
    if (is_unlimited()) return *this;
    return Bandwidth{static_cast<std::uint64_t>(static_cast<double>(bytes_per_second_) * factor)};
  }

  friend constexpr auto operator<=>(Bandwidth, Bandwidth) = default;

 private:
  constexpr explicit Bandwidth(std::uint64_t bytes_per_second) : bytes_per_second_(bytes_per_second) {}
  std::uint64_t bytes_per_second_ = 0;
};

// Decimal units, as links are sold: 10_mbps is 1,250,000 bytes per second.
constexpr Bandwidth operator""_kbps(unsigned long long value) {
  return Bandwidth::from_bits_per_second(value * 1'000);
}
constexpr Bandwidth operator""_mbps(unsigned long long value) {
  return Bandwidth::from_bits_per_second(value * 1'000'000);
}
constexpr Bandwidth operator""_gbps(unsigned long long value) {
  return Bandwidth::from_bits_per_second(value * 1'000'000'000);
}

}  // namespace godwit
