// The figures that the controllers have to show, each on the whole stack under the virtual clock: what BBR carries
// under random loss, CUBIC against the model of its RFC, LEDBAT++ beside CUBIC and alone, fairness among equals.
// Shares count as decisions 13 and 16 say: goodput ÷ (rate × 1130 ÷ 1228).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "congestion/jain_index.h"
#include "sim/simulator.h"
#include "sim/table.h"

namespace godwit::sim {
namespace {

struct Path {
  Duration round_trip{};
  Bandwidth rate;
  Duration queue{};  // how long a full one takes to drain
  double loss = 0;
  std::uint64_t lose_every = 0;
};

Scenario flows_on(const Path& path, CongestionKind kind, std::uint32_t flows) {
  LinkSpec there{.delay = path.round_trip / 2, .rate = path.rate};
  there.queue.bytes = path.rate.bytes_in(path.queue);
  there.loss.rate = path.loss;
  there.loss.every = path.lose_every;
  Scenario scenario = dumbbell(there, {.delay = path.round_trip / 2}, flows);
  for (std::uint32_t i = 0; i < flows; ++i) {
    scenario.hosts[std::size_t{2} * i].config.controller.seed = i;
    add_bulk_flow(scenario, kind, 2 * i, 2 * i + 1, i * 137ms, path.rate.bytes_in(path.round_trip));
  }
  scenario.duration = 24h;
  return scenario;
}

class Measured {
 public:
  explicit Measured(Scenario scenario) : simulator_(std::move(scenario), {.check = false}) {}

  void run_until(Duration until) { simulator_.run_until(until); }
  [[nodiscard]] Simulator& simulator() { return simulator_; }
  // Payload bytes that flow `i` has delivered.
  [[nodiscard]] double delivered(std::uint32_t i) {
    return static_cast<double>(simulator_.host(2 * i + 1).statistics().payload_received);
  }

 private:
  Simulator simulator_;
};

double carried(const Path& path, Duration time) {
  return static_cast<double>(path.rate.bytes_in(time)) * kPayloadShare;
}

// BBR asks twice in five seconds for the bare round trip; the samples between those probes are what counts. They take
// about 200 ms and a round trip each, so of the tenths of a second the slowest sixth is left out.
TEST(Figures, BbrCarriesNineTenthsOfAPathThatLosesOnePercentAtRandom) {
  const Path path{.round_trip = 50ms, .rate = 100_mbps, .queue = 50ms, .loss = 0.01};
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    Scenario scenario = flows_on(path, CongestionKind::kBbr, 1);
    scenario.seed = seed;
    Measured run(std::move(scenario));
    run.run_until(4s);
    std::vector<double> slices;
    double whole = 0;
    for (int i = 1; i <= 150; ++i) {
      const double before = run.delivered(0);
      run.run_until(4s + i * 100ms);
      slices.push_back((run.delivered(0) - before) / (carried(path, 100ms) * (1 - path.loss)));
      whole += slices.back() / 150;
    }
    std::sort(slices.begin(), slices.end());
    double between = 0;
    for (std::size_t i = 25; i < slices.size(); ++i) between += slices[i] / 125;
    RecordProperty(fmt::format("seed_{}_between_probes", seed), fmt::format("{:.3f}", between));
    EXPECT_GE(between, 0.9) << seed;
    EXPECT_GE(whole, 0.85) << seed;
  }
}

// Two and a half times the loss that BBR tolerates by its threshold: what LossNoise has to add.
TEST(Figures, BbrCarriesFourFifthsOfAPathThatLosesFivePercentAtRandom) {
  for (const Bandwidth rate : {10_mbps, 100_mbps}) {
    const Path path{.round_trip = 50ms, .rate = rate, .queue = 50ms, .loss = 0.05};
    for (const std::uint64_t seed : {1u, 2u, 3u}) {
      Scenario scenario = flows_on(path, CongestionKind::kBbr, 1);
      scenario.seed = seed;
      Measured run(std::move(scenario));
      run.run_until(4s);
      const double before = run.delivered(0);
      run.run_until(19s);
      const double share = (run.delivered(0) - before) / carried(path, 15s);
      RecordProperty(fmt::format("{}M_seed_{}", rate.bits_per_second() / 1'000'000, seed),
                     fmt::format("{:.3f}", share));
      EXPECT_GE(share, 0.8) << rate.bits_per_second() << " " << seed;
    }
  }
}

// Of what eight flows send over forty seconds, the share that the link drops.
double dropped_of_eight_flows(Scenario scenario) {
  Measured run(std::move(scenario));
  run.run_until(20s);
  const LinkStatistics before = run.simulator().link(0).statistics();
  run.run_until(60s);
  const LinkStatistics& after = run.simulator().link(0).statistics();
  return static_cast<double>(after.dropped() - before.dropped()) /
         static_cast<double>(after.packets_in - before.packets_in);
}

// Their queue is full most of the time and drops three packets in a hundred. Who takes that for noise sends more, until
// it drops seven.
TEST(Figures, BbrDoesNotTakeTheLossesOfAFullQueueForNoise) {
  const Path path{.round_trip = 50ms, .rate = 20_mbps, .queue = 50ms};
  EXPECT_LT(dropped_of_eight_flows(flows_on(path, CongestionKind::kBbr, 8)), 0.045);
}

// No queue stands at a policer, whose other users take what one leaves. Without the vain probes, six in a hundred.
TEST(Figures, BbrDoesNotTakeTheLossesOfAPolicerForNoise) {
  Scenario scenario = flows_on({.round_trip = 50ms, .rate = 100_mbps, .queue = 50ms}, CongestionKind::kBbr, 8);
  scenario.links[0].policer = Policer{.rate = 50_mbps, .burst_bytes = 50'000};
  EXPECT_LT(dropped_of_eight_flows(std::move(scenario)), 0.045);
}

// RFC 9438 section 5.1: the average window when one packet in 1/p is lost, the larger of the cubic's and of Reno's.
double cubic_model_window(double p, double round_trip) {
  return std::max(1.054 * std::pow(round_trip, 0.75) / std::pow(p, 0.75), 1.2 / std::sqrt(p));
}

TEST(Figures, CubicIsWithinATenthOfTheModelOfItsRfcUnderPeriodicLoss) {
  struct Point {
    std::uint64_t every;
    Duration round_trip;
    Duration measured;
  };
  for (const Point& point : {Point{1'000, 50ms, 60s}, Point{1'000, 100ms, 80s}, Point{10'000, 100ms, 600s}}) {
    const Path path{.round_trip = point.round_trip, .rate = 1_gbps, .queue = 100ms, .lose_every = point.every};
    Measured run(flows_on(path, CongestionKind::kCubic, 1));
    run.run_until(point.measured / 2);
    const double before = run.delivered(0);
    run.run_until(point.measured / 2 + point.measured);
    // Packets delivered a round trip; what is lost was in the window too.
    const double window =
        (run.delivered(0) - before) / 1130 * to_seconds(point.round_trip) / to_seconds(point.measured);
    const double model = cubic_model_window(1.0 / static_cast<double>(point.every), to_seconds(point.round_trip));
    EXPECT_NEAR(window / model, 1.0, 0.1) << point.every << " " << to_seconds(point.round_trip);
  }
}

TEST(Figures, LedbatYieldsToCubicWhereTheQueueHoldsATenthOfASecond) {
  for (const Duration queue : {Duration(100ms), Duration(200ms)}) {
    const Path path{.round_trip = 50ms, .rate = 20_mbps, .queue = queue};
    Scenario scenario = flows_on(path, CongestionKind::kLedbat, 1);
    scenario.competitors.push_back({.egress = {0}, .ingress = {1}, .start = 5s});
    Measured run(std::move(scenario));
    run.run_until(15s);
    const double before = run.delivered(0);
    const auto other_before = static_cast<double>(run.simulator().competitor(0).delivered_bytes());
    run.run_until(75s);
    const double own = run.delivered(0) - before;
    const double other = static_cast<double>(run.simulator().competitor(0).delivered_bytes()) - other_before;
    EXPECT_LT(own / (own + other), 0.1) << to_seconds(queue);
    EXPECT_GT(other, 0.8 * carried(path, 60s)) << to_seconds(queue);
  }
}

TEST(Figures, LedbatFillsAnIdlePath) {
  for (const Duration trip : {Duration(20ms), Duration(50ms), Duration(150ms)}) {
    const Path path{.round_trip = trip, .rate = 20_mbps, .queue = 150ms};
    Measured run(flows_on(path, CongestionKind::kLedbat, 1));
    run.run_until(30s);
    const double before = run.delivered(0);
    run.run_until(90s);
    EXPECT_GT((run.delivered(0) - before) / carried(path, 60s), 0.9) << to_seconds(trip);
  }
}

struct Equals {
  CongestionKind kind;
  std::uint32_t flows;
};

class Fairness : public testing::TestWithParam<Equals> {};

// After a minute, in which additive growth has evened out who came first, over a minute; with many flows, whose windows
// of a few packets wander more slowly, over three. The queue holds 100 ms, as LEDBAT++ needs to see its target.
TEST_P(Fairness, HoldsAmongEquals) {
  const std::uint32_t flows = GetParam().flows;
  const Path path{.round_trip = 50ms, .rate = flows > 8 ? 50_mbps : 20_mbps, .queue = 100ms};
  Measured run(flows_on(path, GetParam().kind, flows));
  run.run_until(60s);
  std::vector<double> before;
  for (std::uint32_t i = 0; i < flows; ++i) before.push_back(run.delivered(i));
  const Duration measured = flows > 8 ? 180s : 60s;
  run.run_until(60s + measured);
  std::vector<double> own;
  for (std::uint32_t i = 0; i < flows; ++i) own.push_back(run.delivered(i) - before[i]);
  const double sum = std::accumulate(own.begin(), own.end(), 0.0);
  const double jain = jain_index(own);
  RecordProperty("jain", fmt::format("{:.3f}", jain));
  EXPECT_GE(jain, 0.95);
  EXPECT_GT(sum / carried(path, measured), 0.9);
}

std::vector<Equals> equals() {
  std::vector<Equals> all;
  for (const CongestionKind kind :
       {CongestionKind::kCubic, CongestionKind::kNewReno, CongestionKind::kBbr, CongestionKind::kLedbat}) {
    for (const std::uint32_t flows : {2u, 8u, 32u}) all.push_back({kind, flows});
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Figures, Fairness, testing::ValuesIn(equals()),
                         [](const testing::TestParamInfo<Equals>& tested) {
                           return fmt::format("{}_{}", to_string(tested.param.kind), tested.param.flows);
                         });

}  // namespace
}  // namespace godwit::sim
