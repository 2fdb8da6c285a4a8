// HyStart++ (RFC 9406): leaves the first slow start when round trips grow, before the queue overflows. A rise of the
// round's minimum leads to Conservative Slow Start, a quarter of the growth; if the rise was jitter, slow start
// resumes, else slow start ends after five rounds. A value owned by CubicController; decides nothing about losses. One
// received batch may acknowledge many packets and gives one sample, the least delayed one: it stands for all of them
// when RFC 9406 counts samples (N_RTT_SAMPLE).
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"

namespace godwit {

class HyStart {
 public:
  enum class Phase : std::uint8_t { kSlowStart, kConservative, kDone };

  // RFC 9406 section 4.3.
  static constexpr Duration kMinRttThreshold = 4ms;
  static constexpr Duration kMaxRttThreshold = 16ms;
  static constexpr int kMinRttDivisor = 8;
  static constexpr std::uint32_t kSamples = 8;
  static constexpr std::uint64_t kConservativeGrowthDivisor = 4;
  static constexpr int kConservativeRounds = 5;

  // One event of slow start. `round_ended`: this event acknowledges a packet sent in the next round.
  // `packets`: how many acknowledgements the sample stands for.
  void on_round_trip(std::optional<Duration> sample, std::uint32_t packets, bool round_ended);
  // A loss or the threshold ended slow start.
  void finish() { phase_ = Phase::kDone; }

  [[nodiscard]] Phase phase() const { return phase_; }
  // Bytes by which slow start grows the window for `acked_bytes`. L of RFC 9406 is infinite: every sender here paces.
  [[nodiscard]] std::uint64_t growth(std::uint64_t acked_bytes) const;

 private:
  void start_round();

  Phase phase_ = Phase::kSlowStart;
  std::optional<Duration> last_round_minimum_;
  std::optional<Duration> round_minimum_;
  std::optional<Duration> conservative_baseline_;
  std::uint32_t samples_ = 0;
  int conservative_rounds_ = 0;
};

}  // namespace godwit
