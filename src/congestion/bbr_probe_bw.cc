// ProbeBW: the cycle DOWN, CRUISE, REFILL, UP (draft-ietf-ccwg-bbr-06 section 5.3.3).
#include <algorithm>

#include "congestion/bbr.h"

namespace godwit {
namespace {

// Section 5.3.3.8.3: a bound by the wall clock of 2 to 3 s, and one in rounds that lets Reno keep up on small paths.
constexpr Duration kProbeWaitBase = 2s;
constexpr std::uint64_t kProbeWaitRandomNanoseconds = 1'000'000'000;
constexpr std::uint64_t kMaxProbeRounds = 63;
// Section 5.3.3.9: growth doubles every round, up to this power of two.
constexpr int kMaxGrowthRounds = 30;

// splitmix64: the schedule needs spread, not secrecy.
std::uint64_t next_random(std::uint64_t& state) {
  state += 0x9E3779B97F4A7C15;
  std::uint64_t mixed = state;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
  return mixed ^ (mixed >> 31);
}

}  // namespace

bool BbrController::in_probe_bw() const {
  return state_ == State::kProbeBwDown || state_ == State::kProbeBwCruise || state_ == State::kProbeBwRefill ||
         state_ == State::kProbeBwUp;
}

bool BbrController::probing_bandwidth() const {
  return state_ == State::kStartup || state_ == State::kProbeBwRefill || state_ == State::kProbeBwUp;
}

void BbrController::start_probe_down(Instant now) {
  model_.reset_congestion_signals();
  probe_up_acked_per_increment_ = BbrModel::kUnbounded;
  pick_probe_wait();
  cycle_stamp_ = now;
  ack_phase_ = AckPhase::kProbeStopping;
  model_.start_round();
  state_ = State::kProbeBwDown;
}

void BbrController::start_probe_cruise() {
  state_ = State::kProbeBwCruise;
}

void BbrController::start_probe_refill() {
  model_.reset_short_term();
  probe_up_rounds_ = 0;
  probe_up_acked_ = 0;
  previous_probe_precautionary_ = false;
  ack_phase_ = AckPhase::kRefilling;
  model_.start_round();
  state_ = State::kProbeBwRefill;
}

void BbrController::start_probe_up(const BbrSample& sample) {
  ack_phase_ = AckPhase::kProbeStarting;
  model_.start_round();
  reset_full_bandwidth();
  full_bandwidth_ = sample.delivery_rate;
  state_ = State::kProbeBwUp;
  model_.noise.on_probe();
  raise_long_term_slope();
}

void BbrController::pick_probe_wait() {
  const std::uint64_t random = next_random(random_state_);
  model_.rounds_since_probe_up = random & 1;
  probe_wait_ = kProbeWaitBase + Duration{static_cast<Duration::rep>((random >> 1) % kProbeWaitRandomNanoseconds)};
}

// Section 5.3.3.8.3, TargetInflight.
std::uint64_t BbrController::target_inflight() const {
  return std::min(model_.bdp(model_.bandwidth, 1.0).value_or(config_.initial_window()), window_);
}

// Section 5.3.3.9, UpdateProbeBWCyclePhase.
void BbrController::update_probe_bw(const BbrSample& sample) {
  if (!full_bandwidth_reached_) return;
  if (adapt_long_term_model(sample)) return;
  switch (state_) {
    case State::kProbeBwDown:
      if (time_to_probe(sample.now)) {
        start_probe_refill();
      } else if (time_to_cruise(sample)) {
        start_probe_cruise();
      }
      break;
    case State::kProbeBwCruise:
      if (time_to_probe(sample.now)) start_probe_refill();
      break;
    case State::kProbeBwRefill:
      if (model_.round_start) {
        is_probe_sample_ = true;
        start_probe_up(sample);
      }
      break;
    case State::kProbeBwUp:
      if (time_to_go_down(sample)) {
        previous_probe_too_high_ = false;  // no high loss, as far as is known
        start_probe_down(sample.now);
      }
      break;
    case State::kStartup:
    case State::kDrain:
    case State::kProbeRtt: break;
  }
}

// Section 5.3.3.9, AdaptLongTermModel. True if it has decided the next state.
bool BbrController::adapt_long_term_model(const BbrSample& sample) {
  if (ack_phase_ == AckPhase::kProbeStarting && model_.round_start) ack_phase_ = AckPhase::kProbeFeedback;
  if (ack_phase_ == AckPhase::kProbeStopping && model_.round_start) {
    is_probe_sample_ = false;
    ack_phase_ = AckPhase::kInit;
    if (in_probe_bw() && !sample.is_app_limited) model_.advance_max_bandwidth_filter();
    // Section 5.3.3.6: the cautious probe has done no harm, so a bold one follows at once.
    if (in_probe_bw() && previous_probe_precautionary_ && !previous_probe_too_high_) {
      start_probe_refill();
      return true;
    }
  }
  if (model_.is_inflight_too_high(sample.lost, sample.tx_in_flight)) return false;
  if (model_.inflight_longterm == BbrModel::kUnbounded) return false;
  model_.inflight_longterm = std::max(model_.inflight_longterm, sample.tx_in_flight);
  if (state_ == State::kProbeBwUp) probe_long_term_upward(sample);
  return false;
}

// Section 5.3.3.8.3.
bool BbrController::time_to_probe(Instant now) const {
  if (now > cycle_stamp_ + probe_wait_) return true;
  const std::uint64_t reno_rounds = std::min(target_inflight() / config_.datagram_bytes, kMaxProbeRounds);
  return model_.rounds_since_probe_up >= reno_rounds;
}

bool BbrController::time_to_cruise(const BbrSample& sample) const {
  if (sample.in_flight > model_.inflight_with_headroom(minimum_window())) return false;
  return sample.in_flight <= inflight(model_.max_bandwidth, 1.0);
}

// Section 5.3.3.9, IsTimeToGoDown. What is in flight counts before the batch's acknowledgements take from it: one batch
// may acknowledge a good part of the window.
bool BbrController::time_to_go_down(const BbrSample& sample) {
  if (previous_probe_too_high_ && sample.prior_in_flight >= model_.inflight_longterm) {
    previous_probe_precautionary_ = true;
    return true;
  }
  if (is_window_limited() && window_ >= model_.inflight_longterm) {
    // The long-term bound, not the path, limits the rate: that is no plateau.
    reset_full_bandwidth();
    full_bandwidth_ = sample.delivery_rate;
    return false;
  }
  return full_bandwidth_now_;
}

void BbrController::raise_long_term_slope() {
  const std::uint64_t growth = std::uint64_t{1} << probe_up_rounds_;
  probe_up_rounds_ = std::min(probe_up_rounds_ + 1, kMaxGrowthRounds);
  probe_up_acked_per_increment_ = std::max<std::uint64_t>(window_ / growth, config_.datagram_bytes);
}

void BbrController::probe_long_term_upward(const BbrSample& sample) {
  if (!is_window_limited() || window_ < model_.inflight_longterm) return;
  probe_up_acked_ += sample.newly_acked;
  if (probe_up_acked_ >= probe_up_acked_per_increment_) {
    const std::uint64_t increments = probe_up_acked_ / probe_up_acked_per_increment_;
    probe_up_acked_ -= increments * probe_up_acked_per_increment_;
    model_.inflight_longterm =
        std::min(model_.inflight_longterm + increments * config_.datagram_bytes, config_.maximum_window_bytes);
  }
  if (model_.round_start) raise_long_term_slope();
}

}  // namespace godwit
