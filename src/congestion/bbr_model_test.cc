#include "congestion/bbr_model.h"

#include <gtest/gtest.h>

namespace godwit {
namespace {

// A round: everything sent before it is acknowledged, `lost` of it lost.
BbrSample round_sample(BbrModel& model, Instant now, Bandwidth rate, std::uint64_t bytes, std::uint64_t lost = 0) {
  BbrSample sample;
  sample.now = now;
  sample.newly_acked = bytes;
  sample.delivery_rate = rate;
  sample.delivered = bytes;
  sample.prior_delivered = model.total_delivered;
  sample.tx_in_flight = bytes + lost;
  sample.lost = lost;
  sample.total_delivered = model.total_delivered + bytes;
  return sample;
}

void apply(BbrModel& model, const BbrSample& sample, bool probing = false, std::uint64_t window = 1'000'000) {
  model.update_latest_delivery_signals(sample);
  model.update_congestion_signals(sample, probing, window);
  model.advance_latest_delivery_signals(sample);
  model.bound_bandwidth();
}

TEST(BbrModel, CountsRoundsByWhatWasDeliveredWhenPacketsWereSent) {
  BbrModel model;
  BbrSample sample = round_sample(model, Instant{1s}, 10_mbps, 12'000);
  apply(model, sample);
  EXPECT_TRUE(model.round_start);
  EXPECT_EQ(model.round_count, 1u);
  sample.total_delivered += 1200;  // sent in the same round as the one before
  apply(model, sample);
  EXPECT_FALSE(model.round_start);
  sample.prior_delivered = 12'000;
  apply(model, sample);
  EXPECT_TRUE(model.round_start);
  EXPECT_EQ(model.round_count, 2u);
}

TEST(BbrModel, TakesTheLargestDeliveryRateAsBandwidth) {
  BbrModel model;
  apply(model, round_sample(model, Instant{1s}, 80_mbps, 12'000));
  apply(model, round_sample(model, Instant{2s}, 100_mbps, 12'000));
  apply(model, round_sample(model, Instant{3s}, 90_mbps, 12'000));
  EXPECT_EQ(model.max_bandwidth, 100_mbps);
  EXPECT_EQ(model.bandwidth, 100_mbps);
}

TEST(BbrModel, LetsApplicationLimitedSamplesRaiseTheBandwidthOnly) {
  BbrModel model;
  apply(model, round_sample(model, Instant{1s}, 80_mbps, 12'000));
  model.advance_max_bandwidth_filter();
  BbrSample slow = round_sample(model, Instant{2s}, 20_mbps, 12'000);
  slow.is_app_limited = true;
  apply(model, slow);
  EXPECT_EQ(model.max_bandwidth, 80_mbps);
  BbrSample fast = round_sample(model, Instant{3s}, 120_mbps, 12'000);
  fast.is_app_limited = true;
  apply(model, fast);
  EXPECT_EQ(model.max_bandwidth, 120_mbps);
}

TEST(BbrModel, IgnoresRoundsWithoutARate) {
  BbrModel model;
  apply(model, round_sample(model, Instant{1s}, 80_mbps, 12'000));
  apply(model, round_sample(model, Instant{2s}, Bandwidth{}, 12'000));
  EXPECT_EQ(model.max_bandwidth, 80_mbps);
  EXPECT_EQ(model.round_count, 2u);
}

TEST(BbrModel, BoundsTheShortTermByWhatArrivedWhenARoundLosesMuch) {
  BbrModel model;
  apply(model, round_sample(model, Instant{1s}, 100_mbps, 600'000));
  model.note_loss(60'000);
  apply(model, round_sample(model, Instant{2s}, 90_mbps, 540'000, 60'000), false, 600'000);
  EXPECT_EQ(model.bandwidth, 100_mbps);  // the round that began with the loss is still under way, its maximum counts
  model.note_loss(60'000);
  apply(model, round_sample(model, Instant{3s}, 90_mbps, 540'000, 60'000), false, 600'000);
  EXPECT_EQ(model.bandwidth, 90_mbps);
  EXPECT_LT(model.inflight_shortterm, 600'000u);
}

TEST(BbrModel, NeverLowersTheShortTermByMoreThanThirtyPercentARound) {
  BbrModel model;
  apply(model, round_sample(model, Instant{1s}, 100_mbps, 600'000));
  model.reset_congestion_signals();
  model.note_loss(500'000);
  apply(model, round_sample(model, Instant{2s}, 10_mbps, 60'000, 500'000), false, 600'000);
  EXPECT_EQ(model.bandwidth, (100_mbps).scaled(0.7));
  EXPECT_EQ(model.inflight_shortterm, 420'000u);
}

TEST(BbrModel, DoesNotLowerTheShortTermWhileProbing) {
  BbrModel model;
  apply(model, round_sample(model, Instant{1s}, 100_mbps, 600'000), true);
  for (int i = 2; i < 10; ++i) {
    model.note_loss(60'000);
    apply(model, round_sample(model, Instant{i * 1s}, 90_mbps, 540'000, 60'000), true);
  }
  EXPECT_TRUE(model.bandwidth_shortterm.is_unlimited());
  EXPECT_EQ(model.inflight_shortterm, BbrModel::kUnbounded);
}

TEST(BbrModel, ToleratesOnePercentOfLosses) {
  BbrModel model;
  apply(model, round_sample(model, Instant{1s}, 100_mbps, 600'000));
  for (int i = 2; i < 100; ++i) {
    model.note_loss(6'000);
    apply(model, round_sample(model, Instant{i * 1s}, 99_mbps, 594'000, 6'000));
  }
  EXPECT_EQ(model.bandwidth, 100_mbps);
}

TEST(BbrModel, TellsALossRateFromTheNoiseOfAFewPackets) {
  const BbrModel model;
  EXPECT_FALSE(model.is_inflight_too_high(0, 12'000));
  EXPECT_FALSE(model.is_inflight_too_high(1'200, 12'000));            // 1 of 10
  EXPECT_TRUE(model.is_inflight_too_high(2'400, 12'000));             // 2 of 10
  EXPECT_FALSE(model.is_inflight_too_high(4 * 1'200, 120'000));       // 4 of 100
  EXPECT_TRUE(model.is_inflight_too_high(5 * 1'200, 120'000));        // 5 of 100
  EXPECT_FALSE(model.is_inflight_too_high(220 * 1'200, 12'000'000));  // 2.2 % of 10,000
  EXPECT_TRUE(model.is_inflight_too_high(240 * 1'200, 12'000'000));
}

TEST(BbrModel, MeasuresAggregationAsWhatArrivesBeyondTheBandwidth) {
  BbrModel model;
  model.start(Instant{1s});
  model.bandwidth = Bandwidth::from_bytes_per_second(1'000'000);
  BbrSample sample;
  sample.now = Instant{1s};
  sample.newly_acked = 5'000;
  model.update_aggregation(sample, true, 100'000);
  EXPECT_EQ(model.extra_acked, 5'000u);
  sample.now = Instant{1s} + 1ms;  // 1,000 bytes were due
  sample.newly_acked = 10'000;
  model.update_aggregation(sample, true, 100'000);
  EXPECT_EQ(model.extra_acked, 14'000u);
  model.round_count = 5;
  sample.now = Instant{2s};  // far behind: a new interval
  sample.newly_acked = 2'000;
  model.update_aggregation(sample, true, 100'000);
  EXPECT_EQ(model.extra_acked, 14'000u);  // of the last ten rounds
  model.round_count = 20;
  sample.now = Instant{3s};
  model.update_aggregation(sample, true, 100'000);
  EXPECT_EQ(model.extra_acked, 2'000u);
}

TEST(BbrModel, CapsAggregationAtTheWindow) {
  BbrModel model;
  model.start(Instant{1s});
  BbrSample sample;
  sample.now = Instant{1s};
  sample.newly_acked = 50'000;
  model.update_aggregation(sample, true, 12'000);
  EXPECT_EQ(model.extra_acked, 12'000u);
}

TEST(BbrModel, KeepsTheLeastRoundTripForTenSeconds) {
  BbrModel model;
  model.start(Instant{});
  BbrSample sample;
  const auto at = [&](Duration now, Duration rtt) {
    sample.now = Instant{now};
    sample.rtt = rtt;
    model.update_min_rtt(sample);
  };
  at(1s, 50ms);
  at(2s, 40ms);
  at(5s, 60ms);
  EXPECT_EQ(model.min_rtt, 40ms);
  EXPECT_FALSE(model.probe_rtt_expired);
  at(7s + 1ms, 70ms);  // five seconds without a lower one: a probe is due
  EXPECT_TRUE(model.probe_rtt_expired);
  EXPECT_EQ(model.min_rtt, 40ms);
  at(12s + 1ms, 70ms);
  EXPECT_EQ(model.min_rtt, 70ms);
}

TEST(BbrModel, LeavesHeadroomBelowTheLongTermBound) {
  BbrModel model;
  EXPECT_EQ(model.inflight_with_headroom(4'800), BbrModel::kUnbounded);
  model.inflight_longterm = 100'000;
  EXPECT_EQ(model.inflight_with_headroom(4'800), 85'000u);
  model.inflight_longterm = 4'000;
  EXPECT_EQ(model.inflight_with_headroom(4'800), 4'800u);
}

}  // namespace
}  // namespace godwit
