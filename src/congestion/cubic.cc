#include "congestion/cubic.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace godwit {
namespace {

// RFC 9438 section 4.6 and section 5.1.
constexpr double kBeta = 0.7;
constexpr double kC = 0.4;  // segments a second cubed
// Section 4.3: the slope at which a sender that keeps 70 % at a loss averages what Reno does.
constexpr double kRenoFriendlyAlpha = 3.0 * (1.0 - kBeta) / (1.0 + kBeta);
constexpr double kInfinite = std::numeric_limits<double>::infinity();

}  // namespace

CubicController::CubicController(const ControllerConfig& config)
    : config_(config),
      segment_(config.datagram_bytes),
      state_{.window = 0,
             .prior_window = 0,
             .threshold = kInfinite,
             .plateau = 0,
             .epoch = std::nullopt,
             .first_slow_start = true,
             .hystart = {}} {
  state_.window = clamp(static_cast<double>(config.initial_window()));
}

double CubicController::clamp(double window) const {
  return std::min(std::max(window, static_cast<double>(config_.minimum_window())),
                  static_cast<double>(config_.maximum_window_bytes));
}

void CubicController::on_packet_sent(const SentInfo& sent) {
  last_activity_ = sent.now;
  usage_.on_packet_sent(sent);
}

void CubicController::on_congestion_event(const CongestionEvent& event) {
  last_activity_ = event.now;
  smoothed_rtt_ = event.smoothed_rtt;
  const bool round_ended = rounds_.on_congestion_event(event);
  usage_.on_congestion_event(event, round_ended);
  if (event.spurious_loss) undo();
  if (episode_.begins_with(event)) {
    reduce();
    episode_.begin(event.now);
  }
  // A mark is a judgement of the path: no late arrival takes the reduction back.
  if (event.marked_packets > 0) undo_.reset();
  if (!episode_.on_acknowledgement(event)) return;
  if (state_.first_slow_start && in_slow_start()) {
    state_.hystart.on_round_trip(event.rtt_sample, event.acked_packets, round_ended);
  }
  if (!usage_.permits_growth(event, window_bytes(), config_.datagram_bytes, in_slow_start())) {
    // Section 4.2: the curve stands still while the window is not used.
    if (state_.epoch) state_.epoch->start += event.now - last_growth_check_;
    last_growth_check_ = event.now;
    return;
  }
  double acked = static_cast<double>(event.acked_bytes);
  if (in_slow_start()) acked = grow_in_slow_start(acked);
  if (!in_slow_start() && acked > 0) grow_in_avoidance(event.now, acked);
  last_growth_check_ = event.now;
}

// Section 4.10. Returns the acknowledged bytes that slow start has not used up when it ends at the threshold.
double CubicController::grow_in_slow_start(double acked_bytes) {
  if (state_.first_slow_start && state_.hystart.phase() == HyStart::Phase::kDone) {
    // Left without a loss: W_max is unknown, so this window stands for it and the curve begins at its plateau.
    state_.threshold = state_.window;
    state_.prior_window = state_.window;
    state_.first_slow_start = false;
    restart_curve_ = true;
    return acked_bytes;
  }
  const auto step = state_.first_slow_start
                        ? static_cast<double>(state_.hystart.growth(static_cast<std::uint64_t>(acked_bytes)))
                        : acked_bytes;
  const double room = state_.threshold - state_.window;
  state_.window = clamp(state_.window + std::min(step, room));
  return std::max(0.0, step - room);
}

void CubicController::begin_epoch(Instant now) {
  if (restart_curve_ || state_.window >= state_.plateau) {
    // Sections 4.8 and 4.10, and a window that has outgrown the old plateau: K = 0.
    state_.plateau = state_.window;
    state_.epoch = Epoch{.start = now, .seconds_to_plateau = 0, .reno_estimate = state_.window};
  } else {
    const double segments = (state_.plateau - state_.window) / segment_;
    state_.epoch = Epoch{.start = now, .seconds_to_plateau = std::cbrt(segments / kC), .reno_estimate = state_.window};
  }
  restart_curve_ = false;
}

// Sections 4.2 to 4.5.
void CubicController::grow_in_avoidance(Instant now, double acked_bytes) {
  if (!state_.epoch) begin_epoch(now);
  Epoch& epoch = *state_.epoch;
  const double elapsed = to_seconds(now - epoch.start);
  const auto curve = [&](double seconds) {
    const double offset = seconds - epoch.seconds_to_plateau;
    return kC * offset * offset * offset * segment_ + state_.plateau;
  };

  // Figure 4; once Reno's estimate has regained what it had before the loss it grows as Reno does.
  const double alpha = epoch.reno_estimate >= state_.prior_window ? 1.0 : kRenoFriendlyAlpha;
  epoch.reno_estimate = clamp(epoch.reno_estimate + alpha * segment_ * acked_bytes / state_.window);

  if (curve(elapsed) < epoch.reno_estimate) {
    state_.window = clamp(std::max(state_.window, epoch.reno_estimate));
    return;
  }
  // Section 4.2: never below the window, never faster than half as much again in a round trip.
  const double target =
      std::min(std::max(curve(elapsed + to_seconds(smoothed_rtt_)), state_.window), 1.5 * state_.window);
  state_.window = clamp(state_.window + (target - state_.window) * std::min(1.0, acked_bytes / state_.window));
}

// Sections 4.6 and 4.7.
void CubicController::reduce() {
  undo_ = state_;
  state_.first_slow_start = false;
  state_.hystart.finish();
  // Fast convergence: a plateau that sinks means that others want room, so this one gives up more of it.
  state_.plateau = state_.window < state_.plateau ? state_.window * (1.0 + kBeta) / 2.0 : state_.window;
  state_.prior_window = state_.window;
  state_.window = clamp(state_.window * kBeta);
  state_.threshold = state_.window;
  state_.epoch.reset();
  restart_curve_ = false;
}

// Section 4.9.2: only while the window is below what the reduction took it from.
void CubicController::undo() {
  if (!undo_) return;
  if (state_.window < state_.prior_window) state_ = *undo_;
  undo_.reset();
  episode_.close();
}

// Section 4.8: ssthresh by CUBIC's factor, then slow start from the least window without HyStart++.
void CubicController::on_persistent_timeout(Instant now) {
  if (!episode_.open()) reduce();
  episode_.begin_at_timeout(now);
  state_.window = clamp(0);
  state_.epoch.reset();
  restart_curve_ = true;
}

void CubicController::on_idle_restart(Instant now) {
  // Section 5.8: idle time does not move the curve.
  if (state_.epoch) state_.epoch->start += std::max(Duration::zero(), now - last_growth_check_);
  last_growth_check_ = now;
  const auto kept = window_after_idle(window_bytes(), now - last_activity_, config_.initial_window());
  if (kept < window_bytes()) {
    // RFC 7661 section 4.4.3: what was valid once is where slow start may go back to.
    state_.threshold = std::max(std::min(state_.threshold, state_.window), state_.window * 0.75);
    state_.window = clamp(static_cast<double>(kept));
    state_.epoch.reset();
    restart_curve_ = true;
  }
  last_activity_ = now;
}

Bandwidth CubicController::pacing_rate() const {
  return window_pacing_rate(window_bytes(), smoothed_rtt_,
                            in_slow_start() ? kSlowStartPacingGain : kAvoidancePacingGain);
}

ControllerSnapshot CubicController::snapshot() const {
  std::string_view phase = "congestion_avoidance";
  if (episode_.open()) {
    phase = "recovery";
  } else if (in_slow_start()) {
    phase = state_.first_slow_start && state_.hystart.phase() == HyStart::Phase::kConservative
                ? "conservative_slow_start"
                : "slow_start";
  }
  return {.controller = name(),
          .state = phase,
          .window_bytes = window_bytes(),
          .pacing_rate = pacing_rate(),
          .slow_start_threshold = state_.threshold == kInfinite
                                      ? std::nullopt
                                      : std::optional(static_cast<std::uint64_t>(state_.threshold)),
          .bandwidth = std::nullopt,
          .minimum_rtt = std::nullopt};
}

}  // namespace godwit
