// Durations and instants of the sans-I/O core. The core never asks for the time: `Instant` is a point on a clock type
// that has no now(), so only a driver (runtime/ with CLOCK_BOOTTIME, sim/ with its event heap) can make one.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace godwit {

using Duration = std::chrono::nanoseconds;

// The clock of the core: names an epoch, offers no reading.
struct CoreClock {
  using rep = Duration::rep;
  using period = Duration::period;
  using duration = Duration;
  using time_point = std::chrono::time_point<CoreClock, Duration>;
  static constexpr bool is_steady = true;
};

// Nanoseconds since the driver's epoch (boot for the runtime, start of the scenario for the simulator).
using Instant = CoreClock::time_point;

// The earlier of two deadlines, either of which there may not be.
[[nodiscard]] constexpr std::optional<Instant> earliest(std::optional<Instant> one, std::optional<Instant> other) {
  if (!one) return other;
  return other && *other < *one ? other : one;
}

using namespace std::chrono_literals;

constexpr double to_seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

// Rounds towards zero; `seconds` beyond what Duration can hold (about 292 years) is clamped.
constexpr Duration from_seconds(double seconds) {
  constexpr double kLimit = 9.2e9;
  const double clamped = seconds > kLimit ? kLimit : (seconds < -kLimit ? -kLimit : seconds);
  return Duration{static_cast<Duration::rep>(clamped * 1e9)};
}

}  // namespace godwit
