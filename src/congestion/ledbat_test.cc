#include "congestion/ledbat.h"

#include <gtest/gtest.h>

#include "congestion/test_path.h"
#include "congestion/test_script.h"

namespace godwit {
namespace {

TEST(BaseDelayHistory, IsTheLeastOfTheLastTenMinutes) {
  BaseDelayHistory history;
  EXPECT_FALSE(history.minimum());
  history.update(Instant{0s}, 40ms);
  history.update(Instant{30s}, 50ms);
  EXPECT_EQ(history.minimum(), 40ms);
  for (int minute = 1; minute < 10; ++minute) history.update(Instant{minute * 60s}, 60ms);
  EXPECT_EQ(history.minimum(), 40ms);
  history.update(Instant{600s}, 60ms);
  EXPECT_EQ(history.minimum(), 60ms);
}

TEST(BaseDelayHistory, ForgetsEverythingAfterALongSilence) {
  BaseDelayHistory history;
  history.update(Instant{0s}, 40ms);
  history.update(Instant{24h}, 90ms);
  EXPECT_EQ(history.minimum(), 90ms);
}

TEST(CurrentDelayFilter, IsTheLeastOfTheLastFourSamples) {
  CurrentDelayFilter filter;
  EXPECT_FALSE(filter.minimum());
  filter.update(40ms);
  for (int i = 0; i < 3; ++i) filter.update(70ms);
  EXPECT_EQ(filter.minimum(), 40ms);
  filter.update(70ms);
  EXPECT_EQ(filter.minimum(), 70ms);
}

// Brings a controller past its first slow start with a window of about `datagrams`.
void reach_avoidance(ControllerScript& script, LedbatController& controller, std::uint64_t datagrams) {
  while (script.datagrams() < datagrams) script.round(8);
  const Duration base = script.round_trip();
  script.set_round_trip(base + 50ms);
  while (controller.snapshot().state == "slow_start") script.round(8);
  script.set_round_trip(base);
}

TEST(Ledbat, GrowsMoreSlowlyOnShorterPaths) {
  for (const auto& [round_trip, gain] :
       {std::pair{Duration{1ms}, 1.0 / 16}, std::pair{Duration{20ms}, 1.0 / 6}, std::pair{Duration{50ms}, 1.0 / 3},
        std::pair{Duration{120ms}, 1.0}, std::pair{Duration{300ms}, 1.0}}) {
    LedbatController controller(ControllerConfig{});
    ControllerScript script(controller, round_trip);
    script.round();
    EXPECT_DOUBLE_EQ(controller.gain(), gain);
  }
}

TEST(Ledbat, ScalesSlowStartByTheGain) {
  LedbatController controller(ControllerConfig{});
  ControllerScript script(controller, 50ms);
  script.round();
  EXPECT_EQ(script.window(), 16'000u);  // 10 datagrams and a third
}

TEST(Ledbat, LeavesSlowStartAtThreeQuartersOfTheTarget) {
  LedbatController controller(ControllerConfig{});
  ControllerScript script(controller, 100ms);
  script.rounds(5, 8);
  script.set_round_trip(144ms);
  script.rounds(3, 8);
  EXPECT_EQ(controller.snapshot().state, "slow_start");
  script.set_round_trip(146ms);
  script.rounds(3, 8);
  EXPECT_EQ(controller.snapshot().state, "congestion_avoidance");
}

TEST(Ledbat, AddsItsGainARoundTripBelowTheTarget) {
  LedbatController controller(ControllerConfig{});
  ControllerScript script(controller, 50ms);
  reach_avoidance(script, controller, 100);
  // The slowdown follows two round trips later; until then it grows by a third of a datagram a round.
  const auto before = static_cast<double>(script.window());
  script.round(4);
  EXPECT_NEAR(static_cast<double>(script.window()), before + 400, 60);
}

TEST(Ledbat, SlowsDownTwoRoundTripsAfterTheFirstSlowStart) {
  LedbatController controller(ControllerConfig{});
  ControllerScript script(controller, 50ms);
  reach_avoidance(script, controller, 100);
  const std::uint64_t before = script.window();
  script.rounds(5, 2);
  EXPECT_EQ(controller.snapshot().state, "slowdown");
  EXPECT_EQ(script.datagrams(), 2u);
  EXPECT_NEAR(static_cast<double>(*controller.snapshot().slow_start_threshold), static_cast<double>(before), 2400);
}

TEST(Ledbat, HoldsTheWindowForTwoRoundTripsAndRampsBackToWhereItWas) {
  LedbatController controller(ControllerConfig{});
  ControllerScript script(controller, 50ms);
  reach_avoidance(script, controller, 100);
  while (controller.snapshot().state != "slowdown") script.round(2);
  const Instant began = script.now;
  const std::uint64_t threshold = *controller.snapshot().slow_start_threshold;
  while (controller.snapshot().state == "slowdown") script.round();
  EXPECT_GE(script.now - began, 2 * 50ms);
  EXPECT_LE(script.now - began, 4 * 50ms);
  EXPECT_EQ(controller.snapshot().state, "slowdown_ramp");
  while (controller.snapshot().state == "slowdown_ramp") script.round();
  EXPECT_EQ(controller.snapshot().state, "congestion_avoidance");
  EXPECT_NEAR(static_cast<double>(script.window()), static_cast<double>(threshold), 1200);
}

TEST(Ledbat, SpendsATenthOfTheTimeOnSlowdowns) {
  LedbatController controller(ControllerConfig{});
  ControllerScript script(controller, 50ms);
  reach_avoidance(script, controller, 100);
  while (controller.snapshot().state != "slowdown") script.round(2);
  const Instant first = script.now;
  while (controller.snapshot().state != "congestion_avoidance") script.round();
  const Duration duration = script.now - first;
  const Instant end = script.now;
  while (controller.snapshot().state == "congestion_avoidance") script.round();
  EXPECT_NEAR(to_seconds(script.now - end), 9 * to_seconds(duration), 0.1);
}

// In congestion avoidance with the first slowdown behind it, so that nothing else moves the window for seconds.
void settle(ControllerScript& script, LedbatController& controller, std::uint64_t datagrams) {
  reach_avoidance(script, controller, datagrams);
  while (controller.snapshot().state != "slowdown") script.round(2);
  while (controller.snapshot().state != "congestion_avoidance") script.round(2);
}

TEST(Ledbat, GivesWayInProportionToTheExcess) {
  LedbatController controller(ControllerConfig{});
  ControllerScript script(controller, 50ms);
  settle(script, controller, 200);
  const auto before = static_cast<double>(script.window());
  script.set_round_trip(50ms + 66ms);  // a tenth beyond the target
  script.rounds(2, 8);
  EXPECT_NEAR(static_cast<double>(script.window()), before * 0.9, before * 0.02);
}

TEST(Ledbat, GivesUpHalfAWindowAtMostAtOnce) {
  LedbatController controller(ControllerConfig{});
  ControllerScript script(controller, 50ms);
  settle(script, controller, 200);
  const auto before = static_cast<double>(script.window());
  script.set_round_trip(500ms);
  script.rounds(2, 8);
  EXPECT_NEAR(static_cast<double>(script.window()), before / 2, before * 0.01);
}

TEST(Ledbat, IsNotMisledByASingleLongRoundTrip) {
  LedbatController controller(ControllerConfig{});
  ControllerScript script(controller, 50ms);
  settle(script, controller, 200);
  const std::uint64_t before = script.window();
  script.fill_window();
  const Instant sent_at = script.now;
  const std::uint64_t part = script.in_flight / 4;
  script.wait(50ms);
  script.acknowledge(part, sent_at);
  script.wait(450ms);
  script.acknowledge(script.in_flight, sent_at);
  script.rounds(2, 8);
  EXPECT_GE(script.window(), before);
}

TEST(Ledbat, HalvesAtALossOncePerRoundTrip) {
  LedbatController controller(ControllerConfig{});
  ControllerScript script(controller, 50ms);
  settle(script, controller, 200);
  const std::uint64_t before = script.window();
  script.fill_window();
  const Instant sent_at = script.now;
  script.wait(50ms);
  script.lose(1200, sent_at);
  script.lose(2400, sent_at);
  EXPECT_NEAR(static_cast<double>(script.window()), static_cast<double>(before) / 2, 1200);
}

TEST(Ledbat, RestoresTheWindowWhenALossProvesSpurious) {
  LedbatController controller(ControllerConfig{});
  ControllerScript script(controller, 50ms);
  settle(script, controller, 200);
  const std::uint64_t before = script.window();
  script.fill_window();
  const Instant sent_at = script.now;
  script.wait(50ms);
  script.lose(1200, sent_at);
  script.prove_spurious(sent_at);
  EXPECT_GE(script.window(), before);
  EXPECT_LE(script.window(), before + 1200);
}

TEST(Ledbat, SlowStartsFromTheLeastWindowAfterPersistentCongestion) {
  LedbatController controller(ControllerConfig{});
  ControllerScript script(controller, 50ms);
  settle(script, controller, 200);
  const std::uint64_t before = script.window();
  script.in_flight = 0;
  controller.on_persistent_timeout(script.now);
  EXPECT_EQ(script.datagrams(), 2u);
  EXPECT_EQ(controller.snapshot().state, "slow_start");
  script.wait(1s);
  while (controller.snapshot().state == "slow_start") script.round(4);
  EXPECT_NEAR(static_cast<double>(script.window()), static_cast<double>(before) / 2, 2400);
  // Slowdowns go on.
  for (int i = 0; i < 200 && controller.snapshot().state != "slowdown"; ++i) script.round(2);
  EXPECT_EQ(controller.snapshot().state, "slowdown");
}

TEST(Ledbat, KeepsItsPlaceWhenOthersFillTheQueueDuringItsSlowdown) {
  LedbatController controller(ControllerConfig{});
  ControllerScript script(controller, 50ms);
  settle(script, controller, 200);
  const auto before = static_cast<double>(script.window());
  while (controller.snapshot().state != "slowdown") script.round(2);
  script.set_round_trip(50ms + 63ms);  // a twentieth beyond the target
  while (controller.snapshot().state != "congestion_avoidance") script.round(2);
  EXPECT_GT(static_cast<double>(script.window()), 0.3 * before);
}

// Else each measures the queue of the others as part of the path (draft section 4.4 has two flows in mind).
TEST(Ledbat, SlowsDownWithTheOthersWhenAFullQueueFalls) {
  for (const bool full : {true, false}) {
    LedbatController controller(ControllerConfig{});
    ControllerScript script(controller, 50ms);
    settle(script, controller, 200);
    const Instant settled = script.now;
    while (controller.snapshot().state != "slowdown") script.round(2);
    const Duration interval = script.now - settled;
    while (controller.snapshot().state != "congestion_avoidance") script.round(2);
    const Instant again = script.now;
    script.set_round_trip(full ? 50ms + 56ms : 50ms + 40ms);
    while (script.now < again + interval * 3 / 4) script.round(2);
    EXPECT_EQ(controller.snapshot().state, "congestion_avoidance");
    script.set_round_trip(50ms + 30ms);
    script.rounds(2, 8);
    EXPECT_EQ(controller.snapshot().state == "slowdown", full);
  }
}

TEST(Ledbat, KeepsAStandingQueueNearButBelowItsTarget) {
  for (const Duration round_trip : {Duration{10ms}, Duration{50ms}, Duration{150ms}}) {
    const ModelResult result = run_alone({.rate = 10_mbps, .round_trip = round_trip, .queue_time = 200ms},
                                         {.kind = CongestionKind::kLedbat}, 20s, 40s);
    EXPECT_GT(result.queue_mean, 35ms) << to_seconds(round_trip);
    EXPECT_LT(result.queue_95th, 75ms) << to_seconds(round_trip);
    EXPECT_GT(result.share, 0.9) << to_seconds(round_trip);
    EXPECT_LT(result.loss_share, 0.001);
  }
}

TEST(Ledbat, LeavesThePathToCubic) {
  for (const Duration round_trip : {Duration{20ms}, Duration{50ms}, Duration{100ms}}) {
    ModelNetwork network({.rate = 50_mbps, .round_trip = round_trip, .queue_time = 120ms});
    ModelFlow& background = network.add({.kind = CongestionKind::kLedbat});
    ModelFlow& foreground = network.add({.kind = CongestionKind::kCubic, .start = Instant{5s}});
    network.run_until(Instant{10s});
    const std::uint64_t background_before = background.statistics().delivered_bytes;
    const std::uint64_t foreground_before = foreground.statistics().delivered_bytes;
    network.run_until(Instant{40s});
    const auto yielded = static_cast<double>(background.statistics().delivered_bytes - background_before);
    const auto taken = static_cast<double>(foreground.statistics().delivered_bytes - foreground_before);
    EXPECT_LT(yielded / (yielded + taken), 0.1) << to_seconds(round_trip);
    EXPECT_GT(taken, 0.85 * static_cast<double>((50_mbps).bytes_in(30s))) << to_seconds(round_trip);
  }
}

TEST(Ledbat, TakesThePathBackWhenCubicHasLeft) {
  ModelNetwork network({.rate = 20_mbps, .round_trip = 50ms, .queue_time = 120ms});
  ModelFlow& background = network.add({.kind = CongestionKind::kLedbat});
  // Sends for twenty seconds, then is silent.
  network.add({.kind = CongestionKind::kCubic, .start = Instant{5s}, .burst_on = 20s, .burst_off = 1h});
  network.run_until(Instant{60s});
  const std::uint64_t before = background.statistics().delivered_bytes;
  network.run_until(Instant{90s});
  const auto delivered = static_cast<double>(background.statistics().delivered_bytes - before);
  EXPECT_GT(delivered, 0.8 * static_cast<double>((20_mbps).bytes_in(30s)));
}

}  // namespace
}  // namespace godwit
