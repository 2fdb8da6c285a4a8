// ProbeRTT: every five seconds without a lower round trip, half the window for 200 ms and a round, so that the queue
// drains and the round trip of the bare path shows (draft-ietf-ccwg-bbr-06 section 5.3.4).
#include <algorithm>

#include "congestion/bbr.h"

namespace godwit {
namespace {

// Section 2.14.2.
constexpr double kProbeRttWindowGain = 0.5;
constexpr Duration kProbeRttDuration = 200ms;

}  // namespace

std::uint64_t BbrController::probe_rtt_window() const {
  const std::uint64_t half = model_.bdp(model_.bandwidth, kProbeRttWindowGain).value_or(config_.initial_window());
  return std::max(half, minimum_window());
}

// Section 5.3.4.3, CheckProbeRTT.
void BbrController::check_probe_rtt(const BbrSample& sample) {
  if (state_ != State::kProbeRtt && model_.probe_rtt_expired && !idle_restart_) {
    save_window();
    state_ = State::kProbeRtt;
    probe_rtt_done_stamp_.reset();
    ack_phase_ = AckPhase::kProbeStopping;
    model_.start_round();
  }
  if (state_ == State::kProbeRtt) handle_probe_rtt(sample);
  if (sample.newly_acked > 0) idle_restart_ = false;
}

void BbrController::handle_probe_rtt(const BbrSample& sample) {
  mark_application_limited(sample);
  if (!probe_rtt_done_stamp_) {
    if (sample.in_flight > probe_rtt_window()) return;
    probe_rtt_done_stamp_ = sample.now + kProbeRttDuration;
    probe_rtt_round_done_ = false;
    model_.start_round();
    return;
  }
  if (model_.round_start) probe_rtt_round_done_ = true;
  if (probe_rtt_round_done_) check_probe_rtt_done(sample.now);
}

void BbrController::check_probe_rtt_done(Instant now) {
  if (!probe_rtt_done_stamp_ || now <= *probe_rtt_done_stamp_) return;
  model_.probe_rtt_min_stamp = now;  // the next probe is due an interval from here
  restore_window();
  exit_probe_rtt(now);
}

// Section 5.3.4.4: what is in flight is below the bandwidth-delay product already, so DOWN has nothing left to do.
void BbrController::exit_probe_rtt(Instant now) {
  probe_rtt_done_stamp_.reset();
  model_.reset_short_term();
  if (full_bandwidth_reached_) {
    start_probe_down(now);
    start_probe_cruise();
  } else {
    enter_startup();
  }
}

// Section 4.1.2.4, MarkConnectionAppLimited, kept here since only this controller asks for it.
void BbrController::mark_application_limited(const BbrSample& sample) {
  if (!limited_from_ || limited_until_) {
    limited_from_ = sample.now;
    limited_until_.reset();
  }
  limited_mark_ = sample.total_delivered + sample.in_flight;
}

}  // namespace godwit
