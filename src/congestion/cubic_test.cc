#include "congestion/cubic.h"

#include <gtest/gtest.h>

#include <cmath>

#include "congestion/test_script.h"

namespace godwit {
namespace {

// A window of `datagrams` at the end of slow start, then one loss. Rounds end at the same time as they begin; the pause
// makes what is sent next belong to the time after recovery.
void reach_and_lose(ControllerScript& script, std::uint64_t datagrams) {
  while (script.datagrams() < datagrams) script.round();
  script.lossy_round();
  script.wait(1us);
}

TEST(Cubic, DoublesEveryRoundTripInSlowStart) {
  CubicController controller(ControllerConfig{});
  ControllerScript script(controller);
  script.rounds(3);
  EXPECT_EQ(script.datagrams(), 80u);
}

TEST(Cubic, KeepsSeventyPercentAtALoss) {
  CubicController controller(ControllerConfig{});
  ControllerScript script(controller);
  reach_and_lose(script, 160);
  EXPECT_EQ(script.datagrams(), 112u);
  EXPECT_EQ(controller.snapshot().slow_start_threshold, 112u * 1200);
}

TEST(Cubic, ReducesOnceForAllLossesOfAFlight) {
  CubicController controller(ControllerConfig{});
  ControllerScript script(controller);
  script.rounds(4);
  script.fill_window();
  const Instant sent_at = script.now;
  script.wait(script.round_trip());
  for (int i = 0; i < 5; ++i) script.lose(1200, sent_at);
  EXPECT_EQ(script.datagrams(), 112u);
}

TEST(Cubic, ReturnsToTheOldWindowAfterTheTimeK) {
  CubicController controller(ControllerConfig{});
  ControllerScript script(controller, 50ms);
  while (script.datagrams() < 2560) script.round();
  script.lossy_round();
  script.wait(1us);
  const double segments = 2560 * 0.3;
  const Duration k = from_seconds(std::cbrt(segments / 0.4));
  const Instant epoch = script.now + script.round_trip();
  while (script.now < epoch + k - 100ms) script.round(4);
  EXPECT_NEAR(static_cast<double>(script.datagrams()), 2560, 10);
  EXPECT_LE(script.datagrams(), 2560u);
  while (script.now < epoch + k + 3s) script.round(4);
  EXPECT_GT(script.datagrams(), 2560u + 5);  // 0.4 * 3^3 = 10.8 segments beyond
}

TEST(Cubic, IsFlatAroundTheWindowOfTheLastLoss) {
  CubicController controller(ControllerConfig{});
  ControllerScript script(controller, 50ms);
  while (script.datagrams() < 2560) script.round();
  script.lossy_round();
  script.wait(1us);
  const std::uint64_t start = script.datagrams();
  for (int i = 0; i < 40; ++i) script.round(4);
  const std::uint64_t after_two_seconds = script.datagrams();
  for (int i = 0; i < 160; ++i) script.round(4);
  const std::uint64_t after_ten_seconds = script.datagrams();
  for (int i = 0; i < 40; ++i) script.round(4);
  EXPECT_GT(after_two_seconds - start, 5 * (script.datagrams() - after_ten_seconds));
}

TEST(Cubic, GrowsAtLeastAsRenoWouldOnShortPaths) {
  CubicController controller(ControllerConfig{});
  ControllerScript script(controller, 10ms);
  reach_and_lose(script, 80);
  ASSERT_EQ(script.datagrams(), 56u);
  // Half a second: the cubic has hardly left its plateau, Reno's estimate adds 0.53 a round.
  script.rounds(45, 2);
  EXPECT_NEAR(static_cast<double>(script.datagrams()), 56 + 0.53 * 45, 3);
  // From the old window on, one a round.
  script.rounds(30, 2);
  const auto before = static_cast<double>(script.datagrams());
  script.rounds(20, 2);
  EXPECT_NEAR(static_cast<double>(script.datagrams()), before + 20, 2);
}

TEST(Cubic, NeverGrowsByMoreThanHalfInARoundTrip) {
  CubicController controller(ControllerConfig{});
  ControllerScript script(controller, 1s);
  reach_and_lose(script, 20);
  for (int i = 0; i < 60; ++i) {
    const auto before = static_cast<double>(script.window());
    script.round();
    EXPECT_LE(static_cast<double>(script.window()), 1.5 * before + 1);
  }
}

TEST(Cubic, GivesUpMoreWhenThePlateauSinks) {
  CubicController controller(ControllerConfig{});
  ControllerScript script(controller);
  reach_and_lose(script, 160);  // W_max 160, window 112
  script.rounds(2);
  const auto second = static_cast<double>(script.window());
  script.lossy_round();
  script.wait(1us);
  // Fast convergence: the plateau is 85 % of the window, so the way back to it takes less than from 100 %.
  const double plateau_segments = second / 1200 * 0.85;
  const double window_segments = second / 1200 * 0.7;
  const Duration k = from_seconds(std::cbrt((plateau_segments - window_segments) / 0.4));
  const Instant epoch = script.now + script.round_trip();
  while (script.now < epoch + k) script.round(4);
  EXPECT_NEAR(static_cast<double>(script.datagrams()), plateau_segments, plateau_segments * 0.06);
}

TEST(Cubic, LeavesSlowStartWithoutALossWhenRoundTripsGrow) {
  CubicController controller(ControllerConfig{});
  ControllerScript script(controller, 50ms);
  script.rounds(4);
  for (int i = 0; i < 12; ++i) {
    script.set_round_trip(70ms);
    script.round(8);
  }
  EXPECT_EQ(controller.snapshot().state, "congestion_avoidance");
  // Much less than the 65536-fold that slow start would have made of twelve rounds.
  EXPECT_LT(script.datagrams(), 160u * 8);
}

TEST(Cubic, BeginsAtItsPlateauAfterALosslessSlowStart) {
  CubicController controller(ControllerConfig{});
  ControllerScript script(controller, 50ms);
  script.rounds(4);
  script.set_round_trip(70ms);
  while (controller.snapshot().state != "congestion_avoidance") script.round(8);
  const std::uint64_t plateau = script.datagrams();
  script.rounds(10, 4);
  EXPECT_LE(script.datagrams(), plateau + 12);  // Reno's slope at most, no jump
}

TEST(Cubic, DoesNotGrowWhileTheApplicationLeavesTheWindowEmpty) {
  CubicController controller(ControllerConfig{});
  ControllerScript script(controller);
  reach_and_lose(script, 160);
  script.rounds(3, 4);
  script.application_limited = true;
  const auto drip = [&](int rounds) {
    for (int i = 0; i < rounds; ++i) {
      const Instant sent_at = script.now;
      script.send(2400);
      script.wait(script.round_trip());
      script.acknowledge(2400, sent_at);
    }
  };
  drip(3);
  const std::uint64_t before = script.window();
  drip(300);
  EXPECT_EQ(script.window(), before);
}

TEST(Cubic, DoesNotCountTimeInWhichTheWindowWasNotUsed) {
  CubicController reference(ControllerConfig{});
  CubicController paused(ControllerConfig{});
  ControllerScript steady(reference);
  ControllerScript interrupted(paused);
  reach_and_lose(steady, 160);
  reach_and_lose(interrupted, 160);
  steady.rounds(20, 4);
  interrupted.rounds(10, 4);
  interrupted.wait(1min);  // W_cubic(60 s) would be tens of thousands of segments
  paused.on_idle_restart(interrupted.now);
  interrupted.rounds(10, 4);
  EXPECT_NEAR(static_cast<double>(interrupted.window()), static_cast<double>(steady.window()), 2400.0);
}

TEST(Cubic, RestoresEverythingWhenALossProvesSpurious) {
  CubicController controller(ControllerConfig{});
  ControllerScript script(controller);
  reach_and_lose(script, 160);
  script.rounds(5, 4);
  script.fill_window();
  const std::uint64_t before = script.window();
  const auto threshold = controller.snapshot().slow_start_threshold;
  const Instant sent_at = script.now;
  script.wait(script.round_trip());
  script.lose(1200, sent_at);
  ASSERT_LT(script.window(), before);
  script.prove_spurious(sent_at);
  EXPECT_GE(script.window(), before);
  EXPECT_LE(script.window(), before + 1200);
  EXPECT_EQ(controller.snapshot().slow_start_threshold, threshold);
}

TEST(Cubic, ResumesTheFirstSlowStartWhenTheLossThatEndedItWasSpurious) {
  CubicController controller(ControllerConfig{});
  ControllerScript script(controller);
  script.rounds(3);
  script.fill_window();
  const Instant sent_at = script.now;
  script.wait(script.round_trip());
  script.lose(1200, sent_at);
  script.prove_spurious(sent_at);
  EXPECT_EQ(controller.snapshot().state, "slow_start");
  script.wait(1us);
  script.in_flight = 0;
  const std::uint64_t before = script.datagrams();
  script.round();
  EXPECT_EQ(script.datagrams(), 2 * before);
}

TEST(Cubic, KeepsAWindowThatHasOutgrownTheSpuriousReduction) {
  CubicController controller(ControllerConfig{});
  ControllerScript script(controller, 10ms);
  reach_and_lose(script, 20);
  for (int i = 0; i < 400; ++i) script.round();
  const std::uint64_t grown = script.window();
  ASSERT_GT(grown, 24'000u);
  script.prove_spurious(script.now - script.round_trip());
  EXPECT_GE(script.window(), grown);
  EXPECT_LE(script.window(), grown + 1200);
}

TEST(Cubic, FallsToTheLeastWindowAtPersistentCongestionAndSlowStartsToSeventyPercent) {
  CubicController controller(ControllerConfig{});
  ControllerScript script(controller);
  script.rounds(4);
  script.in_flight = 0;
  controller.on_persistent_timeout(script.now);
  EXPECT_EQ(script.datagrams(), 2u);
  EXPECT_EQ(controller.snapshot().slow_start_threshold, 112u * 1200);
  script.wait(1s);
  script.rounds(5);
  EXPECT_EQ(script.datagrams(), 64u);
  script.rounds(1);
  EXPECT_GE(script.datagrams(), 112u);
  EXPECT_LE(script.datagrams(), 113u);
  // K = 0 after a time-out: the curve starts at its plateau.
  script.rounds(5, 2);
  EXPECT_LE(script.datagrams(), 120u);
}

TEST(Cubic, KeepsItsWindowOverAShortPauseAndLosesItOverALongOne) {
  CubicController controller(ControllerConfig{});
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
