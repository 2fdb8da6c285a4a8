#include "congestion/window_control.h"

#include <gtest/gtest.h>

namespace godwit {
namespace {

CongestionEvent acked(Instant now, Instant sent_at, std::uint64_t prior = 12000) {
  CongestionEvent event;
  event.now = now;
  event.acked_bytes = 1200;
  event.latest_acked_sent_at = sent_at;
  event.prior_in_flight = prior;
  event.bytes_in_flight = prior - 1200;
  return event;
}

TEST(RoundTripCounter, EndsARoundWhenSomethingSentInItIsAcknowledged) {
  RoundTripCounter rounds;
  EXPECT_FALSE(rounds.on_congestion_event(acked(Instant{100ms}, Instant{0ms})));
  EXPECT_FALSE(rounds.on_congestion_event(acked(Instant{150ms}, Instant{50ms})));
  EXPECT_TRUE(rounds.on_congestion_event(acked(Instant{200ms}, Instant{100ms})));
  EXPECT_FALSE(rounds.on_congestion_event(acked(Instant{290ms}, Instant{190ms})));
  EXPECT_TRUE(rounds.on_congestion_event(acked(Instant{310ms}, Instant{210ms})));
  EXPECT_EQ(rounds.completed(), 2u);
}

TEST(RoundTripCounter, IsNotMovedByLossesOrByTime) {
  RoundTripCounter rounds;
  EXPECT_FALSE(rounds.on_congestion_event(acked(Instant{100ms}, Instant{0ms})));
  CongestionEvent losses;
  losses.now = Instant{10s};
  losses.lost.packets = 5;
  EXPECT_FALSE(rounds.on_congestion_event(losses));
  EXPECT_EQ(rounds.completed(), 0u);
}

TEST(WindowUsage, PermitsGrowthInAvoidanceOnlyWhenTheWindowWasNearlyFull) {
  WindowUsage usage;
  usage.on_packet_sent({.now = Instant{}, .bytes = 100'000, .packets = 84, .bytes_in_flight = 100'000});
  const CongestionEvent event = acked(Instant{1s}, Instant{}, 50'000);
  usage.on_congestion_event(event, false);
  EXPECT_TRUE(usage.permits_growth(event, 100'000, 1200, false));
  EXPECT_TRUE(usage.permits_growth(event, 110'000, 1200, false));
  EXPECT_FALSE(usage.permits_growth(event, 120'000, 1200, false));
}

TEST(WindowUsage, PermitsGrowthInSlowStartFromHalfAWindowUnlessTheApplicationIsDry) {
  WindowUsage usage;
  usage.on_packet_sent({.now = Instant{}, .bytes = 60'000, .packets = 50, .bytes_in_flight = 60'000});
  CongestionEvent event = acked(Instant{1s}, Instant{}, 50'000);
  usage.on_congestion_event(event, false);
  EXPECT_TRUE(usage.permits_growth(event, 120'000, 1200, true));
  EXPECT_FALSE(usage.permits_growth(event, 121'000, 1200, true));
  event.application_limited = true;
  EXPECT_FALSE(usage.permits_growth(event, 120'000, 1200, true));
}

TEST(WindowUsage, ForgetsAfterTwoRounds) {
  WindowUsage usage;
  usage.on_packet_sent({.now = Instant{}, .bytes = 100'000, .packets = 84, .bytes_in_flight = 100'000});
  const CongestionEvent event = acked(Instant{1s}, Instant{}, 12'000);
  usage.on_congestion_event(event, true);
  EXPECT_TRUE(usage.permits_growth(event, 100'000, 1200, false));
  usage.on_congestion_event(event, true);
  EXPECT_FALSE(usage.permits_growth(event, 100'000, 1200, false));
}

TEST(WindowPacingRate, SpreadsTheWindowOverARoundTrip) {
  EXPECT_EQ(window_pacing_rate(100'000, 100ms, 1.25), Bandwidth::from_bytes_per_second(1'250'000));
  EXPECT_EQ(window_pacing_rate(100'000, 100ms, 2.0), Bandwidth::from_bytes_per_second(2'000'000));
}

TEST(WindowPacingRate, IsUnlimitedBeforeTheFirstSampleAndNeverZero) {
  EXPECT_TRUE(window_pacing_rate(12'000, Duration::zero(), 2.0).is_unlimited());
  EXPECT_GT(window_pacing_rate(1, 1h, 1.25), Bandwidth{});
}

TEST(WindowAfterIdle, KeepsTheWindowForFiveMinutesAndHalvesItForEachFiveMore) {
  EXPECT_EQ(window_after_idle(96'000, 5min, 12'000), 96'000u);
  EXPECT_EQ(window_after_idle(96'000, 5min + 1ns, 12'000), 48'000u);
  EXPECT_EQ(window_after_idle(96'000, 10min + 1ns, 12'000), 24'000u);
  EXPECT_EQ(window_after_idle(96'000, 1000h, 12'000), 12'000u);
  EXPECT_EQ(window_after_idle(2'400, 1h, 12'000), 2'400u);
}

}  // namespace
}  // namespace godwit
