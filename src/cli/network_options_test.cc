// What the shared options make of an endpoint's configuration, shown by what hosts with it do.
#include "cli/network_options.h"

#include <gtest/gtest.h>

#include <string>

#include "sim/simulator.h"
#include "sim/table.h"

namespace godwit::cli {
namespace {

constexpr Duration kWarmUp = 2s;
constexpr Duration kMeasured = 3s;

// Payload bits a second that arrive while the sender is descheduled for `stall` of every 33 ms, on a path of ten times
// its limit of 100 Mbit/s.
double rate_of_stalled_sender(Duration stall, Duration lateness) {
  sim::LinkSpec there;
  there.delay = 1ms;
  there.rate = 1_gbps;
  there.queue.bytes = 2'500'000;
  sim::LinkSpec back;
  back.delay = 1ms;
  sim::Scenario scenario = sim::two_hosts(there, back);
  sim::add_bulk_flow(scenario, CongestionKind::kBbr, 0, 1, 0s, there.rate.bytes_in(2ms));
  scenario.hosts[0].config.connection_rate_limit = 100_mbps;
  scenario.hosts[0].config.pacer.lateness = lateness;
  for (Duration at = 1s; at < kWarmUp + kMeasured; at += 33ms) {
    scenario.faults.push_back({.kind = sim::FaultKind::kStall, .at = at, .target = 0, .duration = stall});
  }
  scenario.duration = 1h;
  sim::SimulatorOptions unchecked;
  unchecked.check = false;
  sim::Simulator simulator(std::move(scenario), unchecked);
  simulator.run_until(kWarmUp);
  const std::uint64_t before = simulator.host(1).statistics().payload_received;
  simulator.run_until(kWarmUp + kMeasured);
  return static_cast<double>(simulator.host(1).statistics().payload_received - before) * 8 / to_seconds(kMeasured);
}

TEST(NetworkOptions, ASenderWithARateLimitCatchesUpAfterItWasDescheduled) {
  NetworkOptions options;
  options.rate = "100M";
  const Duration lateness = make_node_config(options).endpoint.pacer.lateness;
  for (const Duration stall : {Duration(3ms), Duration(10ms), Duration(20ms)}) {
    const double rate = rate_of_stalled_sender(stall, lateness);
    EXPECT_GT(rate, 98e6) << to_seconds(stall);
    EXPECT_LT(rate, 101e6) << to_seconds(stall);
  }
}

// What it sent before it was given the time: three quarters, as on a machine with ten programs to a processor.
TEST(NetworkOptions, ASenderWithoutTheTimeToCatchUpLosesWhatItSlept) {
  EXPECT_LT(rate_of_stalled_sender(10ms, PacerConfig{}.lateness), 80e6);
}

TEST(NetworkOptions, WithoutALimitThePacerKeepsItsBurst) {
  EXPECT_EQ(make_node_config(NetworkOptions{}).endpoint.pacer.lateness, PacerConfig{}.lateness);
}

}  // namespace
}  // namespace godwit::cli
