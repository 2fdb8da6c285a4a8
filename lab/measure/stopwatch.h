// Two clocks for measuring: CLOCK_MONOTONIC_RAW (never steered, about 25 ns a reading) and the processor's time-stamp
// counter (about 8 ns), which counts only where the counter is constant, never stops and the kernel itself trusts it.
// The measured code never reads these; benchmarks, probes and the doctor do.
#pragma once

#include <time.h>

#include <cstdint>
#include <string>

#include "base/time.h"
#include "measure/system_files.h"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace godwit::measure {

// Nanoseconds of CLOCK_MONOTONIC_RAW since some fixed point.
[[nodiscard]] inline std::uint64_t raw_nanoseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

// Runs from its construction.
class Stopwatch {
 public:
  Stopwatch() : started_(raw_nanoseconds()) {}
  [[nodiscard]] Duration elapsed() const { return Duration{static_cast<Duration::rep>(raw_nanoseconds() - started_)}; }

 private:
  std::uint64_t started_;
};

// True where this build can read a counter of the processor at all.
[[nodiscard]] constexpr bool has_tsc() {
#if defined(__x86_64__)
  return true;
#else
  return false;
#endif
}

// Not ordered against neighbouring instructions: a sample shorter than about 20 ns blurs into its neighbours, the sum
// of all samples does not. Requires has_tsc().
[[nodiscard]] inline std::uint64_t read_tsc() {
#if defined(__x86_64__)
  return __rdtsc();
#else
  return 0;
#endif
}

// Whether the counter may be used as a clock, and why not. Reads /proc/cpuinfo and the kernel's clock source.
struct TscUse {
  bool usable = false;
  std::string reason;  // one line, also when usable
};
[[nodiscard]] TscUse tsc_use(const SystemFiles& files);

// The cheapest trustworthy source of ticks of this machine, and how long a tick lasts.
class TickClock {
 public:
  // Compares the counter with the raw clock for about `span`; falls back to the raw clock where the counter is not
  // usable or two halves of the comparison disagree by more than 0.1 %.
  static TickClock calibrate(Duration span = std::chrono::milliseconds(20), const SystemFiles& files = {});
  // Ticks of CLOCK_MONOTONIC_RAW, one a nanosecond.
  static TickClock raw(std::string reason);

  [[nodiscard]] std::uint64_t now() const { return tsc_ ? read_tsc() : raw_nanoseconds(); }
  [[nodiscard]] double nanoseconds(std::uint64_t ticks) const {
    return static_cast<double>(ticks) * nanoseconds_per_tick_;
  }
  [[nodiscard]] double nanoseconds_per_tick() const { return nanoseconds_per_tick_; }
  [[nodiscard]] bool uses_tsc() const { return tsc_; }
  [[nodiscard]] const std::string& reason() const { return reason_; }
  // "tsc" or "clock_monotonic_raw", as results name it.
  [[nodiscard]] std::string name() const { return tsc_ ? "tsc" : "clock_monotonic_raw"; }

 private:
  TickClock() = default;
  bool tsc_ = false;
  double nanoseconds_per_tick_ = 1;
  std::string reason_;
};

}  // namespace godwit::measure
