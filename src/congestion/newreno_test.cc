#include "congestion/newreno.h"

#include <gtest/gtest.h>

#include "congestion/test_script.h"

namespace godwit {
namespace {

TEST(NewReno, StartsWithTenDatagramsUnpaced) {
  NewRenoController controller(ControllerConfig{});
  EXPECT_EQ(controller.window_bytes(), 12'000u);
  EXPECT_TRUE(controller.pacing_rate().is_unlimited());
  EXPECT_EQ(controller.snapshot().state, "slow_start");
}

TEST(NewReno, DoublesEveryRoundTripInSlowStart) {
  NewRenoController controller(ControllerConfig{});
  ControllerScript script(controller);
  script.round();
  EXPECT_EQ(script.datagrams(), 20u);
  script.round(4);
  EXPECT_EQ(script.datagrams(), 40u);
}

TEST(NewReno, HalvesOnceForAllLossesOfAFlight) {
  NewRenoController controller(ControllerConfig{});
  ControllerScript script(controller);
  script.rounds(3);
  ASSERT_EQ(script.datagrams(), 80u);
  script.fill_window();
  const Instant sent_at = script.now;
  script.wait(script.round_trip());
  script.lose(1200, sent_at);
  EXPECT_EQ(script.datagrams(), 40u);
  EXPECT_EQ(controller.snapshot().state, "recovery");
  script.lose(12'000, sent_at);
  script.lose(1200, script.now);  // sent as recovery began: still the same flight
  EXPECT_EQ(script.datagrams(), 40u);
}

TEST(NewReno, DoesNotGrowOnAcknowledgementsOfTheLostFlight) {
  NewRenoController controller(ControllerConfig{});
  ControllerScript script(controller);
  script.rounds(3);
  script.lossy_round();
  const std::uint64_t reduced = script.window();
  script.acknowledge(12'000, script.now - script.round_trip());
  EXPECT_EQ(script.window(), reduced);
}

TEST(NewReno, AddsOneDatagramARoundTripInCongestionAvoidance) {
  NewRenoController controller(ControllerConfig{});
  ControllerScript script(controller);
  script.rounds(3);
  script.lossy_round();
  script.wait(1ms);
  const std::uint64_t start = script.datagrams();
  script.rounds(1);
  EXPECT_EQ(controller.snapshot().state, "congestion_avoidance");
  script.rounds(9, 5);
  EXPECT_EQ(script.datagrams(), start + 10);
}

TEST(NewReno, DoesNotGrowAWindowThatTheApplicationDoesNotFill) {
  NewRenoController controller(ControllerConfig{});
  ControllerScript script(controller);
  script.rounds(2);
  script.application_limited = true;
  const std::uint64_t before = script.window();
  for (int i = 0; i < 20; ++i) {
    const Instant sent_at = script.now;
    script.send(2400);
    script.wait(script.round_trip());
    script.acknowledge(2400, sent_at);
  }
  // The round in which the window was last full still counts.
  EXPECT_LE(script.window(), before + 2 * 2400);
}

TEST(NewReno, FallsToTheLeastWindowAtPersistentCongestionAndSlowStartsToHalf) {
  NewRenoController controller(ControllerConfig{});
  ControllerScript script(controller);
  script.rounds(4);
  ASSERT_EQ(script.datagrams(), 160u);
  script.in_flight = 0;
  controller.on_persistent_timeout(script.now);
  EXPECT_EQ(script.datagrams(), 2u);
  EXPECT_EQ(controller.snapshot().slow_start_threshold, 80u * 1200);
  script.wait(1s);
  script.rounds(5);
  EXPECT_EQ(script.datagrams(), 64u);
  script.rounds(1);
  EXPECT_EQ(script.datagrams(), 80u);
}

TEST(NewReno, ReducesTheThresholdOnceForALossAndTheTimeoutThatFollows) {
  NewRenoController controller(ControllerConfig{});
  ControllerScript script(controller);
  script.rounds(4);
  script.fill_window();
  const Instant sent_at = script.now;
  script.wait(1s);
  script.lose(script.in_flight, sent_at);
  controller.on_persistent_timeout(script.now);
  EXPECT_EQ(controller.snapshot().slow_start_threshold, 80u * 1200);
}

TEST(NewReno, RestoresWindowAndThresholdWhenALossProvesSpurious) {
  NewRenoController controller(ControllerConfig{});
  ControllerScript script(controller);
  script.rounds(3);
  script.fill_window();
  const Instant sent_at = script.now;
  script.wait(script.round_trip());
  script.lose(1200, sent_at);
  ASSERT_EQ(script.datagrams(), 40u);
  script.prove_spurious(sent_at);
  EXPECT_GE(script.datagrams(), 80u);
  EXPECT_EQ(controller.snapshot().state, "slow_start");
}

TEST(NewReno, UndoesAnEpisodeOnlyOnce) {
  NewRenoController controller(ControllerConfig{});
  ControllerScript script(controller);
  script.rounds(3);
  script.lossy_round();
  script.prove_spurious(script.now - script.round_trip());
  const std::uint64_t restored = script.window();
  script.wait(1ms);
  script.lossy_round();
  const std::uint64_t reduced = script.window();
  EXPECT_LT(reduced, restored + restored / 2);
  script.prove_spurious(script.now - script.round_trip());
  script.prove_spurious(script.now - script.round_trip());
  EXPECT_LE(script.window(), 2 * reduced + 3 * 1200);
}

TEST(NewReno, KeepsItsWindowOverAShortPauseAndLosesItOverALongOne) {
  NewRenoController controller(ControllerConfig{});
  ControllerScript script(controller);
  script.rounds(4);
  script.wait(1min);
  controller.on_idle_restart(script.now);
  EXPECT_EQ(script.datagrams(), 160u);
  script.wait(1h);
  controller.on_idle_restart(script.now);
  EXPECT_EQ(script.datagrams(), 10u);
  EXPECT_EQ(controller.snapshot().slow_start_threshold, 160u * 1200);
}

}  // namespace
}  // namespace godwit
