#include "sim/competitor.h"

#include <algorithm>
#include <cmath>

#include "sim/simulator.h"

namespace godwit::sim {
namespace {

constexpr double kC = 0.4;  // RFC 9438 section 5
constexpr double kBeta = 0.7;
constexpr double kLargestWindow = 4e5;  // segments: about 550 MB, a host's buffer
constexpr std::uint64_t kReordering = 3;

}  // namespace

Competitor::Competitor(Simulator& simulator, std::uint32_t index, const CompetitorSpec& spec)
    : simulator_(simulator), index_(index), spec_(&spec) {}

Duration Competitor::timeout() const {
  const Duration base =
      smoothed_ == Duration::zero() ? Duration(1s) : std::max<Duration>(200ms, smoothed_ + 4 * variance_);
  return std::min<Duration>(60s, base * (1 << std::min(backoff_, 6u)));
}

void Competitor::on_timer(Instant now, std::uint32_t kind) {
  if (kind == 0) {
    running_ = true;
    return fill(now);
  }
  if (now < timer_at_ || in_flight_ == 0) {
    if (in_flight_ > 0) simulator_.schedule(timer_at_, EventKind::kCompetitor, index_, 1);
    return;
  }
  // Everything in flight is lost; start again from one segment.
  ++backoff_;
  threshold_ = std::max(2.0, window_ * kBeta);
  window_max_ = window_;
  for (Sent& sent : sent_) {
    if (!sent.acknowledged && !sent.lost) {
      sent.lost = true;
      ++losses_;
    }
  }
  in_flight_ = 0;
  window_ = 1;
  in_epoch_ = false;
  recovery_until_ = first_ + sent_.size();
  fill(now);
}

void Competitor::arm(Instant now) {
  const bool pending = timer_at_ != Instant::max();
  timer_at_ = now + timeout();
  if (!pending) simulator_.schedule(timer_at_, EventKind::kCompetitor, index_, 1);
}

void Competitor::fill(Instant now) {
  if (!running_ || simulator_.elapsed() >= spec_->stop) return;
  while (static_cast<double>(in_flight_) + 1 <= window_) {
    const std::uint64_t number = first_ + sent_.size();
    sent_.push_back({.at = now});
    ++in_flight_;
    simulator_.transmit_model(now, index_, false, number, kSegmentCharge);
  }
  if (timer_at_ == Instant::max() || now > timer_at_) arm(now);
}

void Competitor::on_segment(Instant now, std::uint64_t transmission) {
  ++delivered_;
  simulator_.transmit_model(now, index_, true, transmission, kAckCharge);
}

void Competitor::on_loss(Instant now, std::uint64_t transmission) {
  static_cast<void>(now);
  ++losses_;
  if (transmission < recovery_until_) return;
  recovery_until_ = first_ + sent_.size();
  // RFC 9438 sections 4.6 and 4.7.
  window_max_ = window_ < window_max_ ? window_ * (1 + kBeta) / 2 : window_;
  window_ = std::max(2.0, window_ * kBeta);
  threshold_ = window_;
  in_epoch_ = false;
}

void Competitor::grow(Instant now, Duration round_trip) {
  if (window_ < threshold_) {
    window_ += 1;
    round_minimum_ = std::min(round_minimum_, round_trip);
    ++round_samples_;
    if (highest_acknowledged_ >= round_end_) {
      last_round_minimum_ = round_minimum_;
      round_minimum_ = Duration::max();
      round_samples_ = 0;
      round_end_ = first_ + sent_.size();
    } else if (round_samples_ >= 8 && last_round_minimum_ != Duration::max() &&
               round_minimum_ > last_round_minimum_ + std::clamp<Duration>(last_round_minimum_ / 8, 4ms, 16ms)) {
      threshold_ = window_;
    }
    return;
  }
  if (!in_epoch_) {
    in_epoch_ = true;
    epoch_ = now;
    estimate_ = window_;
    origin_ = window_max_ > window_ ? std::cbrt((window_max_ - window_) / kC) : 0;
    if (window_max_ < window_) window_max_ = window_;
  }
  const double t = to_seconds(now - epoch_);
  const double target_at = t + to_seconds(smoothed_) - origin_;
  const double target = std::clamp(kC * target_at * target_at * target_at + window_max_, window_, 1.5 * window_);
  estimate_ += (estimate_ < window_max_ ? 3 * (1 - kBeta) / (1 + kBeta) : 1.0) / window_;
  const double here = kC * std::pow(t - origin_, 3) + window_max_;
  if (here < estimate_) {
    window_ = std::max(window_, estimate_);
  } else {
    window_ += (target - window_) / window_;
  }
  window_ = std::min(window_, kLargestWindow);
}

void Competitor::on_acknowledgement(Instant now, std::uint64_t transmission) {
  if (transmission < first_ || transmission - first_ >= sent_.size()) return;
  Sent& sent = sent_[transmission - first_];
  if (sent.acknowledged) return;
  sent.acknowledged = true;
  backoff_ = 0;
  if (!sent.lost) --in_flight_;
  const Duration round_trip = now - sent.at;
  if (smoothed_ == Duration::zero()) {
    smoothed_ = round_trip;
    variance_ = round_trip / 2;
  } else {
    variance_ = (3 * variance_ + std::chrono::abs(smoothed_ - round_trip)) / 4;
    smoothed_ = (7 * smoothed_ + round_trip) / 8;
  }
  minimum_ = std::min(minimum_, round_trip);
  highest_acknowledged_ = std::max(highest_acknowledged_, transmission);
  for (std::uint64_t number = first_; number + kReordering <= highest_acknowledged_; ++number) {
    Sent& older = sent_[number - first_];
    if (older.acknowledged || older.lost) continue;
    older.lost = true;
    --in_flight_;
    on_loss(now, number);
  }
  while (!sent_.empty() && (sent_.front().acknowledged || sent_.front().lost) &&
         first_ + kReordering <= highest_acknowledged_) {
    sent_.pop_front();
    ++first_;
  }
  if (transmission >= recovery_until_) grow(now, round_trip);
  timer_at_ = now + timeout();
  fill(now);
}

}  // namespace godwit::sim
