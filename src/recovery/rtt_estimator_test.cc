#include "recovery/rtt_estimator.h"

#include <gtest/gtest.h>

namespace godwit {
namespace {

Instant at(Duration since_start) {
  return Instant{1s} + since_start;
}

TEST(RttEstimator, StartsWithTheInitialTimeOut) {
  const RttEstimator rtt;
  EXPECT_FALSE(rtt.has_sample());
  EXPECT_EQ(rtt.rto(), 1s);
  EXPECT_EQ(rtt.probe_timeout(), 1s);
  EXPECT_EQ(rtt.minimum(), 0ns);
  EXPECT_EQ(rtt.ack_delay(), 100ms);
}

TEST(RttEstimator, FollowsRfc6298) {
  RttEstimator rtt;
  rtt.on_ack_sample(at(0s), 200ms, false);
  EXPECT_EQ(rtt.smoothed(), 200ms);
  EXPECT_EQ(rtt.variance(), 100ms);
  EXPECT_EQ(rtt.rto(), 600ms);
  rtt.on_ack_sample(at(1s), 280ms, false);
  EXPECT_EQ(rtt.variance(), 95ms);   // 3/4 * 100 + 1/4 * 80
  EXPECT_EQ(rtt.smoothed(), 210ms);  // 7/8 * 200 + 1/8 * 280
  EXPECT_EQ(rtt.rto(), 590ms);
  EXPECT_EQ(rtt.latest(), 280ms);
}

TEST(RttEstimator, KeepsTheTimeOutWithinItsBounds) {
  RttEstimator low;
  low.on_ack_sample(at(0s), 1ms, false);
  EXPECT_EQ(low.rto(), 500ms);
  RttEstimator high;
  high.on_ack_sample(at(0s), 50s, false);
  EXPECT_EQ(high.rto(), 60s);
  RttEstimator quick({.min_rto = 200ms});
  for (int i = 0; i < 100; ++i) quick.on_ack_sample(at(i * 1s), 1ms, false);
  EXPECT_EQ(quick.rto(), 200ms);
}

TEST(RttEstimator, AddsAtLeastTenMillisecondsOfVariation) {
  RttEstimator rtt({.min_rto = 1ms});
  for (int i = 0; i < 200; ++i) rtt.on_ack_sample(at(i * 1s), 80ms, false);
  EXPECT_EQ(rtt.rto(), 90ms);
}

TEST(RttEstimator, KeepsTheMinimumOfTheLastMinutesOnly) {
  RttEstimator rtt;
  rtt.on_ack_sample(at(0s), 20ms, false);
  rtt.on_ack_sample(at(30s), 50ms, false);
  EXPECT_EQ(rtt.minimum(), 20ms);
  rtt.on_ack_sample(at(70s), 60ms, false);
  EXPECT_EQ(rtt.minimum(), 20ms);
  rtt.on_ack_sample(at(140s), 70ms, false);
  EXPECT_EQ(rtt.minimum(), 60ms);
  rtt.on_ack_sample(at(900s), 90ms, false);
  EXPECT_EQ(rtt.minimum(), 90ms);
}

TEST(RttEstimator, PingsStartTheEstimateAndAcksTakeItOver) {
  RttEstimator rtt;
  rtt.on_ping_sample(at(0s), 40ms);
  EXPECT_TRUE(rtt.has_sample());
  EXPECT_EQ(rtt.smoothed(), 40ms);
  rtt.on_ack_sample(at(1s), 120ms, false);
  EXPECT_EQ(rtt.smoothed(), 120ms);
  EXPECT_EQ(rtt.variance(), 60ms);
  rtt.on_ping_sample(at(2s), 40ms);
  EXPECT_EQ(rtt.smoothed(), 120ms);
  EXPECT_EQ(rtt.minimum(), 40ms);
}

TEST(RttEstimator, SoonKnowsAPeerThatAnswersAtOnce) {
  RttEstimator rtt;
  rtt.on_ping_sample(at(0s), 40ms);
  for (int i = 1; i <= 4; ++i) rtt.on_ack_sample(at(i * 100ms), 40ms, true);
  EXPECT_LT(rtt.ack_delay(), 7ms);
  for (int i = 5; i <= 30; ++i) rtt.on_ack_sample(at(i * 100ms), 40ms, true);
  EXPECT_LT(rtt.ack_delay(), 300us);
  EXPECT_LT(rtt.probe_timeout(), 61ms);
  EXPECT_GE(rtt.probe_timeout(), 60ms);
}

TEST(RttEstimator, KeepsTheDelayOfAPeerThatHoldsAcks) {
  RttEstimator rtt;
  rtt.on_ping_sample(at(0s), 40ms);
  // A free-running timer of 100 ms: any delay up to it.
  for (int i = 1; i <= 200; ++i) rtt.on_ack_sample(at(i * 1s), 40ms + (i * 37 % 100) * 1ms, true);
  EXPECT_GT(rtt.ack_delay(), 60ms);
  EXPECT_LE(rtt.ack_delay(), 100ms);
}

TEST(RttEstimator, RisesAtOnceToALongerDelayUpToItsLimit) {
  RttEstimator rtt;
  rtt.on_ping_sample(at(0s), 40ms);
  for (int i = 1; i <= 20; ++i) rtt.on_ack_sample(at(i * 1s), 40ms, true);
  rtt.on_ack_sample(at(21s), 640ms, true);
  EXPECT_EQ(rtt.ack_delay(), 600ms);
  rtt.on_ack_sample(at(22s), 5s, true);
  EXPECT_EQ(rtt.ack_delay(), 700ms);
}

TEST(RttEstimator, LearnsNoDelayFromPacketsThatOthersFollow) {
  RttEstimator rtt;
  rtt.on_ping_sample(at(0s), 40ms);
  for (int i = 1; i <= 100; ++i) rtt.on_ack_sample(at(i * 10ms), 41ms, false);
  EXPECT_EQ(rtt.ack_delay(), 100ms);
}

TEST(RttEstimator, LearnsNoDelayBeforeItKnowsThePath) {
  RttEstimator rtt;
  rtt.on_ack_sample(at(0s), 140ms, true);
  EXPECT_EQ(rtt.ack_delay(), 100ms);
}

TEST(RttEstimator, BoundsSamplesFromBelow) {
  RttEstimator rtt;
  rtt.on_ack_sample(at(0s), 0ns, false);
  EXPECT_EQ(rtt.minimum(), 1us);
  rtt.on_ack_sample(at(1s), -5ms, false);
  EXPECT_EQ(rtt.latest(), 1us);
}

}  // namespace
}  // namespace godwit
