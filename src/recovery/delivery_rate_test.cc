#include "recovery/delivery_rate.h"

#include <gtest/gtest.h>

#include <deque>

namespace godwit::delivery_rate_test {
namespace {

constexpr Instant kStart{1s};

SentPacket sent(DeliveryRate& rate, Instant now, bool after_idle, std::uint64_t in_flight, std::uint16_t bytes = 1000) {
  SentPacket packet;
  packet.sent_at = now;
  packet.bytes = bytes;
  rate.stamp(now, after_idle, in_flight, packet);
  return packet;
}

TEST(DeliveryRate, MeasuresTheRateOfTheBottleneck) {
  // 1000 bytes a millisecond arrive after 20 ms, whatever bursts they were sent in.
  DeliveryRate rate;
  std::deque<SentPacket> flight;
  std::uint64_t in_flight = 0;
  Instant now = kStart;
  for (int i = 0; i < 40; ++i) {
    flight.push_back(sent(rate, now, in_flight == 0, in_flight));
    in_flight += 1000;
  }
  now += 20ms;
  RateSample sample;
  for (int i = 0; i < 400; ++i) {
    now += 1ms;
    sample = rate.on_acked(now, &flight.front(), 1000, 0, 20ms);
    flight.pop_front();
    in_flight -= 1000;
    flight.push_back(sent(rate, now, false, in_flight));
    in_flight += 1000;
  }
  ASSERT_TRUE(sample.has_rate);
  EXPECT_NEAR(static_cast<double>(sample.delivery_rate.bytes_per_second()), 1e6, 1e4);
  EXPECT_EQ(sample.rtt, 40ms);
  EXPECT_EQ(sample.tx_in_flight, 40'000u);
  EXPECT_EQ(sample.delivered, 40'000u);
  EXPECT_EQ(sample.total_delivered, 400'000u);
  EXPECT_EQ(sample.newly_acked, 1000u);
  EXPECT_FALSE(sample.is_app_limited);
}

TEST(DeliveryRate, TakesTheLongerOfSendAndAckInterval) {
  DeliveryRate rate;
  const SentPacket first = sent(rate, kStart, true, 0);
  const SentPacket second = sent(rate, kStart + 100ms, false, 1000);
  // Acknowledgements compressed into one moment: the send interval of 100 ms bounds the rate.
  const RateSample one = rate.on_acked(kStart + 130ms, &first, 1000, 0, 10ms);
  EXPECT_EQ(one.interval, 130ms);
  const RateSample sample = rate.on_acked(kStart + 130ms, &second, 1000, 0, 10ms);
  EXPECT_EQ(sample.interval, 130ms);
  EXPECT_EQ(sample.delivered, 2000u);
}

TEST(DeliveryRate, StartsAnewAfterAnIdleTime) {
  DeliveryRate rate;
  const SentPacket before = sent(rate, kStart, true, 0);
  static_cast<void>(rate.on_acked(kStart + 20ms, &before, 1000, 0, 20ms));
  const SentPacket after = sent(rate, kStart + 60s, true, 0);
  const RateSample sample = rate.on_acked(kStart + 60s + 20ms, &after, 1000, 0, 20ms);
  EXPECT_EQ(sample.interval, 20ms);
  EXPECT_EQ(sample.delivery_rate.bytes_per_second(), 50'000u);
}

TEST(DeliveryRate, RefusesIntervalsBelowTheLeastRoundTrip) {
  DeliveryRate rate;
  const SentPacket packet = sent(rate, kStart, true, 0);
  EXPECT_FALSE(rate.on_acked(kStart + 5ms, &packet, 1000, 0, 20ms).has_rate);
}

TEST(DeliveryRate, MarksSamplesOfAnApplicationLimitedFlight) {
  DeliveryRate rate;
  SentPacket packet = sent(rate, kStart, true, 0);
  rate.on_application_limited(1000);
  EXPECT_TRUE(rate.application_limited());
  const SentPacket bubble = sent(rate, kStart + 1ms, false, 1000);
  EXPECT_FALSE(rate.on_acked(kStart + 20ms, &packet, 1000, 0, 20ms).is_app_limited);
  EXPECT_TRUE(rate.application_limited());
  EXPECT_TRUE(rate.on_acked(kStart + 21ms, &bubble, 1000, 0, 20ms).is_app_limited);
  EXPECT_FALSE(rate.application_limited());
  packet = sent(rate, kStart + 22ms, true, 0);
  EXPECT_FALSE(rate.on_acked(kStart + 42ms, &packet, 1000, 0, 20ms).is_app_limited);
}

TEST(DeliveryRate, IsApplicationLimitedFromTheFirstByteOn) {
  DeliveryRate rate;
  rate.on_application_limited(0);
  EXPECT_TRUE(rate.application_limited());
  EXPECT_TRUE(sent(rate, kStart, true, 0).application_limited);
}

TEST(DeliveryRate, CountsLossesSinceTheTransmission) {
  DeliveryRate rate;
  rate.on_lost(5000);
  const SentPacket packet = sent(rate, kStart, true, 0);
  rate.on_lost(700);
  const RateSample sample = rate.on_acked(kStart + 20ms, &packet, 1000, 700, 20ms);
  EXPECT_EQ(sample.lost, 700u);
  EXPECT_EQ(sample.newly_lost, 700u);
}

TEST(DeliveryRate, CountsLossesAcrossTheWrapOfItsStamp) {
  DeliveryRate rate;
  rate.on_lost((std::uint64_t{1} << 32) - 100);
  const SentPacket packet = sent(rate, kStart, true, 0);
  rate.on_lost(700);
  EXPECT_EQ(rate.on_acked(kStart + 20ms, &packet, 1000, 0, 20ms).lost, 700u);
}

TEST(DeliveryRate, DeliversWithoutASampleWhenNoTransmissionIsKnown) {
  DeliveryRate rate;
  const RateSample sample = rate.on_acked(kStart, nullptr, 1000, 0, 20ms);
  EXPECT_FALSE(sample.has_rate);
  EXPECT_EQ(sample.total_delivered, 1000u);
  EXPECT_EQ(sample.newly_acked, 1000u);
}

}  // namespace
}  // namespace godwit::delivery_rate_test
