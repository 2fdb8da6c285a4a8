// The example test cases of draft-ietf-ccwg-bbr-06 (section "BBR Example Test Cases"), on the path model.
#include "congestion/bbr.h"

#include <gtest/gtest.h>

#include <vector>

#include "congestion/test_path.h"
#include "congestion/test_script.h"

namespace godwit {
namespace {

using State = BbrController::State;

// One BBR flow on a path, with a record of its states.
class BbrOnPath {
 public:
  explicit BbrOnPath(const ModelPath& path, ModelFlowConfig config = {}) : network_(path) {
    config.kind = CongestionKind::kBbr;
    flow_ = &network_.add(config);
    bbr_ = dynamic_cast<BbrController*>(&flow_->controller());
  }

  struct Visit {
    State state;
    Instant entered;
  };

  void run_until(Instant end) {
    network_.run_until(end, [&](Instant now) { observe(now); });
  }
  // False if the state is not reached within the time.
  bool run_to(State state, Duration limit = 60s) {
    const Instant end = network_.now() + limit;
    while (bbr_->state() != state && network_.now() < end) run_until(network_.now() + 1ms);
    return bbr_->state() == state;
  }
  [[nodiscard]] BbrController& bbr() { return *bbr_; }
  [[nodiscard]] ModelFlow& flow() { return *flow_; }
  [[nodiscard]] ModelNetwork& network() { return network_; }
  [[nodiscard]] const std::vector<Visit>& visits() const { return visits_; }
  [[nodiscard]] bool visited(State state) const {
    return std::any_of(visits_.begin(), visits_.end(), [&](const Visit& visit) { return visit.state == state; });
  }
  [[nodiscard]] double share(Duration measured) {
    const std::uint64_t before = flow_->statistics().delivered_bytes;
    const Instant start = network_.now();
    run_until(start + measured);
    return static_cast<double>(flow_->statistics().delivered_bytes - before) /
           static_cast<double>(network_.link().rate_at(start).bytes_in(measured));
  }

 private:
  void observe(Instant now) {
    if (visits_.empty() || visits_.back().state != bbr_->state()) visits_.push_back({bbr_->state(), now});
  }

  ModelNetwork network_;
  ModelFlow* flow_ = nullptr;
  BbrController* bbr_ = nullptr;
  std::vector<Visit> visits_;
};

double ratio(Bandwidth rate, Bandwidth to) {
  return static_cast<double>(rate.bytes_per_second()) / static_cast<double>(to.bytes_per_second());
}

TEST(Bbr, LeavesStartupOnABandwidthPlateau) {
  BbrOnPath path({.rate = 100_mbps, .round_trip = 50ms, .queue_bdp = 4});
  ASSERT_TRUE(path.run_to(State::kDrain, 3s));
  EXPECT_TRUE(path.bbr().full_bandwidth_reached());
  EXPECT_NEAR(ratio(path.bbr().model().max_bandwidth, 100_mbps), 1.0, 0.02);
  EXPECT_EQ(path.bbr().model().inflight_longterm, BbrModel::kUnbounded);  // no loss had a part in it
}

TEST(Bbr, LeavesStartupOnLossEvenWhenApplicationLimited) {
  BbrOnPath path({.rate = 100_mbps, .round_trip = 50ms, .loss = 0.2}, {.application_rate = 30_mbps});
  EXPECT_TRUE(path.run_to(State::kDrain, 10s));
  EXPECT_NE(path.bbr().model().inflight_longterm, BbrModel::kUnbounded);
}

TEST(Bbr, StaysInStartupWhileApplicationLimitedWithoutLoss) {
  BbrOnPath path({.rate = 100_mbps, .round_trip = 50ms}, {.application_rate = 2_mbps});
  path.run_until(Instant{20s});
  EXPECT_FALSE(path.bbr().full_bandwidth_reached());
  for (const BbrOnPath::Visit& visit : path.visits()) {
    EXPECT_TRUE(visit.state == State::kStartup || visit.state == State::kProbeRtt);
  }
}

TEST(Bbr, DrainsToTheBandwidthDelayProduct) {
  BbrOnPath path({.rate = 100_mbps, .round_trip = 50ms, .queue_bdp = 4});
  ASSERT_TRUE(path.run_to(State::kDrain, 3s));
  EXPECT_NEAR(ratio(path.bbr().pacing_rate(), path.bbr().model().bandwidth), 0.495, 0.001);
  ASSERT_TRUE(path.run_to(State::kProbeBwCruise, 1s));
  EXPECT_LE(path.flow().in_flight(), (100_mbps).bytes_in(50ms) * 103 / 100);
}

TEST(Bbr, LeavesDrainAfterThreeRoundsWhenThePathHasSlowedDown) {
  ModelPath model{.rate = 100_mbps, .round_trip = 50ms, .queue_bdp = 4};
  BbrOnPath first(model);
  ASSERT_TRUE(first.run_to(State::kDrain, 3s));
  model.rate_changes_at = first.network().now();
  model.rate_afterwards = 40_mbps;
  BbrOnPath path(model);
  ASSERT_TRUE(path.run_to(State::kDrain, 3s));
  ASSERT_TRUE(path.run_to(State::kProbeBwDown, 2s));
  EXPECT_GT(path.flow().in_flight(), (100_mbps).bytes_in(50ms));
}

TEST(Bbr, CyclesThroughDownCruiseRefillUp) {
  BbrOnPath path({.rate = 50_mbps, .round_trip = 40ms, .queue_bdp = 4});
  path.run_until(Instant{4500ms});
  std::vector<State> states;
  for (const BbrOnPath::Visit& visit : path.visits()) states.push_back(visit.state);
  ASSERT_GE(states.size(), 7u);
  EXPECT_EQ((std::vector<State>{states.begin(), states.begin() + 7}),
            (std::vector<State>{State::kStartup, State::kDrain, State::kProbeBwCruise, State::kProbeBwRefill,
                                State::kProbeBwUp, State::kProbeBwDown, State::kProbeBwCruise}));
}

TEST(Bbr, PacesByTheGainOfEachState) {
  BbrOnPath path({.rate = 50_mbps, .round_trip = 40ms, .queue_bdp = 4});
  const auto gain = [&] { return ratio(path.bbr().pacing_rate(), path.bbr().model().bandwidth) / 0.99; };
  ASSERT_TRUE(path.run_to(State::kProbeBwCruise));
  EXPECT_NEAR(gain(), 1.0, 0.001);
  ASSERT_TRUE(path.run_to(State::kProbeBwRefill));
  EXPECT_NEAR(gain(), 1.0, 0.001);
  ASSERT_TRUE(path.run_to(State::kProbeBwUp));
  EXPECT_NEAR(gain(), 1.25, 0.001);
  ASSERT_TRUE(path.run_to(State::kProbeBwDown));
  EXPECT_NEAR(gain(), 0.9, 0.001);
}

TEST(Bbr, ProbesForBandwidthEveryTwoToThreeSecondsOrSixtyThreeRounds) {
  BbrOnPath path({.rate = 50_mbps, .round_trip = 40ms, .queue_bdp = 4});
  path.run_until(Instant{30s});
  Instant cycle_start{};
  int probes = 0;
  for (std::size_t i = 1; i < path.visits().size(); ++i) {
    const BbrOnPath::Visit& visit = path.visits()[i];
    const State before = path.visits()[i - 1].state;
    if (before == State::kProbeBwUp || before == State::kProbeRtt || before == State::kDrain)
      cycle_start = visit.entered;
    if (visit.state != State::kProbeBwRefill) continue;
    ++probes;
    EXPECT_LE(visit.entered - cycle_start, 3s + 50ms);
    EXPECT_GE(visit.entered - cycle_start, 2s);
  }
  EXPECT_GE(probes, 4);
}

TEST(Bbr, ProbesTheRoundTripEveryFiveSecondsForTwoHundredMilliseconds) {
  BbrOnPath path({.rate = 50_mbps, .round_trip = 40ms, .queue_bdp = 4});
  ASSERT_TRUE(path.run_to(State::kProbeRtt, 10s));
  const Instant entered = path.network().now();
  path.run_until(entered + 100ms);
  EXPECT_EQ(path.bbr().state(), State::kProbeRtt);
  EXPECT_LE(path.flow().in_flight(), (50_mbps).bytes_in(40ms) * 55 / 100);
  ASSERT_TRUE(path.run_to(State::kProbeBwCruise, 400ms));
  const Instant left = path.network().now();
  EXPECT_GE(left - entered, 200ms);
  ASSERT_TRUE(path.run_to(State::kProbeRtt, 8s));
  EXPECT_GE(path.network().now() - left, 4500ms);
}

TEST(Bbr, KeepsItsBandwidthOverTheSlowSamplesOfARoundTripProbe) {
  BbrOnPath path({.rate = 50_mbps, .round_trip = 40ms, .queue_bdp = 4});
  path.run_until(Instant{40s});
  EXPECT_NEAR(ratio(path.bbr().model().max_bandwidth, 50_mbps), 1.0, 0.02);
}

TEST(Bbr, SkipsTheRoundTripProbeAfterAPause) {
  BbrOnPath path({.rate = 50_mbps, .round_trip = 40ms, .queue_bdp = 4}, {.burst_on = 3s, .burst_off = 6s});
  path.run_until(Instant{60s});
  EXPECT_FALSE(path.visited(State::kProbeRtt));
}

TEST(Bbr, ReturnsToStartupFromARoundTripProbeDuringStartup) {
  BbrOnPath path({.rate = 100_mbps, .round_trip = 50ms}, {.application_rate = 2_mbps});
  ASSERT_TRUE(path.run_to(State::kProbeRtt, 10s));
  EXPECT_TRUE(path.run_to(State::kStartup, 2s));
}

TEST(Bbr, PacesAtTheBandwidthAndKeepsTheWindowAfterAPause) {
  BbrOnPath path({.rate = 50_mbps, .round_trip = 40ms, .queue_bdp = 4}, {.burst_on = 3s, .burst_off = 2s});
  path.run_until(Instant{4s});
  ASSERT_EQ(path.flow().in_flight(), 0u);
  const std::uint64_t window = path.bbr().window_bytes();
  path.bbr().on_idle_restart(Instant{4s});
  EXPECT_EQ(path.bbr().window_bytes(), window);
  EXPECT_NEAR(ratio(path.bbr().pacing_rate(), path.bbr().model().bandwidth), 0.99, 0.001);
}

TEST(Bbr, IsBackAtFullRateAFewRoundTripsAfterAPause) {
  BbrOnPath path({.rate = 50_mbps, .round_trip = 40ms, .queue_bdp = 4}, {.burst_on = 2s, .burst_off = 1s});
  path.run_until(Instant{30s});
  // Two of three seconds carry data.
  const std::uint64_t before = path.flow().statistics().delivered_bytes;
  path.run_until(Instant{60s});
  const double share = static_cast<double>(path.flow().statistics().delivered_bytes - before) /
                       static_cast<double>((50_mbps).bytes_in(20s));
  EXPECT_GT(share, 0.93);
}

TEST(Bbr, FillsThePathThoughAcknowledgementsComeInClumps) {
  BbrOnPath path({.rate = 100_mbps, .round_trip = 50ms, .queue_bdp = 2, .acknowledgement_delay = 6ms, .jitter = 15ms});
  path.run_until(Instant{5s});
  EXPECT_GT(path.bbr().model().extra_acked, 0u);
  EXPECT_GT(path.share(20s), 0.9);
}

TEST(Bbr, KeepsFourDatagramsInFlightOnThinPaths) {
  BbrOnPath path({.rate = 100_kbps, .round_trip = 10ms});
  path.run_until(Instant{20s});
  EXPECT_GE(path.bbr().window_bytes(), 4u * 1200);
  EXPECT_GT(path.share(60s), 0.9);
}

TEST(Bbr, FindsATenfoldBandwidth) {
  BbrOnPath path({.rate = 10_mbps,
                  .round_trip = 50ms,
                  .queue_bdp = 4,
                  .rate_changes_at = Instant{10s},
                  .rate_afterwards = 100_mbps});
  path.run_until(Instant{10s});
  ASSERT_NEAR(ratio(path.bbr().model().max_bandwidth, 10_mbps), 1.0, 0.05);
  path.run_until(Instant{25s});
  EXPECT_GT(path.share(10s), 0.9);
}

TEST(Bbr, AdaptsToATenthOfTheBandwidth) {
  BbrOnPath path({.rate = 100_mbps,
                  .round_trip = 50ms,
                  .queue_bdp = 0.2,
                  .rate_changes_at = Instant{10s},
                  .rate_afterwards = 10_mbps});
  path.run_until(Instant{10s});
  ASSERT_NEAR(ratio(path.bbr().model().max_bandwidth, 100_mbps), 1.0, 0.05);
  path.run_until(Instant{25s});
  EXPECT_NEAR(ratio(path.bbr().model().max_bandwidth, 10_mbps), 1.0, 0.1);
  EXPECT_GT(path.share(10s), 0.9);
}

TEST(Bbr, LowersTheLongTermBoundAndStopsProbingWhenAProbeLosesMuch) {
  BbrOnPath path({.rate = 100_mbps, .round_trip = 50ms, .queue_bdp = 0.5});
  path.run_until(Instant{3s});
  ASSERT_TRUE(path.run_to(State::kProbeBwUp));
  ASSERT_TRUE(path.run_to(State::kProbeBwDown));
  const std::uint64_t capacity = (100_mbps).bytes_in(75ms);
  EXPECT_LE(path.bbr().model().inflight_longterm, capacity * 11 / 10);
  EXPECT_GE(path.bbr().model().inflight_longterm, (100_mbps).bytes_in(50ms) * 7 / 10);
}

TEST(Bbr, RestoresItsBoundsAndGoesBackToProbingWhenTheLossesWereSpurious) {
  BbrOnPath path({.rate = 100_mbps, .round_trip = 50ms, .queue_bdp = 4});
  path.run_until(Instant{1s});
  ASSERT_TRUE(path.run_to(State::kProbeBwUp));
  path.run_until(path.network().now() + 60ms);
  ASSERT_EQ(path.bbr().state(), State::kProbeBwUp);
  int step = 0;
  path.flow().set_tamper([&](CongestionEvent& event) {
    if (step == 0) {
      event.lost = {.packets = 100,
                    .ranges = 10,
                    .bytes = 120'000,
                    .newest_sent_at = event.latest_acked_sent_at,
                    .tx_in_flight = event.prior_in_flight,
                    .lost_since_sent = 120'000,
                    .is_app_limited = false};
    }
    if (step == 5) event.spurious_loss = true;
    ++step;
  });
  while (step < 2) path.run_until(path.network().now() + 1ms);
  EXPECT_EQ(path.bbr().state(), State::kProbeBwDown);
  EXPECT_NE(path.bbr().model().inflight_longterm, BbrModel::kUnbounded);
  while (step < 7) path.run_until(path.network().now() + 1ms);
  EXPECT_EQ(path.bbr().state(), State::kProbeBwRefill);
  EXPECT_EQ(path.bbr().model().inflight_longterm, BbrModel::kUnbounded);
  path.flow().set_tamper({});
  EXPECT_TRUE(path.run_to(State::kProbeBwUp, 200ms));
}

// A router that would have dropped: RFC 9002 section 7.1.
TEST(Bbr, MarksOfTwoRoundsEndStartupAndOneEndsAProbe) {
  BbrOnPath path({.rate = 100_mbps, .round_trip = 50ms, .queue_bdp = 4});
  bool marked = true;
  path.flow().set_tamper([&](CongestionEvent& event) {
    if (!marked || event.acked_bytes == 0) return;
    event.marked_packets = 1;
    marked = false;
  });
  path.run_until(Instant{130ms});
  ASSERT_FALSE(marked);
  EXPECT_FALSE(path.bbr().full_bandwidth_reached());
  marked = true;
  path.run_until(Instant{200ms});
  EXPECT_TRUE(path.bbr().full_bandwidth_reached());
  EXPECT_NE(path.bbr().model().inflight_longterm, BbrModel::kUnbounded);
  path.run_until(path.network().now() + 2s);
  ASSERT_TRUE(path.run_to(State::kProbeBwUp));
  path.run_until(path.network().now() + 55ms);
  ASSERT_EQ(path.bbr().state(), State::kProbeBwUp);
  marked = true;
  path.run_until(path.network().now() + 5ms);
  EXPECT_EQ(path.bbr().state(), State::kProbeBwDown);
}

TEST(Bbr, ARoundWithAMarkLowersTheShortTermBounds) {
  BbrOnPath path({.rate = 100_mbps, .round_trip = 50ms, .queue_bdp = 4});
  path.run_until(Instant{1s});
  ASSERT_TRUE(path.run_to(State::kProbeBwCruise));
  ASSERT_EQ(path.bbr().model().inflight_shortterm, BbrModel::kUnbounded);
  bool marked = true;
  path.flow().set_tamper([&](CongestionEvent& event) {
    if (marked && event.acked_bytes > 0) event.marked_packets = 1;
    marked = marked && event.acked_bytes == 0;
  });
  path.run_until(path.network().now() + 150ms);
  EXPECT_NE(path.bbr().model().inflight_shortterm, BbrModel::kUnbounded);
}

TEST(Bbr, GoesBackToStartupWhenTheLossesThatEndedItWereSpurious) {
  BbrOnPath path({.rate = 100_mbps, .round_trip = 50ms, .loss = 0.2}, {.application_rate = 30_mbps});
  bool spurious = false;
  path.flow().set_tamper([&](CongestionEvent& event) {
    if (spurious && event.acked_bytes > 0) {
      event.spurious_loss = true;
      spurious = false;
    }
  });
  ASSERT_TRUE(path.run_to(State::kDrain, 10s));
  spurious = true;
  path.run_until(path.network().now() + 20ms);
  EXPECT_EQ(path.bbr().state(), State::kStartup);
  EXPECT_FALSE(path.bbr().full_bandwidth_reached());
}

TEST(Bbr, ShrinksToFourDatagramsAtPersistentCongestionAndReturnsWhenThePathAnswers) {
  BbrOnPath path(
      {.rate = 50_mbps, .round_trip = 40ms, .queue_bdp = 2, .outage_from = Instant{3s}, .outage_until = Instant{6s}});
  path.run_until(Instant{5s});
  EXPECT_EQ(path.bbr().window_bytes(), 4u * 1200);
  path.run_until(Instant{7s});
  EXPECT_GT(path.bbr().window_bytes(), (50_mbps).bytes_in(40ms));
  EXPECT_GT(path.share(4s), 0.9);
}

TEST(Bbr, DoesNotTakeRoundsWithoutARateForAPlateau) {
  BbrController controller(ControllerConfig{});
  ControllerScript script(controller, 50ms);
  for (int i = 0; i < 20; ++i) {
    script.fill_window();
    const Instant sent_at = script.now;
    script.wait(50ms);
    CongestionEvent event = script.event(script.in_flight, 0, sent_at);
    event.rate.has_rate = false;
    controller.on_congestion_event(event);
  }
  EXPECT_EQ(controller.state(), State::kStartup);
  EXPECT_FALSE(controller.full_bandwidth_reached());
}

TEST(Bbr, TakesItsInitialPacingFromTheFirstRoundTrip) {
  BbrController controller(ControllerConfig{});
  EXPECT_EQ(controller.pacing_rate(), Bandwidth::from_bytes_per_second(33'240'000));  // 2.77 * 12,000 B / 1 ms
  ControllerScript script(controller, 100ms);
  script.send(12'000);
  const Instant sent_at = script.now;
  script.wait(100ms);
  script.acknowledge(1'200, sent_at);
  EXPECT_NEAR(static_cast<double>(controller.pacing_rate().bytes_per_second()), 2.77 * 120'000, 1.0);
}

}  // namespace
}  // namespace godwit
