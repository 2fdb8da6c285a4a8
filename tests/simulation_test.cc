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
  std::uint64_t receiver_duplicates = 0;
};

enum class Checked : std::uint8_t { kYes, kNo };  // a second run, with every rule checked until all have said goodbye

Outcome run(const std::string& name, const std::function<void(Scenario&)>& without_remedy = {},
            Checked checked = Checked::kYes) {
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
  if (const auto numbers = measured.host(1).connection_statistics(0))
    outcome.receiver_duplicates = numbers->drops.of(trace::DropReason::kDuplicate);
  outcome.flows = measured.application().progress();
  if (checked == Checked::kYes) outcome.result = Simulator(*scenario, options).run();
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
  // 200 requests of 40 ms, one in ten lost: each repaired within some 1.5 round trips and the acknowledgement delay.
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

// Of the rate that the link's payload share allows (decisions 13), over the whole flow, slow start included.
double share_of_path(const Outcome& outcome, const Scenario& scenario) {
  const FlowSpec& flow = scenario.flows[0];
  const double bits = static_cast<double>(flow.bytes) * flow.count * 8;
  const double rate = static_cast<double>(scenario.links[0].rate.bytes_per_second()) * 8 * kPayloadShare;
  return bits / to_seconds(length(outcome.flows[0])) / rate;
}

struct WayBack {
  CongestionKind congestion;
  bool adapts = true;
  double loss = 0;
  Checked checked = Checked::kNo;
};
double share_with(const std::string& name, const WayBack& way_back) {
  Scenario ran;
  const auto change = [&](Scenario& scenario) {
    scenario.hosts[0].config.congestion = way_back.congestion;
    if (scenario.links[1].loss.rate > 0) scenario.links[1].loss.rate = way_back.loss;
    AckPolicy& policy = scenario.hosts[1].config.acknowledgement;
    if (!way_back.adapts) {
      policy.max_repetitions = policy.queue.repetitions;
      policy.max_queue_delay = Duration::zero();
      policy.max_delay = scenario.round_trip(0, 1) / 8;
    }
    ran = scenario;
  };
  const Outcome outcome = run(name, change, way_back.checked);
  if (way_back.checked == Checked::kYes) expect_clean(outcome);
  return share_of_path(outcome, ran);
}

TEST(FieldFailure, LostAcknowledgementsCostLessThanATenthOfTheRate) {
  for (const CongestionKind congestion : {CongestionKind::kCubic, CongestionKind::kBbr}) {
    const double whole = share_with("lossy_way_back", {.congestion = congestion, .loss = 0});
    EXPECT_GT(whole, 0.9) << to_string(congestion);
    EXPECT_GT(share_with("lossy_way_back", {.congestion = congestion, .loss = 0.2, .checked = Checked::kYes}),
              0.9 * whole)
        << to_string(congestion);
  }
}

TEST(FieldFailure, LostAcknowledgementsSlowTheDataDownWhenEachIsRepeatedOnce) {
  for (const CongestionKind congestion : {CongestionKind::kCubic, CongestionKind::kBbr}) {
    EXPECT_LT(share_with("lossy_way_back", {.congestion = congestion, .adapts = false, .loss = 0.2}), 0.8)
        << to_string(congestion);
  }
}

TEST(FieldFailure, WhatWasSentNeedlesslyIsKnown) {
  const Outcome outcome = run("lossy_way_back", {}, Checked::kNo);
  EXPECT_GT(outcome.sender.losses_spurious, 0U);
  // The path's own queue loses some as well; each of those was needed.
  EXPECT_GE(outcome.sender.packets_lost, outcome.sender.losses_spurious);
  EXPECT_NEAR(static_cast<double>(outcome.receiver_duplicates), static_cast<double>(outcome.sender.losses_spurious),
              0.1 * static_cast<double>(outcome.receiver_duplicates) + 2);
}

// Figures/Fairness holds that acknowledgements do not wait for the queue of the data.
TEST(FieldFailure, ANarrowWayBackCarriesTheAcknowledgementsOfAFullWayThere) {
  for (const CongestionKind congestion : {CongestionKind::kCubic, CongestionKind::kBbr, CongestionKind::kNewReno}) {
    EXPECT_GT(share_with("narrow_way_back", {.congestion = congestion, .checked = Checked::kYes}), 0.8)
        << to_string(congestion);
  }
  for (const CongestionKind congestion : {CongestionKind::kCubic, CongestionKind::kBbr}) {
    EXPECT_GT(share_with("narrow_way_back_at_once", {.congestion = congestion, .checked = Checked::kYes}), 0.8)
        << to_string(congestion);
  }
}

TEST(FieldFailure, ANarrowWayBackSlowsTheDataDownWhenAcknowledgementsDoNotYield) {
  for (const CongestionKind congestion : {CongestionKind::kCubic, CongestionKind::kBbr}) {
    EXPECT_LT(share_with("narrow_way_back", {.congestion = congestion, .adapts = false}), 0.8) << to_string(congestion);
  }
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
