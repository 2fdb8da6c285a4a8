// BBR's model of the path (draft-ietf-ccwg-bbr-06 section 5.5): round trips counted by packets, the bandwidth and the
// round trip of the path, the volume it carries, and what losses say of either. The long-term bounds live through a
// probing cycle, the short-term ones until the next probe. Owned by BbrController, which decides what state follows;
// the model only measures. Fields are read by the controller and written by the model's own steps unless noted.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>

#include "base/bandwidth.h"
#include "base/time.h"
#include "congestion/bbr_filters.h"
#include "congestion/controller.h"
#include "congestion/loss_noise.h"

namespace godwit {

// One event as the draft's steps see it: the rate sample RS and the connection's counters C.
struct BbrSample {
  Instant now{};
  std::uint64_t newly_acked = 0;
  std::optional<Duration> rtt{};
  Bandwidth delivery_rate{};    // zero: this round has given no reliable sample
  std::uint64_t delivered = 0;  // over the sampling interval
  std::uint64_t prior_delivered = 0;
  std::uint64_t tx_in_flight = 0;
  std::uint64_t lost = 0;  // declared lost over the sampling interval
  bool is_app_limited = false;
  std::uint64_t total_delivered = 0;
  std::uint64_t prior_in_flight = 0;
  std::uint64_t in_flight = 0;
};

struct BbrModel {
  static constexpr std::uint64_t kUnbounded = std::numeric_limits<std::uint64_t>::max();
  // Section 2.5.
  static constexpr double kLossThreshold = 0.02;
  static constexpr double kBeta = 0.7;
  static constexpr double kHeadroom = 0.15;
  // Sections 2.14.1 and 2.14.2.
  static constexpr Duration kMinRttFilterLength = 10s;
  static constexpr Duration kProbeRttInterval = 5s;

  // Section 5.2.1; before the first packet.
  void start(Instant now);

  // Section 5.5.1. The next round ends when something sent from now on is acknowledged.
  void start_round() { next_round_delivered = total_delivered; }

  // The steps of section 5.2.3 that measure, in the order of an acknowledgement. `probing`: the state accelerates.
  void update_latest_delivery_signals(const BbrSample& sample);
  void update_congestion_signals(const BbrSample& sample, bool probing, std::uint64_t window);
  void update_aggregation(const BbrSample& sample, bool full_bandwidth_reached, std::uint64_t window);
  void update_min_rtt(const BbrSample& sample);
  void advance_latest_delivery_signals(const BbrSample& sample);
  void bound_bandwidth() { bandwidth = std::min(max_bandwidth, bandwidth_shortterm); }

  // Section 5.5.10.2, NoteLoss.
  void note_loss(std::uint64_t lost_bytes);
  void note_mark();
  // Section 5.5.10.2, IsInflightTooHigh: of `tx_in_flight` bytes in flight, more were lost than noise explains.
  [[nodiscard]] bool is_inflight_too_high(std::uint64_t lost, std::uint64_t tx_in_flight) const;
  // What is tolerated: the draft's share on top of what the path loses whatever is sent.
  [[nodiscard]] double loss_threshold() const { return kLossThreshold + noise.rate(); }
  // `quiet`: what the sample tells of was sent between probes.
  void update_noise(const BbrSample& sample, bool quiet);

  void advance_max_bandwidth_filter();
  void reset_congestion_signals();
  void reset_short_term();

  // Section 5.6.4.2, BDPMultiple; nothing before the first round-trip sample.
  [[nodiscard]] std::optional<std::uint64_t> bdp(Bandwidth of, double gain) const;
  // Section 5.3.3.9, InflightWithHeadroom.
  [[nodiscard]] std::uint64_t inflight_with_headroom(std::uint64_t minimum) const;

  std::uint64_t datagram_bytes = 1200;

  // Rounds.
  std::uint64_t total_delivered = 0;
  std::uint64_t next_round_delivered = 0;
  std::uint64_t round_count = 0;
  std::uint64_t rounds_since_probe_up = 0;  // set by the controller at the end of a probe

  // Bandwidth.
  Bandwidth max_bandwidth;
  Bandwidth bandwidth_shortterm = Bandwidth::unlimited();
  Bandwidth bandwidth;  // the lesser of the two
  Bandwidth bandwidth_latest;

  // Volume.
  std::optional<Duration> min_rtt;
  std::uint64_t inflight_longterm = kUnbounded;  // set by the controller when a probe went too far or well
  std::uint64_t inflight_shortterm = kUnbounded;
  std::uint64_t inflight_latest = 0;
  std::uint64_t extra_acked = 0;
  Instant extra_acked_interval_start{};
  std::uint64_t extra_acked_delivered = 0;

  // Losses.
  std::uint64_t loss_round_delivered = 0;
  std::uint64_t lost_in_round = 0;
  std::uint64_t acked_in_round = 0;
  LossNoise noise;
  bool round_start = false;
  bool loss_round_start = false;
  bool is_loss_in_round = false;
  bool is_mark_in_round = false;
  bool probe_rtt_expired = false;
  std::uint32_t lost_since_sample = 0;  // what update_noise() has not counted yet

  // Round-trip probing.
  std::optional<Duration> probe_rtt_min_delay;
  Instant probe_rtt_min_stamp{};
  Instant min_rtt_stamp{};

 private:
  void update_max_bandwidth(const BbrSample& sample);
  void update_round(const BbrSample& sample);
  [[nodiscard]] bool loss_is_excessive() const;
  void adapt_lower_bounds(std::uint64_t window);

  MaxBandwidthFilter max_bandwidth_filter_;
  RoundMaxFilter extra_acked_filter_;
};

}  // namespace godwit
