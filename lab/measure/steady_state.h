// Has a benchmark warmed up? Decided from its samples, never assumed: offline by change points over a whole series
// (Barrett et al., "Virtual Machine Warmup Blows Hot and Cold", arXiv 1602.00602, classes its outcomes likewise),
// online by a sliding window that tells a runner when measuring may begin.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace godwit::measure {

enum class SteadyClass : std::uint8_t {
  kFlat,      // one level from the first sample on
  kWarmup,    // slower at first, then steady: drop the first samples
  kSlowdown,  // faster at first, then steady: caches filled, clocks fell; drop the first samples
  kNone,      // still changing within the last half: the median means little
  kTooShort,  // fewer than kSteadyLeast samples
};
[[nodiscard]] std::string_view to_string(SteadyClass value);

inline constexpr std::size_t kSteadyLeast = 8;

struct SteadyState {
  SteadyClass kind = SteadyClass::kTooShort;
  std::size_t steady_from = 0;             // index of the first sample of the steady part
  std::vector<std::size_t> change_points;  // first index of each later level
};

// Samples in the order they were taken, larger meaning slower. Levels that differ by less than `tolerance` (a share)
// count as one: a step that nobody would report is not a change.
[[nodiscard]] SteadyState detect_steady_state(std::span<const double> samples, double tolerance = 0.02);

// Steady once the last `window` samples, without the slowest tenth, vary by less than `variation` (a coefficient) and
// their two halves agree within it.
class WarmupDetector {
 public:
  explicit WarmupDetector(std::size_t window = 10, double variation = 0.05);
  // True from the sample on at which the window became steady.
  bool add(double sample);
  [[nodiscard]] bool steady() const { return steady_; }
  [[nodiscard]] std::size_t samples() const { return seen_; }

 private:
  std::vector<double> window_;  // a ring
  double variation_;
  std::size_t seen_ = 0;
  bool steady_ = false;
};

}  // namespace godwit::measure
