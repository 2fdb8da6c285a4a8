#include "congestion/bbr_model.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace godwit {

void BbrModel::start(Instant now) {
  min_rtt_stamp = now;
  probe_rtt_min_stamp = now;
  extra_acked_interval_start = now;
}

// Section 5.5.10.3, UpdateLatestDeliverySignals.
void BbrModel::update_latest_delivery_signals(const BbrSample& sample) {
  total_delivered = sample.total_delivered;
  loss_round_start = false;
  bandwidth_latest = std::max(bandwidth_latest, sample.delivery_rate);
  inflight_latest = std::max(inflight_latest, sample.delivered);
  acked_in_round += sample.newly_acked;
  if (sample.prior_delivered >= loss_round_delivered) {
    loss_round_delivered = total_delivered;
    loss_round_start = true;
  }
}

// Section 5.5.10.3, AdvanceLatestDeliverySignals.
void BbrModel::advance_latest_delivery_signals(const BbrSample& sample) {
  if (!loss_round_start) return;
  bandwidth_latest = sample.delivery_rate;
  inflight_latest = sample.delivered;
}

// Section 5.5.10.3, UpdateCongestionSignals.
void BbrModel::update_congestion_signals(const BbrSample& sample, bool probing, std::uint64_t window) {
  update_max_bandwidth(sample);
  if (!loss_round_start) return;
  if (!probing && loss_is_excessive()) adapt_lower_bounds(window);
  is_loss_in_round = is_mark_in_round = false;
  lost_in_round = 0;
  acked_in_round = 0;
}

// The draft lets every round with a loss pull the short-term bounds down to what arrived, which wears a flow on a path
// with 1 % random loss down by 1 to 2 % a round until the next probe: less than 80 % of the path at 100 Mbit/s and 50
// ms. Losses that the probes themselves tolerate are tolerated here too.
bool BbrModel::loss_is_excessive() const {
  if (is_mark_in_round) return true;
  return is_loss_in_round && is_inflight_too_high(lost_in_round, lost_in_round + acked_in_round);
}

// The draft compares with the threshold alone. On a hundred packets that lose 1 % at random, one round in twelve loses
// more than 2 %, and every such round would cut a probe short and the long-term bound with it. So the number lost must
// exceed the tolerated number by two of its standard deviations; a queue that overflows does so a few packets later.
bool BbrModel::is_inflight_too_high(std::uint64_t lost, std::uint64_t tx_in_flight) const {
  const double tolerated = static_cast<double>(tx_in_flight) * loss_threshold();
  return static_cast<double>(lost) > tolerated + 2.0 * std::sqrt(tolerated * static_cast<double>(datagram_bytes));
}

void BbrModel::adapt_lower_bounds(std::uint64_t window) {
  if (bandwidth_shortterm.is_unlimited()) bandwidth_shortterm = max_bandwidth;
  if (inflight_shortterm == kUnbounded) inflight_shortterm = window;
  bandwidth_shortterm = std::max(bandwidth_latest, bandwidth_shortterm.scaled(kBeta));
  inflight_shortterm =
      std::max(inflight_latest, static_cast<std::uint64_t>(static_cast<double>(inflight_shortterm) * kBeta));
}

// Section 5.5.5: an application-limited sample counts only where it proves that the path carries more.
void BbrModel::update_max_bandwidth(const BbrSample& sample) {
  update_round(sample);
  if (sample.delivery_rate == Bandwidth{}) return;
  if (sample.is_app_limited && sample.delivery_rate < max_bandwidth) return;
  max_bandwidth_filter_.update(sample.delivery_rate);
  max_bandwidth = max_bandwidth_filter_.maximum();
}

void BbrModel::advance_max_bandwidth_filter() {
  max_bandwidth_filter_.advance();
}

void BbrModel::update_round(const BbrSample& sample) {
  round_start = sample.prior_delivered >= next_round_delivered;
  if (!round_start) return;
  start_round();
  ++round_count;
  ++rounds_since_probe_up;
}

// Section 5.5.9: what arrived beyond what the bandwidth explains, since acknowledgements last fell behind it.
void BbrModel::update_aggregation(const BbrSample& sample, bool full_bandwidth_reached, std::uint64_t window) {
  std::uint64_t expected = bandwidth.bytes_in(sample.now - extra_acked_interval_start);
  if (extra_acked_delivered <= expected) {
    extra_acked_delivered = 0;
    extra_acked_interval_start = sample.now;
    expected = 0;
  }
  extra_acked_delivered += sample.newly_acked;
  const std::uint64_t extra = std::min(extra_acked_delivered - std::min(expected, extra_acked_delivered), window);
  extra_acked = extra_acked_filter_.update(round_count, extra, full_bandwidth_reached ? RoundMaxFilter::kRounds : 1);
}

// Section 5.3.4.3, UpdateMinRTT.
void BbrModel::update_min_rtt(const BbrSample& sample) {
  probe_rtt_expired = sample.now > probe_rtt_min_stamp + kProbeRttInterval;
  if (sample.rtt && (!probe_rtt_min_delay || *sample.rtt < *probe_rtt_min_delay || probe_rtt_expired)) {
    probe_rtt_min_delay = sample.rtt;
    probe_rtt_min_stamp = sample.now;
  }
  if (!probe_rtt_min_delay) return;
  const bool min_rtt_expired = sample.now > min_rtt_stamp + kMinRttFilterLength;
  if (!min_rtt || *probe_rtt_min_delay < *min_rtt || min_rtt_expired) {
    min_rtt = probe_rtt_min_delay;
    min_rtt_stamp = probe_rtt_min_stamp;
  }
}

void BbrModel::note_loss(std::uint64_t lost_bytes) {
  if (!is_loss_in_round) loss_round_delivered = total_delivered;
  is_loss_in_round = true;
  lost_in_round += lost_bytes;
  lost_since_sample += static_cast<std::uint32_t>(lost_bytes);
}

void BbrModel::update_noise(const BbrSample& sample, bool quiet) {
  const LossNoiseSample counted{.acked = sample.newly_acked,
                                .lost = std::exchange(lost_since_sample, 0U),
                                .rtt = sample.rtt,
                                .round_start = round_start,
                                .min_rtt = min_rtt.value_or(Duration::zero()),
                                .datagram_bytes = datagram_bytes};
  noise.on_sample(counted, max_bandwidth);
  // Bounds that losses of that rate have set are void.
  if (quiet && noise.on_quiet(counted)) reset_short_term();
}

void BbrModel::note_mark() {
  if (!is_loss_in_round && !is_mark_in_round) loss_round_delivered = total_delivered;
  is_mark_in_round = true;
}

void BbrModel::reset_congestion_signals() {
  is_loss_in_round = is_mark_in_round = false;
  lost_in_round = 0;
  acked_in_round = 0;
  bandwidth_latest = Bandwidth{};
  inflight_latest = 0;
}

void BbrModel::reset_short_term() {
  bandwidth_shortterm = Bandwidth::unlimited();
  inflight_shortterm = kUnbounded;
}

std::optional<std::uint64_t> BbrModel::bdp(Bandwidth of, double gain) const {
  if (!min_rtt) return std::nullopt;
  constexpr double kLargest = 1e18;  // far beyond any window, within what an integer holds
  return static_cast<std::uint64_t>(std::min(gain * static_cast<double>(of.bytes_in(*min_rtt)), kLargest));
}

std::uint64_t BbrModel::inflight_with_headroom(std::uint64_t minimum) const {
  if (inflight_longterm == kUnbounded) return kUnbounded;
  const auto headroom =
      std::max(datagram_bytes, static_cast<std::uint64_t>(kHeadroom * static_cast<double>(inflight_longterm)));
  return std::max(inflight_longterm - std::min(headroom, inflight_longterm), minimum);
}

}  // namespace godwit
