// The simulator from outside: the field failures that other transports had, as named scenarios that pass and that fail
// when the remedy is taken away; and the forty cells of the table, each within its bound and as recorded.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "base/source_tree_test_support.h"
#include "sim/campaign.h"
#include "sim/scenario_toml.h"
#include "sim/table.h"

namespace godwit::sim {
namespace {

struct Outcome {
  SimulationResult result;
  std::vector<FlowProgress> flows;
  ConnectionStatistics sender;  // of host 0 towards host 1
};

Outcome run(const std::string& name, const std::function<void(Scenario&)>& without_remedy = {}) {
  auto scenario = load_scenario(fmt::format("{}/testdata/scenarios/{}.toml", godwit::test::source_tree(), name));
  EXPECT_TRUE(scenario) << scenario.error().message;
  if (without_remedy) without_remedy(*scenario);
  SimulatorOptions options;
  options.stop_at_violation = false;
  Outcome outcome;
  // The statistics are those at the end of the flows, before everybody says goodbye.
  Simulator measured(*scenario, options);
  const Duration bound = scenario->bound();
  measured.run_until(Duration::zero());
  while (!measured.application().finished() && measured.elapsed() < bound)
    measured.run_until(measured.elapsed() + 10ms);
  if (const auto numbers = measured.host(0).connection_statistics(1)) outcome.sender = *numbers;
  outcome.flows = measured.application().progress();
  outcome.result = Simulator(*scenario, options).run();
  return outcome;
}

// From the first message to the end of the last; as long as time itself for a flow that did not end.
Duration length(const FlowProgress& flow) {
  return flow.ended_at < flow.began ? Duration::max() : flow.ended_at - flow.began;
}

void expect_clean(const Outcome& outcome) {
  for (const Violation& violation : outcome.result.violations)
    ADD_FAILURE() << rule_name(violation.rule) << ": " << violation.text;
}

TEST(FieldFailure, NoCollapseAfterIdle) {
  const Outcome outcome = run("collapse_after_idle");
  expect_clean(outcome);
  // Ten megabytes twice, twenty seconds of silence: the path carries one in 4.4 s, slow start costs half a second.
  EXPECT_LT(length(outcome.flows[0]), 24s + 6s);
}

TEST(FieldFailure, NoTimeOutsAtLongRoundTrips) {
  const Outcome outcome = run("long_round_trips");
  expect_clean(outcome);
  // The first flight leaves before there is a sample, and the round trip is longer than the initial time-out: once, ten
  // packets, all of them found to be spurious.
  EXPECT_LE(outcome.sender.timeouts, 1U);
  EXPECT_LE(outcome.sender.packets_lost, 10U);
  EXPECT_EQ(outcome.sender.losses_spurious, outcome.sender.packets_lost);
}

TEST(FieldFailure, TimeOutsAtLongRoundTripsReturnWithATimerThatIgnoresThem) {
  const Outcome outcome = run("long_round_trips", [](Scenario& scenario) {
    scenario.hosts[0].config.recovery.rtt.initial_rto = 500ms;
    scenario.hosts[0].config.recovery.rtt.max_rto = 500ms;
  });
  EXPECT_GT(outcome.sender.timeouts, 1U);
  EXPECT_GT(outcome.sender.packets_lost, 10U);
}

TEST(FieldFailure, PacingIsEnforced) {
  const Outcome outcome = run("pacing_enforced");
  expect_clean(outcome);
  EXPECT_EQ(outcome.result.drops[static_cast<std::size_t>(LinkDrop::kPolicer)], 0U);
}

TEST(FieldFailure, BurstsAreLostWithAPacerThatGrantsEverything) {
  const Outcome outcome =
      run("pacing_enforced", [](Scenario& scenario) { scenario.hosts[0].config.pacer.min_burst_datagrams = 100'000; });
  EXPECT_GT(outcome.result.drops[static_cast<std::size_t>(LinkDrop::kPolicer)], 10U);
  // And the checker sees it.
  EXPECT_FALSE(outcome.result.clean());
}

TEST(FieldFailure, NoStallAfterAPause) {
  const Outcome outcome = run("stall_after_pause");
  expect_clean(outcome);
  EXPECT_EQ(outcome.flows[0].confirmed, 6U);
  EXPECT_LT(length(outcome.flows[0]), 2 * 60s + 2s);
}

TEST(FieldFailure, StallsAfterAPauseReturnWithRareKeepAlives) {
  const Outcome outcome = run("stall_after_pause", [](Scenario& scenario) {
    for (HostSpec& host : scenario.hosts) host.config.keepalive.ping_interval = 15s;
  });
  EXPECT_LT(outcome.flows[0].confirmed, 6U);
}

TEST(FieldFailure, ALostTailIsRepairedByAProbe) {
  const Outcome outcome = run("lost_tail");
  expect_clean(outcome);
  // 200 requests of 40 ms, one in ten lost: each repaired within some 1.5 round trips and the receipt delay.
  EXPECT_LT(length(outcome.flows[0]), 200 * 40ms + 200 * 20ms);
}

TEST(FieldFailure, ALostTailWaitsForTheTimeOutWithoutProbes) {
  const Outcome outcome = run("lost_tail", [](Scenario& scenario) {
    for (HostSpec& host : scenario.hosts) host.config.recovery.rtt.min_probe_timeout = 60s;
  });
  EXPECT_GT(length(outcome.flows[0]), 200 * 40ms + 200 * 20ms);
}

TEST(FieldFailure, OneLossyPeerDoesNotStarveTheOthers) {
  const Outcome outcome = run("lossy_peer");
  expect_clean(outcome);
  // Forty requests a tenth of a second apart: each must find the uplink's queue nearly empty.
  EXPECT_LT(length(outcome.flows[1]), 40 * 100ms + 40 * 100ms);
}

TEST(FieldFailure, OneLossyPeerStarvesTheOthersWithoutASharedBudgetAndWithoutControl) {
  const Outcome outcome = run("lossy_peer", [](Scenario& scenario) {
    Config& config = scenario.hosts[0].config;
    config.endpoint_rate_limit.reset();
    config.congestion = CongestionKind::kFixedRate;
    config.controller.fixed_rate = 20_mbps;
  });
  EXPECT_GT(length(outcome.flows[1]), 40 * 100ms + 40 * 100ms);
}

// Run scripts/run_simulation.sh record after a change of behaviour that is meant.
TEST(SimulationTable, EveryCellOfTheSubsetIsWithinItsBoundAndAsRecorded) {
  const std::string path = std::string(godwit::test::source_tree()) + "/testdata/simulation_table.json";
  std::ifstream file(path);
  ASSERT_TRUE(file) << path;
  std::map<std::string, nlohmann::json> recorded;
  for (const auto& cell : nlohmann::json::parse(file)) recorded[cell.at("cell")] = cell;
  ASSERT_LE(ci_table().size(), 40U);
  for (const Cell& cell : ci_table()) {
    const CellResult result = measure_cell(cell);
    EXPECT_TRUE(result.within_bounds()) << table_header() << "\n" << table_line(result);
    ASSERT_TRUE(recorded.contains(cell.name())) << cell.name();
    const auto measured = nlohmann::json::parse(table_json(result));
    for (const auto& [key, value] : recorded[cell.name()].items()) {
      if (!value.is_number()) continue;
      ASSERT_TRUE(measured.contains(key)) << cell.name() << " has no " << key;
      const double was = value.get<double>();
      EXPECT_NEAR(measured[key].get<double>(), was, std::max(0.005, 0.005 * std::abs(was)))
          << cell.name() << " " << key;
    }
  }
}

TEST(RandomScenarios, FreshSeedsBreakNoRule) {
  const auto on_failure = [](std::uint64_t seed, const Violation& violation) {
    ADD_FAILURE() << fmt::format("seed {}: {}: {}", seed, rule_name(violation.rule), violation.text);
  };
  const CampaignResult result = run_campaign({.first = 7'000'000, .count = 300, .jobs = 1, .on_failure = on_failure});
  EXPECT_EQ(result.scenarios, 300U);
}

}  // namespace
}  // namespace godwit::sim
