#include "congestion/controller.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/random.h"
#include "congestion/test_script.h"

namespace godwit {
namespace {

TEST(CongestionKinds, HaveTheValuesThatDeployedProgramsSend) {
  EXPECT_EQ(congestion_kind_of(0), std::nullopt);
  EXPECT_EQ(congestion_kind_of(1), CongestionKind::kCubic);
  EXPECT_EQ(congestion_kind_of(2), CongestionKind::kNewReno);
  EXPECT_EQ(congestion_kind_of(3), CongestionKind::kBbr);
  EXPECT_EQ(congestion_kind_of(4), CongestionKind::kLedbat);
  EXPECT_EQ(congestion_kind_of(5), CongestionKind::kFixedRate);
  EXPECT_EQ(congestion_kind_of(6), std::nullopt);
  EXPECT_EQ(congestion_kind_of(255), std::nullopt);
}

TEST(CongestionKinds, HaveEachAValueAndANameOfTheirOwn) {
  std::set<std::uint8_t> values;
  std::set<std::string_view> names;
  for (const CongestionKind kind : congestion_kinds()) {
    EXPECT_NE(static_cast<std::uint8_t>(kind), 0);
    EXPECT_TRUE(values.insert(static_cast<std::uint8_t>(kind)).second) << to_string(kind);
    EXPECT_TRUE(names.insert(to_string(kind)).second) << to_string(kind);
  }
  EXPECT_TRUE(std::ranges::equal(congestion_names(), congestion_kinds(), {}, {},
                                 [](CongestionKind kind) { return to_string(kind); }));
  EXPECT_EQ(adaptive_congestion_kinds().size(), congestion_kinds().size() - 1);
  EXPECT_EQ(std::ranges::count(adaptive_congestion_kinds(), CongestionKind::kFixedRate), 0);
}

TEST(CongestionKindNames, AreReadBackAsTheyArePrinted) {
  for (const CongestionKind kind : congestion_kinds()) EXPECT_EQ(parse_congestion_kind(to_string(kind)), kind);
  EXPECT_EQ(to_string(CongestionKind::kFixedRate), "fixed");
  EXPECT_FALSE(parse_congestion_kind("Cubic"));
  EXPECT_FALSE(parse_congestion_kind(""));
}

TEST(MakeController, MakesTheKindAskedFor) {
  for (const CongestionKind kind : congestion_kinds()) {
    const auto controller = make_controller(kind, ControllerConfig{});
    EXPECT_EQ(controller->kind(), kind);
    EXPECT_EQ(controller->name(), to_string(kind));
    EXPECT_EQ(controller->snapshot().controller, controller->name());
    EXPECT_FALSE(controller->snapshot().state.empty());
  }
}

TEST(MakeController, StartsEveryWindowControllerWithTheInitialWindow) {
  for (const CongestionKind kind : adaptive_congestion_kinds()) {
    EXPECT_EQ(make_controller(kind, ControllerConfig{})->window_bytes(), 12'000u);
    EXPECT_EQ(make_controller(kind, {.initial_window_datagrams = 32})->window_bytes(), 32u * 1200);
  }
}

void expect_invariants(const CongestionController& controller, const ControllerConfig& config) {
  ASSERT_GE(controller.window_bytes(), config.minimum_window()) << controller.name();
  ASSERT_LE(controller.window_bytes(), config.maximum_window_bytes) << controller.name();
  ASSERT_GT(controller.pacing_rate(), Bandwidth{}) << controller.name();
  ASSERT_EQ(controller.snapshot().window_bytes, controller.window_bytes());
}

// Any order of sends, acknowledgements, losses, time-outs, pauses and proofs, with plausible and implausible numbers.
void fuzz(CongestionKind kind, std::uint64_t seed) {
  DeterministicRandom random(seed);
  const ControllerConfig config{
      .initial_window_datagrams = static_cast<std::uint32_t>(2 + random.below(40)),
      .maximum_window_bytes = 12'000 + random.below(std::uint64_t{1} << (14 + random.below(14))),
      .fixed_rate = Bandwidth::from_bits_per_second(random.below(10'000'000'000)),
      .seed = seed};
  const auto controller = make_controller(kind, config);
  ControllerScript script(*controller, Duration{static_cast<Duration::rep>(1 + random.below(500'000'000))});
  Instant sent_at = script.now;
  for (int step = 0; step < 400; ++step) {
    switch (random.below(10)) {
      case 0:
        script.in_flight = 0;
        controller->on_persistent_timeout(script.now);
        break;
      case 1:
        script.wait(Duration{static_cast<Duration::rep>(random.below(20'000'000'000))});
        controller->on_idle_restart(script.now);
        break;
      case 2: script.set_round_trip(Duration{static_cast<Duration::rep>(random.below(2'000'000'000))}); break;
      case 3: script.application_limited = !script.application_limited; break;
      case 4:
        script.fill_window();
        sent_at = script.now;
        break;
      default: {
        script.fill_window();
        if (random.below(2) == 0) script.wait(Duration{static_cast<Duration::rep>(random.below(300'000'000))});
        const std::uint64_t acked = random.below(3) == 0 ? 0 : random.below(script.in_flight + 2400);
        const std::uint64_t lost = random.below(3) == 0 ? random.below(script.in_flight + 1) : 0;
        CongestionEvent event = script.event(acked, lost, sent_at);
        event.spurious_loss = random.below(16) == 0;
        event.application_limited = random.below(4) == 0;
        event.lost.ranges = static_cast<std::uint32_t>(random.below(20));
        event.lost.tx_in_flight = random.below(config.maximum_window_bytes);
        event.lost.lost_since_sent = random.below(config.maximum_window_bytes);
        event.rate.tx_in_flight = random.below(config.maximum_window_bytes);
        event.rate.lost = random.below(1 + event.rate.tx_in_flight);
        if (random.below(4) == 0) event.rtt_sample.reset();
        if (random.below(4) == 0) event.rate.has_rate = false;
        if (random.below(16) == 0) event.rate.delivery_rate = Bandwidth::unlimited();
        if (random.below(16) == 0) event.rate.delivery_rate = Bandwidth::from_bytes_per_second(random.next_u64() >> 4);
        if (random.below(8) == 0) event.smoothed_rtt = Duration::zero();
        if (acked > 0 || lost > 0) controller->on_congestion_event(event);
        sent_at = script.now;
      }
    }
    expect_invariants(*controller, config);
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(EveryController, KeepsItsWindowWithinItsBoundsUnderAnySequenceOfEvents) {
  for (const CongestionKind kind : congestion_kinds()) {
    for (std::uint64_t seed = 1; seed <= 150; ++seed) {
      fuzz(kind, seed);
      ASSERT_FALSE(HasFatalFailure()) << to_string(kind) << " seed " << seed;
    }
  }
}

TEST(EveryController, SurvivesRoundTripsWithoutSamples) {
  for (const CongestionKind kind : congestion_kinds()) {
    const ControllerConfig config;
    const auto controller = make_controller(kind, config);
    ControllerScript script(*controller);
    for (int round = 0; round < 100; ++round) {
      script.fill_window();
      const Instant sent_at = script.now;
      script.wait(100ms);
      CongestionEvent event = script.event(script.in_flight, 0, sent_at);
      event.rtt_sample.reset();
      event.smoothed_rtt = Duration::zero();
      event.rate.has_rate = false;
      event.rate.delivery_rate = Bandwidth{};
      controller->on_congestion_event(event);
      expect_invariants(*controller, config);
    }
  }
}

// RFC 9002 section 7.1: a mark is answered like a loss, once for a flight, and no late arrival takes it back.
TEST(EveryController, AnswersMarksOfOneFlightOnceAndForGood) {
  for (const CongestionKind kind : {CongestionKind::kCubic, CongestionKind::kNewReno, CongestionKind::kLedbat}) {
    const auto controller = make_controller(kind, {});
    ControllerScript script(*controller);
    script.rounds(3);
    script.fill_window();
    const std::uint64_t before = script.window();
    const Instant sent_at = script.now;
    script.wait(script.round_trip());
    script.mark(12'000, sent_at);
    const std::uint64_t reduced = script.window();
    EXPECT_LT(reduced, before * 3 / 4) << to_string(kind);
    script.mark(12'000, sent_at);
    EXPECT_EQ(script.window(), reduced) << to_string(kind) << ": the same flight";
    script.prove_spurious(sent_at);
    EXPECT_EQ(script.window(), reduced) << to_string(kind) << ": a mark is never spurious";
    script.rounds(1);
    script.fill_window();
    const Instant later = script.now;
    script.wait(script.round_trip());
    script.mark(12'000, later);
    EXPECT_LT(script.window(), reduced) << to_string(kind) << ": the next flight";
  }
}

TEST(EveryController, BehavesTheSameForTheSameEvents) {
  for (const CongestionKind kind : congestion_kinds()) {
    const auto first = make_controller(kind, {.seed = 5});
    const auto second = make_controller(kind, {.seed = 5});
    ControllerScript a(*first);
    ControllerScript b(*second);
    for (int i = 0; i < 200; ++i) {
      if (i % 7 == 6) {
        a.lossy_round();
        b.lossy_round();
      } else {
        a.round(3);
        b.round(3);
      }
      ASSERT_EQ(first->window_bytes(), second->window_bytes());
      ASSERT_EQ(first->pacing_rate(), second->pacing_rate());
    }
  }
}

}  // namespace
}  // namespace godwit
