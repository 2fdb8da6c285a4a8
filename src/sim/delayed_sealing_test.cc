// Hosts whose batches are sealed later, in an order that the seed draws: everything that holds without holds with them,
// and no body is released while a job still reads it.

#include "sim/delayed_sealing.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>

#include "sim/dice.h"
#include "sim/scenario_random.h"
#include "sim/simulator.h"

namespace godwit::sim::delayed_sealing_test {
namespace {

struct Seen {
  DelayedSealingStatistics sealing;
  std::uint64_t confirmed = 0;
};

Seen run_clean(const Scenario& scenario) {
  Simulator simulator(scenario);
  const SimulationResult result = simulator.run();
  for (const Violation& violation : result.violations) {
    ADD_FAILURE() << fmt::format("{}: {}: {}", scenario.name, rule_name(violation.rule), violation.text);
  }
  Seen seen{.sealing = {}, .confirmed = result.confirmed};
  for (std::uint32_t i = 0; i < scenario.hosts.size(); ++i) {
    const DelayedSealing* const sealing = simulator.host(i).sealing();
    if (sealing == nullptr) continue;
    seen.sealing.jobs += sealing->statistics().jobs;
    seen.sealing.overtaken += sealing->statistics().overtaken;
    seen.sealing.hurried += sealing->statistics().hurried;
    seen.sealing.refusals += sealing->statistics().refusals;
  }
  return seen;
}

Scenario random_with_delays(std::uint64_t seed) {
  Scenario scenario = random_scenario(seed);
  delay_sealing(scenario, seed);
  return scenario;
}

constexpr std::array kFaults = {FaultKind::kRestart, FaultKind::kStall, FaultKind::kClockJump, FaultKind::kClose,
                                FaultKind::kReconnect};

// The same on paths where most batches are large, and many of them are on their way together.
Scenario large_with_delays(std::uint64_t seed) {
  Dice dice(seed ^ 0x6c61726765);
  LinkSpec link{.delay = dice.time(100us, 20ms),
                .rate = Bandwidth::from_bits_per_second(dice.number(50, 2000) * 1'000'000),
                .queue = {.bdp = 1}};
  if (dice.chance(0.5)) link.loss.rate = dice.spread(0.001, 0.05);
  if (dice.chance(0.4)) {
    link.reorder = dice.spread(0.001, 0.2);
    link.reorder_by = dice.time(100us, 20ms);
  }
  if (dice.chance(0.2)) link.jitter = dice.time(10us, 5ms);
  Scenario scenario = two_hosts(link);
  scenario.seed = seed;
  scenario.name = fmt::format("large batches, seed {}", seed);
  const bool extended = dice.chance(0.6);
  for (HostSpec& host : scenario.hosts) {
    host.seal_delay = dice.time(1us, 20ms);
    host.receive_interval = dice.time(10us, 2ms);
    host.config.handshake.extended = extended ? ExtendedPolicy::kRequire : ExtendedPolicy::kOff;
    if (extended && dice.chance(0.5)) host.config.soft_packet_limit = dice.number(50, 2000);
  }
  for (std::uint64_t i = dice.number(1, 3); i > 0; --i) {
    const auto from = static_cast<std::uint32_t>(dice.number(0, 1));
    scenario.flows.push_back({.from = from,
                              .to = 1 - from,
                              .count = static_cast<std::uint32_t>(dice.number(1, 12)),
                              .bytes = dice.number(20'000, 400'000),
                              .window = static_cast<std::uint32_t>(dice.number(1, 6))});
  }
  // The application leaves in the middle, or the process dies.
  if (dice.chance(0.3)) scenario.duration = dice.time(10ms, 2s);
  if (dice.chance(0.3)) {
    scenario.faults.push_back({.kind = dice.one_of(kFaults),
                               .at = dice.time(5ms, 1s),
                               .target = static_cast<std::uint32_t>(dice.number(0, 1)),
                               .duration = dice.time(1ms, 1s)});
  }
  scenario.resolve();
  return scenario;
}

// Fast enough that whole batches are put off, several at a time.
Scenario fast(Duration seal_delay, double loss) {
  Scenario scenario = two_hosts({.delay = 2ms,
                                 .rate = Bandwidth::from_bits_per_second(2'000'000'000),
                                 .queue = {.bdp = 2},
                                 .loss = {.rate = loss}});
  scenario.name = fmt::format("fast with loss {}", loss);
  for (HostSpec& host : scenario.hosts) {
    host.seal_delay = seal_delay;
    host.receive_interval = 50us;
  }
  scenario.flows.push_back({.count = 40, .bytes = 200'000, .window = 6});
  return scenario;
}

TEST(DelayedSealing, DeliversEverythingWhateverTheOrder) {
  const Seen seen = run_clean(fast(300us, 0));
  EXPECT_EQ(seen.confirmed, 40U);
  EXPECT_GT(seen.sealing.jobs, 50U);
  EXPECT_GT(seen.sealing.overtaken, 5U);
  EXPECT_GT(seen.sealing.refusals, 0U);
}

// A fragment that is sent again may be acknowledged, or an application leave, before the batch has been sealed.
TEST(DelayedSealing, ReleasesNoBodyBeforeTheBatchesThatReadIt) {
  std::uint64_t hurried = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Scenario scenario = fast(5ms, 0.02);
    scenario.seed = seed;
    scenario.duration = 50ms;
    hurried += run_clean(scenario).sealing.hurried;
  }
  EXPECT_GT(hurried, 0U);
}

TEST(DelayedSealing, GoesOnAcrossKeyUpdates) {
  Scenario scenario = fast(2ms, 0.01);
  for (HostSpec& host : scenario.hosts) {
    host.config.handshake.extended = ExtendedPolicy::kRequire;
    host.config.soft_packet_limit = 200;
  }
  const Seen seen = run_clean(scenario);
  EXPECT_EQ(seen.confirmed, 40U);
  EXPECT_GT(seen.sealing.jobs, 50U);
}

TEST(DelayedSealing, RepeatsARunFromItsSeed) {
  const Scenario scenario = fast(1ms, 0.02);
  EXPECT_EQ(Simulator(scenario).run().trace_hash, Simulator(scenario).run().trace_hash);
}

// More with GODWIT_SEAL_SEEDS=5000.
std::uint64_t seeds() {
  const char* const wanted = std::getenv("GODWIT_SEAL_SEEDS");
  return wanted == nullptr ? 150 : std::strtoull(wanted, nullptr, 10);
}

TEST(DelayedSealing, BreaksNoRuleWithSmallFlows) {
  std::uint64_t jobs = 0;
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed) jobs += run_clean(random_with_delays(seed)).sealing.jobs;
  EXPECT_GT(jobs, seeds() / 10);
}

TEST(DelayedSealing, BreaksNoRuleWithLargeBatches) {
  DelayedSealingStatistics sum;
  for (std::uint64_t seed = 1; seed <= seeds(); ++seed) {
    const DelayedSealingStatistics seen = run_clean(large_with_delays(seed)).sealing;
    sum.jobs += seen.jobs;
    sum.overtaken += seen.overtaken;
    sum.hurried += seen.hurried;
    sum.refusals += seen.refusals;
  }
  EXPECT_GT(sum.jobs, 10 * seeds());
  EXPECT_GT(sum.overtaken, seeds());
  EXPECT_GT(sum.hurried, 0U);
  EXPECT_GT(sum.refusals, 0U);
}

}  // namespace
}  // namespace godwit::sim::delayed_sealing_test
