#include "congestion/ledbat.h"

#include <algorithm>
#include <cmath>

namespace godwit {

void BaseDelayHistory::update(Instant now, Duration sample) {
  if (!bucket_start_) bucket_start_ = now;
  // After a long silence every bucket is out of date; the walk is bounded by their number.
  const auto passed = static_cast<std::uint64_t>(std::max<Duration::rep>(0, (now - *bucket_start_) / kBucketLength));
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(passed, kBuckets); ++i) {
    current_ = (current_ + 1) % kBuckets;
    buckets_[current_].reset();
  }
  *bucket_start_ += kBucketLength * static_cast<Duration::rep>(passed);
  std::optional<Duration>& bucket = buckets_[current_];
  bucket = bucket ? std::min(*bucket, sample) : sample;
}

std::optional<Duration> BaseDelayHistory::minimum() const {
  std::optional<Duration> minimum;
  for (const std::optional<Duration>& bucket : buckets_) {
    if (bucket && (!minimum || *bucket < *minimum)) minimum = bucket;
  }
  return minimum;
}

void CurrentDelayFilter::update(Duration sample) {
  samples_[next_] = sample;
  next_ = (next_ + 1) % samples_.size();
  size_ = std::min(size_ + 1, samples_.size());
}

std::optional<Duration> CurrentDelayFilter::minimum() const {
  if (size_ == 0) return std::nullopt;
  return *std::min_element(samples_.begin(), samples_.begin() + static_cast<std::ptrdiff_t>(size_));
}

LedbatController::LedbatController(const ControllerConfig& config)
    : config_(config), segment_(config.datagram_bytes), window_(clamp(static_cast<double>(config.initial_window()))) {}

double LedbatController::clamp(double window) const {
  return std::min(std::max(window, static_cast<double>(config_.minimum_window())),
                  static_cast<double>(config_.maximum_window_bytes));
}

std::optional<Duration> LedbatController::queueing_delay() const {
  const std::optional<Duration> base = base_delay_.minimum();
  const std::optional<Duration> current = current_delay_.minimum();
  if (!base || !current) return std::nullopt;
  return std::max(Duration::zero(), *current - *base);
}

double LedbatController::gain() const {
  const std::optional<Duration> base = base_delay_.minimum();
  if (!base || *base <= Duration::zero()) return 1.0 / kMaxGainDivisor;
  const double divisor = std::ceil(2.0 * to_seconds(kTarget) / to_seconds(*base));
  return 1.0 / std::min(divisor, static_cast<double>(kMaxGainDivisor));
}

void LedbatController::on_packet_sent(const SentInfo& sent) {
  last_activity_ = sent.now;
  usage_.on_packet_sent(sent);
}

// Returns the least queueing delay of the round that this event ends, if it ends one that had samples.
std::optional<Duration> LedbatController::measure(const CongestionEvent& event, bool round_ended) {
  smoothed_rtt_ = event.smoothed_rtt;
  std::optional<Duration> standing;
  if (round_ended) {
    standing = round_minimum_delay_;
    round_minimum_delay_.reset();
  }
  if (!event.rtt_sample) return standing;
  base_delay_.update(event.now, *event.rtt_sample);
  current_delay_.update(*event.rtt_sample);
  // What was sent before the latest decrease met the queue that the decrease has answered.
  if (decreased_at_ && event.now - *event.rtt_sample <= *decreased_at_) return standing;
  // As many samples a round for a large flow as for a small one: the least of more samples is less, and the larger flow
  // would never see the delay that the smaller one gives way to.
  if (event.now < next_round_sample_) return standing;
  next_round_sample_ = event.now + smoothed_rtt_ / kSamplesPerRound;
  const Duration delay = *event.rtt_sample - *base_delay_.minimum();
  round_minimum_delay_ = round_minimum_delay_ ? std::min(*round_minimum_delay_, delay) : delay;
  return standing;
}

void LedbatController::on_congestion_event(const CongestionEvent& event) {
  last_activity_ = event.now;
  const bool round_ended = rounds_.on_congestion_event(event);
  usage_.on_congestion_event(event, round_ended);
  const std::optional<Duration> standing_delay = measure(event, round_ended);
  if (standing_delay && *standing_delay > kTarget - kTarget / 8) queue_was_full_ = true;
  if (event.spurious_loss) undo();
  if (episode_.begins_with(event)) reduce(event.now);
  // A mark is a judgement of the path: no late arrival takes the reduction back.
  if (event.marked_packets > 0) undo_.reset();
  const bool may_adjust = episode_.on_acknowledgement(event);
  if (event.acked_bytes == 0 || advance_slowdown(event.now) || !may_adjust) return;
  const bool slow = phase_ == Phase::kSlowStart || phase_ == Phase::kSlowdownRamp;
  const bool may_grow = usage_.permits_growth(event, window_bytes(), config_.datagram_bytes, slow);
  const auto acked = may_grow ? static_cast<double>(event.acked_bytes) : 0.0;
  if (slow) {
    slow_start(event.now, acked, standing_delay);
  } else {
    avoid_congestion(event.now, acked, standing_delay);
  }
}

// Section 4.1: slow start as usual, slower by the gain, and the first one ends before its queue reaches the target.
// A window sent faster than the link drains it queues for part of each round trip although it does not fill the path.
// So growth pauses while the delay is too long, and slow start ends only when no sample of a round trip was below that:
// on a path of 300 ms the difference is between two thirds of the path and all of it.
void LedbatController::slow_start(Instant now, double acked_bytes, std::optional<Duration> standing_delay) {
  if (first_slow_start_) {
    if (standing_delay && *standing_delay > kSlowStartExitDelay) {
      // What the last round has overshot is taken back at once: in proportion to the round trip, the window that would
      // queue as long as the limit. Section 4.3 would halve it, and a segment a round trip takes hours to make good
      // half of a long path.
      const double base = to_seconds(base_delay_.minimum().value_or(Duration::zero()));
      window_ = clamp(window_ * (base + to_seconds(kSlowStartExitDelay)) / (base + to_seconds(*standing_delay)));
      decreased_at_ = now;
      leave_slow_start(now);
      return;
    }
    if (queueing_delay().value_or(Duration::zero()) > kSlowStartExitDelay) return;
  } else if (phase_ == Phase::kSlowdownRamp && standing_delay && *standing_delay > kTarget) {
    // The queue that filled during the slowdown is not of this flow's making. It gives way like the flows that made it,
    // by a share of the window it had: where it comes back to shrinks, not what has come back. Leaving the ramp here
    // would cost it everything for having looked at the path, and the others would keep what it gave up.
    threshold_ = clamp(threshold_ + decrease(threshold_, *standing_delay));
    decreased_at_ = now;
    round_minimum_delay_.reset();
  }
  window_ = clamp(std::min(window_ + gain() * acked_bytes, threshold_));
  if (window_ >= threshold_) leave_slow_start(now);
}

// Section 4.3: above the target, once a round trip, less in proportion to the excess, by half at most.
double LedbatController::decrease(double window, Duration standing_delay) const {
  const double excess = to_seconds(standing_delay) / to_seconds(kTarget) - 1.0;
  return std::min(std::max(gain() * segment_ - kDecreaseConstant * window * excess, -window / 2), 0.0);
}

// Section 4.2: below the target, a segment times the gain a round trip. Above it the delay that counts is that of the
// whole round, its standing queue.
void LedbatController::avoid_congestion(Instant now, double acked_bytes, std::optional<Duration> standing_delay) {
  if (standing_delay && *standing_delay > kTarget) {
    window_ = clamp(window_ + decrease(window_, *standing_delay));
    decreased_at_ = now;
    round_minimum_delay_.reset();
    queue_was_full_ = false;
    return;
  }
  if (queueing_delay().value_or(Duration::max()) > kTarget) return;
  window_ = clamp(window_ + gain() * segment_ * std::min(1.0, acked_bytes / window_));
}

void LedbatController::leave_slow_start(Instant now) {
  if (phase_ == Phase::kSlowdownRamp) {
    end_slowdown(now);
    return;
  }
  phase_ = Phase::kCongestionAvoidance;
  threshold_ = window_;
  // Section 4.4: the first slowdown follows the first slow start by two round trips; so does one that a time-out ended.
  if (!slowdown_due_) slowdown_due_ = now + kSlowdownRounds * smoothed_rtt_;
  first_slow_start_ = false;
}

// Section 4.4. True while the window is held.
bool LedbatController::advance_slowdown(Instant now) {
  if (phase_ == Phase::kSlowdown) {
    // Two round trips of the bare path: what smoothed_rtt_ remembers is the queue that is draining.
    const Duration hold = kSlowdownRounds * std::max(smoothed_rtt_, Duration::zero());
    if (now < *slowdown_start_ + hold) return true;
    phase_ = Phase::kSlowdownRamp;
    return false;
  }
  if (phase_ != Phase::kCongestionAvoidance || !slowdown_due_) return false;
  if (now < *slowdown_due_ && !others_slow_down(now)) return false;
  begin_slowdown(now);
  return true;
}

// A slowdown shows the bare path only where all flows of the link slow down together: each alone would take away its
// own share of the queue and measure the others', and an error of a few milliseconds decides who gets how much. So a
// flow whose own slowdown is due soon joins when a queue at the target falls without its doing.
bool LedbatController::others_slow_down(Instant now) const {
  if (!queue_was_full_ || now < *slowdown_due_ - slowdown_wait_ / 2) return false;
  return queueing_delay().value_or(Duration::max()) < kTarget - kTarget / 6;
}

void LedbatController::begin_slowdown(Instant now) {
  // A full queue is shared as it stands: additive growth alone evens shares out over minutes. So each slowdown gives up
  // an eighth, which the queue made up for, and all grow back alike.
  threshold_ = clamp(queue_was_full_ ? window_ * kSlowdownReturn : window_);
  window_ = clamp(0);
  slowdown_start_ = now;
  slowdown_due_.reset();
  queue_was_full_ = false;
  phase_ = Phase::kSlowdown;
  undo_.reset();
}

// One tenth of the time at most goes into slowdowns.
void LedbatController::end_slowdown(Instant now) {
  phase_ = Phase::kCongestionAvoidance;
  threshold_ = window_;
  slowdown_wait_ = kSlowdownInterval * (now - *slowdown_start_);
  slowdown_due_ = now + slowdown_wait_;
  slowdown_start_.reset();
}

// RFC 6817 section 2.4.2: half the window, once a round trip.
void LedbatController::reduce(Instant now) {
  undo_ = Undo{.window = window_, .threshold = threshold_};
  episode_.begin(now);
  decreased_at_ = now;
  round_minimum_delay_.reset();
  if (in_slowdown()) {
    // What there is to give up is the way back.
    threshold_ = clamp(threshold_ / 2);
    window_ = std::min(window_, threshold_);
    return;
  }
  window_ = clamp(window_ / 2);
  threshold_ = window_;
  leave_slow_start(now);
}

// RFC 4015 section 3.
void LedbatController::undo() {
  if (!undo_) return;
  if (in_slowdown()) {
    threshold_ = std::max(threshold_, undo_->threshold);
  } else {
    window_ = clamp(std::max(window_, undo_->window));
  }
  undo_.reset();
}

void LedbatController::on_persistent_timeout(Instant now) {
  // Once an outage: the losses that led here have halved the window already, and time-outs go on.
  if (!episode_.open()) threshold_ = clamp((in_slowdown() ? threshold_ : window_) / 2);
  episode_.begin_at_timeout(now);
  window_ = clamp(0);
  phase_ = Phase::kSlowStart;
  slowdown_start_.reset();
  undo_.reset();
}

void LedbatController::on_idle_restart(Instant now) {
  window_ =
      clamp(static_cast<double>(window_after_idle(window_bytes(), now - last_activity_, config_.initial_window())));
  // Silence drains the queue as well as a slowdown does, but only a slowdown looks at it: the schedule stays.
  last_activity_ = now;
}

Bandwidth LedbatController::pacing_rate() const {
  const bool slow = phase_ == Phase::kSlowStart || phase_ == Phase::kSlowdownRamp;
  // Slow start multiplies by 1 + GAIN a round trip; pacing faster than that would only make queues.
  const double pacing_gain = slow ? std::max(kAvoidancePacingGain, 1.0 + gain()) : kAvoidancePacingGain;
  return window_pacing_rate(window_bytes(), smoothed_rtt_, pacing_gain);
}

ControllerSnapshot LedbatController::snapshot() const {
  std::string_view state = "congestion_avoidance";
  switch (phase_) {
    case Phase::kSlowStart: state = "slow_start"; break;
    case Phase::kCongestionAvoidance: break;
    case Phase::kSlowdown: state = "slowdown"; break;
    case Phase::kSlowdownRamp: state = "slowdown_ramp"; break;
  }
  return {.controller = name(),
          .state = state,
          .window_bytes = window_bytes(),
          .pacing_rate = pacing_rate(),
          .slow_start_threshold =
              threshold_ == kNoThreshold ? std::nullopt : std::optional(static_cast<std::uint64_t>(threshold_)),
          .bandwidth = std::nullopt,
          .minimum_rtt = base_delay_.minimum()};
}

}  // namespace godwit
