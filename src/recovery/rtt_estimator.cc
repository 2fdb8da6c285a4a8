#include "recovery/rtt_estimator.h"

#include <algorithm>

namespace godwit {
namespace {

// An acknowledgement ahead of its packet cannot make the estimate vanish (wire spec W20).
constexpr Duration kLeastSample = 1us;
constexpr Duration kLeastVariation = 10ms;  // wire spec 5.4
constexpr Duration kMinimumBucket = 60s;
// Without a ping so many acknowledgements must have shown the path before a difference to it means anything.
constexpr std::uint8_t kAcksToKnowPath = 4;
// The first differences count half each, so that a peer that answers at once is soon known for it.
constexpr std::uint8_t kQuickDelaySamples = 4;

}  // namespace

RttEstimator::RttEstimator(RttConfig config) : config_(config), ack_delay_(config.initial_ack_delay) {}

void RttEstimator::on_ack_sample(Instant now, Duration round_trip, bool tail) {
  round_trip = std::max(round_trip, kLeastSample);
  update_minimum(now, round_trip);
  // What pings gave so far lacks the acknowledgement delay that the time-out has to allow for: start anew.
  if (ack_samples_ == 0) {
    restart(round_trip);
  } else {
    update(round_trip);
  }
  ack_samples_ = static_cast<std::uint8_t>(std::min(ack_samples_ + 1, 255));

  path_ = pinged_ ? std::min(path_, round_trip) : minimum();
  const bool path_known = pinged_ || ack_samples_ >= kAcksToKnowPath;
  if (tail && path_known) learn_ack_delay(round_trip - path_);
}

void RttEstimator::on_ack_sample(Instant now, Duration round_trip, bool tail, Duration ack_delay) {
  round_trip = std::max(round_trip, kLeastSample);
  update_minimum(now, round_trip);
  ack_delay = std::clamp(ack_delay, Duration::zero(), config_.max_ack_delay);
  if (!has_sample_) {
    restart(round_trip);
  } else {
    update(round_trip >= minimum() + ack_delay ? round_trip - ack_delay : round_trip);
    latest_ = round_trip;
  }
  ack_samples_ = static_cast<std::uint8_t>(std::min(ack_samples_ + 1, 255));
  path_ = pinged_ ? std::min(path_, round_trip) : minimum();
  if (tail) learn_ack_delay(ack_delay);
}

void RttEstimator::on_ping_sample(Instant now, Duration round_trip) {
  round_trip = std::max(round_trip, kLeastSample);
  update_minimum(now, round_trip);
  if (!has_sample_) {
    restart(round_trip);
  } else if (ack_samples_ == 0) {
    update(round_trip);
  }
  path_ = pinged_ ? std::min(round_trip, (path_ + round_trip) / 2) : round_trip;
  pinged_ = true;
}

void RttEstimator::on_doubtful_probe(Duration since_first_transmission) {
  const Duration delay = std::min(since_first_transmission - path_, config_.max_ack_delay);
  ack_delay_ = std::max(ack_delay_, delay);
}

Duration RttEstimator::minimum() const {
  const Duration least = std::min(minimum_current_, minimum_previous_);
  return least == Duration::max() ? Duration::zero() : least;
}

Duration RttEstimator::rto() const {
  if (!has_sample_) return std::clamp(config_.initial_rto, config_.min_rto, config_.max_rto);
  return std::clamp(smoothed_ + std::max(kLeastVariation, 4 * variance_), config_.min_rto, config_.max_rto);
}

Duration RttEstimator::probe_timeout() const {
  if (!has_sample_) return config_.initial_rto;
  return std::max(config_.min_probe_timeout, smoothed_ + smoothed_ / 2 + ack_delay_);
}

void RttEstimator::update_minimum(Instant now, Duration round_trip) {
  if (now - bucket_began_ >= kMinimumBucket) {
    // After a silence of two buckets nothing of before is left.
    minimum_previous_ = now - bucket_began_ >= 2 * kMinimumBucket ? Duration::max() : minimum_current_;
    minimum_current_ = Duration::max();
    bucket_began_ = now;
  }
  minimum_current_ = std::min(minimum_current_, round_trip);
}

// RFC 6298 section 2.2.
void RttEstimator::restart(Duration round_trip) {
  has_sample_ = true;
  latest_ = smoothed_ = round_trip;
  variance_ = round_trip / 2;
}

// RFC 6298 section 2.3.
void RttEstimator::update(Duration round_trip) {
  latest_ = round_trip;
  const Duration difference = smoothed_ > round_trip ? smoothed_ - round_trip : round_trip - smoothed_;
  variance_ += (difference - variance_) / 4;
  smoothed_ += (round_trip - smoothed_) / 8;
}

// The upper envelope: a longer delay counts at once, a shorter one little by little, because a peer that answers most
// packets at once may still hold the last one until its timer fires.
void RttEstimator::learn_ack_delay(Duration delay) {
  delay = std::clamp(delay, Duration::zero(), config_.max_ack_delay);
  if (delay >= ack_delay_) {
    ack_delay_ = delay;
  } else {
    const int divisor = delay_samples_ < kQuickDelaySamples ? 2 : 8;
    ack_delay_ -= (ack_delay_ - delay) / divisor;
  }
  delay_samples_ = static_cast<std::uint8_t>(std::min(delay_samples_ + 1, 255));
}

}  // namespace godwit
