#include "congestion/hystart.h"

#include <algorithm>

namespace godwit {

void HyStart::start_round() {
  last_round_minimum_ = round_minimum_;
  round_minimum_.reset();
  samples_ = 0;
}

// RFC 9406 section 4.2, in the order of its steps.
void HyStart::on_round_trip(std::optional<Duration> sample, std::uint32_t packets, bool round_ended) {
  if (phase_ == Phase::kDone) return;
  if (round_ended) {
    // The round in which Conservative Slow Start begins counts as its first, however little of it was left.
    if (phase_ == Phase::kConservative && ++conservative_rounds_ >= kConservativeRounds) {
      phase_ = Phase::kDone;
      return;
    }
    start_round();
  }
  if (!sample) return;
  round_minimum_ = round_minimum_ ? std::min(*round_minimum_, *sample) : *sample;
  samples_ += std::max<std::uint32_t>(packets, 1);
  if (samples_ < kSamples) return;
  if (phase_ == Phase::kConservative) {
    // Below the round trip that raised the alarm: it was jitter.
    if (*round_minimum_ < *conservative_baseline_) {
      conservative_baseline_.reset();
      phase_ = Phase::kSlowStart;
    }
    return;
  }
  if (!last_round_minimum_) return;
  const Duration threshold =
      std::max(kMinRttThreshold, std::min(*last_round_minimum_ / kMinRttDivisor, kMaxRttThreshold));
  if (*round_minimum_ < *last_round_minimum_ + threshold) return;
  conservative_baseline_ = *round_minimum_;
  conservative_rounds_ = 0;
  phase_ = Phase::kConservative;
}

std::uint64_t HyStart::growth(std::uint64_t acked_bytes) const {
  return phase_ == Phase::kConservative ? acked_bytes / kConservativeGrowthDivisor : acked_bytes;
}

}  // namespace godwit
