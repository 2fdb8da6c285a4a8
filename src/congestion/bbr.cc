// Events, Startup, Drain and losses.
#include "congestion/bbr.h"

#include <algorithm>

namespace godwit {
namespace {

// Section 5.3.1.2.
constexpr double kFullBandwidthGrowth = 1.25;
constexpr int kFullBandwidthRounds = 3;
// Section 5.3.1.3, BBRStartupFullLossCnt.
constexpr std::uint32_t kStartupLossRanges = 6;
// Section 5.3.2.
constexpr std::uint64_t kDrainRounds = 3;

}  // namespace

std::string_view to_string(BbrController::State state) {
  switch (state) {
    case BbrController::State::kStartup: return "startup";
    case BbrController::State::kDrain: return "drain";
    case BbrController::State::kProbeBwDown: return "probe_bw_down";
    case BbrController::State::kProbeBwCruise: return "probe_bw_cruise";
    case BbrController::State::kProbeBwRefill: return "probe_bw_refill";
    case BbrController::State::kProbeBwUp: return "probe_bw_up";
    case BbrController::State::kProbeRtt: return "probe_rtt";
  }
  return "unknown";
}

BbrController::BbrController(const ControllerConfig& config)
    : config_(config), window_(clamp(config.initial_window())), random_state_(config.seed) {
  model_.datagram_bytes = config.datagram_bytes;
  init_pacing_rate(Duration::zero());
}

void BbrController::start(Instant now) {
  started_ = true;
  model_.start(now);
}

void BbrController::on_packet_sent(const SentInfo& sent) {
  if (!started_) start(sent.now);
  if (sent.bytes_in_flight + config_.datagram_bytes > window_) window_limited_now_ = true;
}

// Section 5.2.3. Losses come first, as they are marked before the acknowledgement is judged.
void BbrController::on_congestion_event(const CongestionEvent& event) {
  if (!started_) start(event.now);
  const BbrSample sample = sample_of(event);
  model_.total_delivered = sample.total_delivered;
  if (!has_round_trip_ && event.smoothed_rtt > Duration::zero()) {
    has_round_trip_ = true;
    init_pacing_rate(event.smoothed_rtt);
  }
  if (event.spurious_loss) handle_spurious_losses();
  if (event.lost.packets > 0) handle_losses(event);
  if (event.marked_packets > 0) handle_marks(event);
  if (event.acked_bytes > 0) {
    update_recovery(event);
    model_.update_latest_delivery_signals(sample);
    model_.update_congestion_signals(sample, probing_bandwidth(), window_);
    if (model_.round_start) {
      window_limited_before_ = window_limited_now_;
      window_limited_now_ = false;
    }
    model_.update_aggregation(sample, full_bandwidth_reached_, window_);
    check_full_bandwidth(sample);
    check_startup_done(sample);
    check_drain_done(sample);
    update_probe_bw(sample);
    update_noise(sample);
    model_.update_min_rtt(sample);
    check_probe_rtt(sample);
    model_.advance_latest_delivery_signals(sample);
  }
  model_.bound_bandwidth();
  set_pacing_rate(gains().pacing);
  set_window(sample);
}

BbrSample BbrController::sample_of(const CongestionEvent& event) {
  BbrSample sample{.now = event.now,
                   .newly_acked = event.acked_bytes,
                   .rtt = event.rtt_sample,
                   .delivery_rate = event.rate.has_rate ? event.rate.delivery_rate : Bandwidth{},
                   .delivered = event.rate.delivered,
                   .prior_delivered = event.rate.prior_delivered,
                   .tx_in_flight = event.rate.tx_in_flight,
                   .lost = event.rate.lost,
                   .is_app_limited = event.rate.is_app_limited,
                   .total_delivered = event.delivered,
                   .prior_in_flight = event.prior_in_flight,
                   .in_flight = event.bytes_in_flight};
  if (sample.delivery_rate.is_unlimited()) sample.delivery_rate = Bandwidth{};
  if (!limited_from_ || event.acked_bytes == 0) return sample;
  // The phase that mark_application_limited() opened ends as MarkConnectionAppLimited's does (section 4.1.2.4): when
  // what was in flight then has been delivered. Packets of the phase are still acknowledged for a round trip after it.
  if (!limited_until_ && event.delivered > limited_mark_) limited_until_ = event.now;
  const bool sent_within =
      event.latest_acked_sent_at >= *limited_from_ && (!limited_until_ || event.latest_acked_sent_at < *limited_until_);
  if (sent_within) sample.is_app_limited = true;
  return sample;
}

// Quiet is what was sent after a probe: a round after its end, as until then what it sent is acknowledged.
void BbrController::update_noise(const BbrSample& sample) {
  const bool slow = state_ == State::kProbeBwDown || state_ == State::kProbeBwCruise || state_ == State::kProbeRtt;
  model_.update_noise(sample, slow && ack_phase_ == AckPhase::kInit);
}

// A recovery episode ends with the first acknowledgement of what was sent after its beginning (RFC 9002 section 7.3.2).
void BbrController::update_recovery(const CongestionEvent& event) {
  if (!recovery_start_ || event.latest_acked_sent_at <= *recovery_start_) return;
  recovery_start_.reset();
  restore_window();
}

// Section 5.5.10.2, HandleLostPacket, once for all losses of an event: the packet sent last has seen the most losses,
// so if the threshold was crossed, it was crossed there.
void BbrController::handle_losses(const CongestionEvent& event) {
  const LossSample& lost = event.lost;
  // What an episode may have to undo is what held before its first loss, not what earlier losses of it have left.
  if (!recovery_start_) {
    save_state_upon_loss();
    recovery_start_ = event.now;
  }
  model_.note_loss(lost.bytes);
  if (state_ == State::kStartup) startup_loss_ranges_ += std::max<std::uint32_t>(lost.ranges, 1);
  if (!is_probe_sample_) return;
  if (!model_.is_inflight_too_high(lost.lost_since_sent, lost.tx_in_flight)) return;
  // InflightAtLoss: of what was in flight, how much had been sent when the loss rate crossed the threshold.
  const double size = config_.datagram_bytes;
  const double inflight_before = std::max(0.0, static_cast<double>(lost.tx_in_flight) - size);
  const double lost_before = std::max(0.0, static_cast<double>(lost.lost_since_sent) - size);
  const double threshold = model_.loss_threshold();
  const double lost_prefix = (threshold * inflight_before - lost_before) / (1.0 - threshold);
  const double inflight_at_loss = std::max(0.0, inflight_before + lost_prefix);
  handle_inflight_too_high(event.now, static_cast<std::uint64_t>(inflight_at_loss), lost.is_app_limited);
}

// The draft leaves marks open, and the answer to shares of them that BBRv3's authors use in their data centres needs a
// path that marks in proportion. A router with RFC 3168 marks rarely, where it would drop: one mark in a round is what
// a share of losses above the threshold is (RFC 9002 section 7.1). It ends a probe, lowers the short-term bounds once a
// round, and in a second round it ends Startup: the first may be the burst of somebody else.
void BbrController::handle_marks(const CongestionEvent& event) {
  undo_.reset();
  model_.note_mark();
  const bool another_round =
      startup_marked_round_ != BbrModel::kUnbounded && startup_marked_round_ != model_.round_count;
  if (startup_marked_round_ == BbrModel::kUnbounded) startup_marked_round_ = model_.round_count;
  if (state_ == State::kStartup && another_round) {
    full_bandwidth_now_ = full_bandwidth_reached_ = true;
    model_.inflight_longterm = std::max(model_.bdp(model_.bandwidth, 1.0).value_or(0), model_.inflight_latest);
  }
  if (is_probe_sample_) handle_inflight_too_high(event.now, event.rate.tx_in_flight, event.rate.is_app_limited);
}

void BbrController::handle_inflight_too_high(Instant now, std::uint64_t tx_in_flight, bool is_app_limited) {
  previous_probe_too_high_ = true;
  is_probe_sample_ = false;  // one answer a probe
  if (!is_app_limited) {
    const auto minimum = static_cast<std::uint64_t>(static_cast<double>(target_inflight()) * BbrModel::kBeta);
    model_.inflight_longterm = std::max(tx_in_flight, minimum);
  }
  if (state_ == State::kProbeBwUp) {
    if (undo_) undo_->state = State::kProbeBwUp;
    start_probe_down(now);
  }
}

// Section 5.5.11.1.
void BbrController::save_state_upon_loss() {
  save_window();
  undo_ = Undo{.state = std::nullopt,
               .bandwidth_shortterm = model_.bandwidth_shortterm,
               .inflight_shortterm = model_.inflight_shortterm,
               .inflight_longterm = model_.inflight_longterm};
}

// Section 5.5.11.2.
void BbrController::handle_spurious_losses() {
  if (!undo_) return;
  restore_window();
  recovery_start_.reset();
  model_.is_loss_in_round = false;
  reset_full_bandwidth();
  model_.bandwidth_shortterm = std::max(model_.bandwidth_shortterm, undo_->bandwidth_shortterm);
  model_.inflight_shortterm = std::max(model_.inflight_shortterm, undo_->inflight_shortterm);
  model_.inflight_longterm = std::max(model_.inflight_longterm, undo_->inflight_longterm);
  const std::optional<State> interrupted = undo_->state;
  undo_.reset();
  if (interrupted == State::kStartup && state_ != State::kStartup) {
    full_bandwidth_reached_ = false;
    if (state_ != State::kProbeRtt) enter_startup();
  } else if (interrupted == State::kProbeBwUp && state_ != State::kProbeBwUp && state_ != State::kProbeRtt) {
    start_probe_refill();
  }
}

// Section 5.6.4.4.
void BbrController::save_window() {
  const bool undisturbed = !recovery_start_ && state_ != State::kProbeRtt;
  prior_window_ = undisturbed ? window_ : std::max(prior_window_, window_);
}

void BbrController::restore_window() {
  window_ = clamp(std::max(window_, prior_window_));
}

// Section 5.6.4.4, OnEnterRTO: nothing is known to be in flight any more, so the least window remains. It grows with
// what is acknowledged and returns to the former one when recovery ends. The bounds go back to what they were before
// the losses: a path that carried nothing at all does not tell how much is too much, and a probe that an outage
// interrupted would hold the flow at 70 % for seconds after it.
void BbrController::on_persistent_timeout(Instant now) {
  if (!started_) start(now);
  if (!recovery_start_) save_state_upon_loss();
  save_window();
  if (undo_) {
    model_.bandwidth_shortterm = std::max(model_.bandwidth_shortterm, undo_->bandwidth_shortterm);
    model_.inflight_shortterm = std::max(model_.inflight_shortterm, undo_->inflight_shortterm);
    model_.inflight_longterm = std::max(model_.inflight_longterm, undo_->inflight_longterm);
  }
  model_.reset_congestion_signals();
  recovery_start_ = now;
  window_ = minimum_window();
}

// Section 5.4.1. The connection calls this with nothing in flight.
void BbrController::on_idle_restart(Instant now) {
  if (!started_) start(now);
  idle_restart_ = true;
  model_.extra_acked_interval_start = now;
  if (in_probe_bw()) {
    set_pacing_rate(1.0);
  } else if (state_ == State::kProbeRtt) {
    check_probe_rtt_done(now);
  }
}

// Section 5.3.1.1.
void BbrController::enter_startup() {
  state_ = State::kStartup;
}

void BbrController::reset_full_bandwidth() {
  full_bandwidth_ = Bandwidth{};
  full_bandwidth_count_ = 0;
  full_bandwidth_now_ = false;
}

// Section 5.3.1.2.
void BbrController::check_full_bandwidth(const BbrSample& sample) {
  if (full_bandwidth_now_ || !model_.round_start || sample.is_app_limited) return;
  if (sample.delivery_rate == Bandwidth{}) return;  // a round without a sample says nothing about growth
  if (sample.delivery_rate >= full_bandwidth_.scaled(kFullBandwidthGrowth)) {
    reset_full_bandwidth();
    full_bandwidth_ = sample.delivery_rate;
    return;
  }
  ++full_bandwidth_count_;
  full_bandwidth_now_ = full_bandwidth_count_ >= kFullBandwidthRounds;
  if (full_bandwidth_now_) full_bandwidth_reached_ = true;
}

// Sections 5.3.1.1 and 5.3.1.3.
void BbrController::check_startup_done(const BbrSample& sample) {
  if (state_ != State::kStartup) return;
  // loss_round_start comes a full round after the first loss, so the ranges counted by then are those of that round.
  if (model_.loss_round_start) {
    const bool high_loss =
        startup_loss_ranges_ >= kStartupLossRanges && model_.is_inflight_too_high(sample.lost, sample.tx_in_flight);
    startup_loss_ranges_ = 0;
    if (high_loss && !full_bandwidth_reached_) {
      if (undo_) undo_->state = State::kStartup;
      full_bandwidth_now_ = true;
      full_bandwidth_reached_ = true;
      model_.inflight_longterm = std::max(model_.bdp(model_.bandwidth, 1.0).value_or(0), model_.inflight_latest);
    }
  }
  if (!full_bandwidth_reached_) return;
  state_ = State::kDrain;
  drain_start_round_ = model_.round_count;
}

// Section 5.3.2.
void BbrController::check_drain_done(const BbrSample& sample) {
  if (state_ != State::kDrain) return;
  const bool drained = sample.in_flight <= inflight(model_.bandwidth, 1.0);
  if (drained || model_.round_count > drain_start_round_ + kDrainRounds) start_probe_down(sample.now);
}

ControllerSnapshot BbrController::snapshot() const {
  return {.controller = name(),
          .state = to_string(state_),
          .window_bytes = window_,
          .pacing_rate = pacing_rate_,
          .slow_start_threshold = std::nullopt,
          .bandwidth = model_.max_bandwidth == Bandwidth{} ? std::nullopt : std::optional(model_.max_bandwidth),
          .minimum_rtt = model_.min_rtt};
}

}  // namespace godwit
