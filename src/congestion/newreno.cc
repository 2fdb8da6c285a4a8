#include "congestion/newreno.h"

#include <algorithm>

namespace godwit {
namespace {

constexpr double kLossReductionFactor = 0.5;  // RFC 9002 section B.1

}  // namespace

NewRenoController::NewRenoController(const ControllerConfig& config)
    : config_(config), window_(clamp(config.initial_window())) {}

std::uint64_t NewRenoController::clamp(std::uint64_t window) const {
  return std::min(std::max(window, config_.minimum_window()), config_.maximum_window_bytes);
}

void NewRenoController::on_packet_sent(const SentInfo& sent) {
  last_activity_ = sent.now;
  usage_.on_packet_sent(sent);
}

void NewRenoController::on_congestion_event(const CongestionEvent& event) {
  last_activity_ = event.now;
  smoothed_rtt_ = event.smoothed_rtt;
  usage_.on_congestion_event(event, rounds_.on_congestion_event(event));
  if (event.spurious_loss) undo();
  if (episode_.begins_with(event)) {
    reduce();
    episode_.begin(event.now);
  }
  // A mark is a judgement of the path: no late arrival takes the reduction back.
  if (event.marked_packets > 0) undo_.reset();
  if (!episode_.on_acknowledgement(event)) return;
  if (usage_.permits_growth(event, window_, config_.datagram_bytes, in_slow_start())) grow(event.acked_bytes);
}

void NewRenoController::reduce() {
  undo_ = Undo{.window = window_, .threshold = threshold_};
  acked_in_avoidance_ = 0;
  threshold_ = clamp(static_cast<std::uint64_t>(static_cast<double>(window_) * kLossReductionFactor));
  window_ = threshold_;
}

// RFC 9002 section B.5. One event may carry many acknowledgements: what slow start does not use up before it reaches
// the threshold counts for congestion avoidance.
void NewRenoController::grow(std::uint64_t acked_bytes) {
  if (in_slow_start()) {
    const std::uint64_t step = std::min(acked_bytes, threshold_ - window_);
    window_ = clamp(window_ + step);
    acked_bytes -= step;
  }
  if (in_slow_start() || acked_bytes == 0) return;
  acked_in_avoidance_ += acked_bytes;
  while (acked_in_avoidance_ >= window_) {
    acked_in_avoidance_ -= window_;
    window_ = clamp(window_ + config_.datagram_bytes);
  }
}

void NewRenoController::undo() {
  if (!undo_) return;
  window_ = std::max(window_, undo_->window);
  threshold_ = undo_->threshold;
  undo_.reset();
  episode_.close();
}

void NewRenoController::on_persistent_timeout(Instant now) {
  // RFC 9002 section 7.6.2. The losses that led here have usually halved the threshold already; a time-out without any
  // halves it now.
  if (!episode_.open()) reduce();
  episode_.begin_at_timeout(now);
  window_ = config_.minimum_window();
  acked_in_avoidance_ = 0;
}

void NewRenoController::on_idle_restart(Instant now) {
  const std::uint64_t kept = window_after_idle(window_, now - last_activity_, config_.initial_window());
  if (kept < window_) {
    // RFC 7661 section 4.4.3: what was valid once is where slow start may go back to.
    threshold_ = std::max(std::min(threshold_, window_), window_ - window_ / 4);
    window_ = clamp(kept);
  }
  last_activity_ = now;
}

Bandwidth NewRenoController::pacing_rate() const {
  return window_pacing_rate(window_, smoothed_rtt_, in_slow_start() ? kSlowStartPacingGain : kAvoidancePacingGain);
}

ControllerSnapshot NewRenoController::snapshot() const {
  return {.controller = name(),
          .state = episode_.open() ? "recovery" : (in_slow_start() ? "slow_start" : "congestion_avoidance"),
          .window_bytes = window_,
          .pacing_rate = pacing_rate(),
          .slow_start_threshold = threshold_ == kNoThreshold ? std::nullopt : std::optional(threshold_),
          .bandwidth = std::nullopt,
          .minimum_rtt = std::nullopt};
}

}  // namespace godwit
