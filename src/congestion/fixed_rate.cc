#include "congestion/fixed_rate.h"

#include <algorithm>

namespace godwit {
namespace {

// Covers a peer that holds acknowledgements back for 100 ms, as deployed ones do (wire spec 5.2), twice.
constexpr Duration kAckDelayAllowance = 200ms;
// Stands for the round trip before the first sample.
constexpr Duration kAssumedRoundTrip = 400ms;

}  // namespace

FixedRateController::FixedRateController(const ControllerConfig& config)
    : config_(config), rate_(std::max(config.fixed_rate, Bandwidth::from_bytes_per_second(1))) {}

void FixedRateController::on_packet_sent(const SentInfo&) {}

void FixedRateController::on_congestion_event(const CongestionEvent& event) {
  if (event.acked_bytes > 0) silent_ = false;
  smoothed_rtt_ = event.smoothed_rtt;
}

void FixedRateController::on_persistent_timeout(Instant) {
  silent_ = true;
}

void FixedRateController::on_idle_restart(Instant) {}

std::uint64_t FixedRateController::window_bytes() const {
  const std::uint64_t minimum = std::max(config_.initial_window(), config_.minimum_window());
  const Duration round_trip = smoothed_rtt_ > Duration::zero() ? smoothed_rtt_ : kAssumedRoundTrip;
  const std::uint64_t wanted = silent_ ? minimum : rate_.bytes_in(2 * round_trip + kAckDelayAllowance);
  return std::min(std::max(wanted, minimum), config_.maximum_window_bytes);
}

ControllerSnapshot FixedRateController::snapshot() const {
  return {.controller = name(),
          .state = silent_ ? "silent" : "fixed",
          .window_bytes = window_bytes(),
          .pacing_rate = rate_,
          .slow_start_threshold = std::nullopt,
          .bandwidth = std::nullopt,
          .minimum_rtt = std::nullopt};
}

}  // namespace godwit
