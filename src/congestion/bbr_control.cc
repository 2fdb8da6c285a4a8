// The two numbers that BBR puts out: pacing rate and window (draft-ietf-ccwg-bbr-06 section 5.6).
#include <algorithm>

#include "congestion/bbr.h"

namespace godwit {
namespace {

// Section 5.6.4.3.
constexpr std::uint64_t kMinPipeDatagrams = 4;
// Section 2.5: pace a little below the bandwidth, so that queues drain.
constexpr double kPacingMargin = 0.99;
constexpr double kStartupPacingGain = 2.77;
// Section 5.6.3.
constexpr std::uint64_t kMaxSendQuantum = 64 * 1024;
// Section 5.6.2: what stands for the round trip before the first sample.
constexpr Duration kNominalRoundTrip = 1ms;

}  // namespace

// Section 5.6.1.
BbrController::Gains BbrController::gains() const {
  switch (state_) {
    case State::kStartup: return {.pacing = kStartupPacingGain, .window = 2.0};
    case State::kDrain: return {.pacing = 0.5, .window = 2.0};
    case State::kProbeBwDown: return {.pacing = 0.9, .window = 2.0};
    case State::kProbeBwCruise:
    case State::kProbeBwRefill: return {.pacing = 1.0, .window = 2.0};
    case State::kProbeBwUp: return {.pacing = 1.25, .window = 2.25};
    case State::kProbeRtt: return {.pacing = 1.0, .window = 0.5};
  }
  return {.pacing = 1.0, .window = 2.0};
}

std::uint64_t BbrController::minimum_window() const {
  return std::max(config_.minimum_window(), kMinPipeDatagrams * config_.datagram_bytes);
}

std::uint64_t BbrController::clamp(std::uint64_t window) const {
  return std::min(std::max(window, minimum_window()), config_.maximum_window_bytes);
}

// Section 5.6.2, InitPacingRate.
void BbrController::init_pacing_rate(Duration smoothed_rtt) {
  const Duration round_trip = smoothed_rtt > Duration::zero() ? smoothed_rtt : kNominalRoundTrip;
  pacing_rate_ = Bandwidth::from_bytes_and_time(config_.initial_window(), round_trip).scaled(kStartupPacingGain);
}

// Section 5.6.2: until the pipe has been full, samples may raise the rate but never lower it.
void BbrController::set_pacing_rate(double gain) {
  const Bandwidth rate = model_.bandwidth.scaled(gain * kPacingMargin);
  const Bandwidth minimum = Bandwidth::from_bytes_per_second(config_.datagram_bytes);
  if (full_bandwidth_reached_ || rate > pacing_rate_) pacing_rate_ = std::max(rate, minimum);
}

// Section 5.6.3.
std::uint64_t BbrController::send_quantum() const {
  const std::uint64_t millisecond = std::min(pacing_rate_.bytes_in(1ms), kMaxSendQuantum);
  return std::max<std::uint64_t>(millisecond, 2 * std::uint64_t{config_.datagram_bytes});
}

// Section 5.6.4.2, QuantizationBudget; the offload budget is one quantum (section 5.5.8.2).
std::uint64_t BbrController::with_budget(std::uint64_t inflight_cap) const {
  std::uint64_t cap = std::max({inflight_cap, send_quantum(), minimum_window()});
  if (state_ == State::kProbeBwUp) cap += 2 * std::uint64_t{config_.datagram_bytes};
  return cap;
}

std::uint64_t BbrController::inflight(Bandwidth bandwidth, double gain) const {
  return with_budget(model_.bdp(bandwidth, gain).value_or(config_.initial_window()));
}

// Section 5.6.4.6: down at once, up by no more than what was delivered.
void BbrController::set_window(const BbrSample& sample) {
  const std::uint64_t volume =
      model_.bdp(model_.bandwidth, gains().window).value_or(config_.initial_window()) + model_.extra_acked;
  const std::uint64_t max_inflight = with_budget(volume);
  if (full_bandwidth_reached_) {
    window_ = std::min(window_ + sample.newly_acked, max_inflight);
  } else if (window_ < max_inflight || sample.total_delivered < config_.initial_window()) {
    window_ += sample.newly_acked;
  }
  window_ = std::max(window_, minimum_window());
  if (state_ == State::kProbeRtt) window_ = std::min(window_, probe_rtt_window());
  bound_window_for_model();
  window_ = clamp(window_);
}

// Section 5.6.4.7.
void BbrController::bound_window_for_model() {
  std::uint64_t cap = BbrModel::kUnbounded;
  if (in_probe_bw() && state_ != State::kProbeBwCruise) {
    cap = model_.inflight_longterm;
  } else if (state_ == State::kProbeRtt || state_ == State::kProbeBwCruise) {
    cap = model_.inflight_with_headroom(minimum_window());
  }
  cap = std::max(std::min(cap, model_.inflight_shortterm), minimum_window());
  window_ = std::min(window_, cap);
}

}  // namespace godwit
