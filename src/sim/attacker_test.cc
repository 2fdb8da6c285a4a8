// The attacker and its checkers: each rule can fail, each kind of attack happens, and seeds with an attacker replay,
// shrink and break no rule. Memory is checked too: this program counts allocations (sim/counted/allocations.cc).

#include "sim/attacker.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "sim/campaign.h"
#include "sim/live_memory.h"
#include "sim/scenario_attack.h"
#include "sim/scenario_toml.h"
#include "sim/shrink.h"
#include "sim/simulator.h"

namespace godwit::sim::attacker_test {
namespace {

// Two hosts, a few messages and a stream, and one attack on the first host.
Scenario attacked(const AttackSpec& attack) {
  Scenario scenario = two_hosts({.delay = 10ms, .rate = 20_mbps, .queue = {.bytes = 60'000}});
  for (HostSpec& host : scenario.hosts) host.config.admission.address_entries = 64;
  scenario.flows.push_back(
      {.kind = FlowKind::kMessages, .from = 1, .to = 0, .count = 40, .bytes = 300, .interval = 50ms});
  scenario.flows.push_back({.from = 1, .to = 0, .count = 4, .bytes = 30'000, .interval = 400ms});
  scenario.attacks.push_back(attack);
  return scenario;
}

AttackSpec junk() {
  return {.kind = AttackKind::kJunkIntros, .source = AttackSource::kOwn, .interval = 20ms, .count = 50};
}

void expect_clean(const SimulationResult& result, std::string_view name) {
  for (const Violation& violation : result.violations) {
    ADD_FAILURE() << name << ": " << rule_name(violation.rule) << ": " << violation.text;
  }
}

TEST(Attacker, CountsMemoryInThisProgram) {
  ASSERT_TRUE(LiveMemory::counted);
  std::int64_t held = 0;
  std::vector<int> numbers;
  {
    const MemoryMeter meter(held);
    numbers.resize(10'000);
  }
  EXPECT_GE(held, 40'000);
}

TEST(Attacker, ReachesItsVictimByEveryKindOfAttack) {
  for (const AttackKind kind : kAllAttackKinds) {
    Scenario scenario = attacked({.kind = kind, .interval = 20ms, .count = 20, .delay = 5ms});
    const SimulationResult result = Simulator(scenario).run();
    expect_clean(result, attack_kind_name(kind));
    if (kind != AttackKind::kDelay) {
      // A replay has nothing to repeat at first.
      EXPECT_GE(result.attack_datagrams, 15U) << attack_kind_name(kind);
    }
    EXPECT_EQ(result.attack_connections > 0, opens_connections(kind)) << attack_kind_name(kind);
    EXPECT_GE(result.attack.connects, 1U);
    EXPECT_EQ(result.attack.connected, result.attack.connects);
  }
}

TEST(Attacker, ChangesTheRunByHoldingDatagramsBack) {
  const auto simulated = [](Duration delay) {
    Scenario scenario = attacked({.kind = AttackKind::kDelay, .count = 50, .delay = delay});
    return Simulator(scenario).run().trace_hash;
  };
  EXPECT_NE(simulated(5ms), simulated(50ms));
}

// A process that has begun anew holds no session whose peer it could spare: it answers intros from the peer's address,
// as it answers everybody's.
TEST(Attacker, IsNotAskedToSpareASessionThatARestartHasEnded) {
  Scenario scenario = two_hosts({.delay = 10ms});
  scenario.flows.push_back(
      {.kind = FlowKind::kMessages, .from = 1, .to = 0, .count = 6, .bytes = 800, .interval = 162ms});
  scenario.faults.push_back({.kind = FaultKind::kRestartNewKeys, .at = 224ms, .target = 0, .duration = 727ms});
  scenario.attacks.push_back({.kind = AttackKind::kIntros, .start = 404ms, .interval = 65ms, .count = 15});
  expect_clean(Simulator(scenario).run(), "a restart");
}

// The attacker's handshakes are pending when the peer's own one begins: until that is complete nothing tells it from
// them.
TEST(Attacker, IsNotAskedToSpareASessionThatItHasNotHeardOfYet) {
  Scenario scenario = two_hosts({.delay = 34ms});
  scenario.flows.push_back({.kind = FlowKind::kRequests, .from = 1, .to = 0, .start = 437ms, .count = 4});
  scenario.attacks.push_back({.kind = AttackKind::kIntros, .interval = 48us, .count = 16});
  expect_clean(Simulator(scenario).run(), "a handshake under way");
}

// The initiator gives its new attempt up at the end without a word; the peer completes the former one after its close
// packet.
TEST(Attacker, LeavesNothingOfAHandshakeThatTheEndOfTheScenarioOvertakes) {
  Scenario scenario = two_hosts({.delay = 29'500us});
  scenario.hosts[0].receive_interval = 2ms;
  for (HostSpec& host : scenario.hosts) host.config.admission.address_entries = 64;
  scenario.flows.push_back({.kind = FlowKind::kMessages, .from = 1, .to = 0, .bytes = 71, .interval = 12ms});
  scenario.faults.push_back({.kind = FaultKind::kReconnect, .at = 90ms, .target = 1});
  scenario.attacks.push_back({.source = AttackSource::kPeerPrefix, .victim = 1, .peer = 0});
  expect_clean(Simulator(scenario).run(), "a close packet");
}

// As many forged intros as handshakes may be pending, between the peer's own intro and its completion.
TEST(Attacker, DoesNotPushThePeersOwnHandshakeOut) {
  Scenario scenario = two_hosts({.delay = 34ms});
  for (HostSpec& host : scenario.hosts) host.config.admission.address_entries = 64;
  scenario.flows.push_back({.from = 1, .to = 0, .bytes = 560});
  scenario.attacks.push_back({.kind = AttackKind::kIntros, .start = 40ms, .interval = 1ms, .count = 16});
  expect_clean(Simulator(scenario).run(), "forged intros");
}

// The peer's own intro comes in the middle of a burst of forged ones, as its eighth.
TEST(Attacker, DoesNotPushThePeersOwnHandshakeOutOfABurst) {
  for (const std::uint32_t count : {16U, 32U, 64U}) {
    Scenario scenario = two_hosts({.delay = 28ms});
    scenario.flows.push_back({.kind = FlowKind::kRequests, .from = 1, .to = 0, .bytes = 126});
    scenario.attacks.push_back({.kind = AttackKind::kIntros, .start = 27ms, .interval = 172us, .count = count});
    expect_clean(Simulator(scenario).run(), "a burst of forged intros");
  }
}

// The same beside a session that the peer has left: it connects again, and forged intros follow its own.
TEST(Attacker, DoesNotPushThePeersSecondAttemptOut) {
  Scenario scenario = two_hosts({.delay = 12ms});
  for (HostSpec& host : scenario.hosts) host.config.admission.address_entries = 64;
  scenario.flows.push_back({.kind = FlowKind::kRequests, .from = 1, .to = 0, .bytes = 72});
  scenario.flows.push_back({.kind = FlowKind::kRequests, .from = 1, .to = 0, .start = 548ms, .count = 2, .bytes = 56});
  scenario.faults.push_back({.kind = FaultKind::kReconnect, .at = 333ms, .target = 1, .duration = 8ms});
  scenario.attacks.push_back({.kind = AttackKind::kIntros, .start = 437ms, .interval = 357us, .count = 4});
  expect_clean(Simulator(scenario).run(), "forged intros behind a second attempt");
}

// A copy that overtakes the original makes the path look shorter than it is, and the rest of it like a queue.
TEST(Attacker, MayMakeADelayBasedControllerSendItsLeastWindow) {
  Scenario scenario = two_hosts({.delay = 105ms});
  for (HostSpec& host : scenario.hosts) host.config.congestion = CongestionKind::kLedbat;
  scenario.flows.push_back({.from = 1, .to = 0, .count = 3, .bytes = 36'159, .window = 2});
  scenario.attacks.push_back({.kind = AttackKind::kDuplicate, .interval = 28ms});
  expect_clean(Simulator(scenario).run(), "copies that overtake");
}

struct Expectation {
  Mutation mutation;
  Rule rule;
};

class AttackCheckersCanFail : public testing::TestWithParam<Expectation> {};

TEST_P(AttackCheckersCanFail, OnTheirMutation) {
  Scenario scenario = attacked(junk());
  // An unproven address that is answered gives the rule of amplification something to see.
  scenario.attacks.push_back({.kind = AttackKind::kIntros, .source = AttackSource::kMany, .count = 3});
  expect_clean(Simulator(scenario).run(), "without a mutation");
  SimulatorOptions options;
  options.mutation = GetParam().mutation;
  options.stop_at_violation = false;
  const SimulationResult result = Simulator(scenario, std::move(options)).run();
  const auto broken = [](const Violation& violation) { return violation.rule == GetParam().rule; };
  EXPECT_TRUE(std::ranges::any_of(result.violations, broken)) << mutation_name(GetParam().mutation);
}

INSTANTIATE_TEST_SUITE_P(Mutations, AttackCheckersCanFail,
                         testing::Values(Expectation{Mutation::kAlterPayload, Rule::kIntact},
                                         Expectation{Mutation::kDelayMessages, Rule::kDelay},
                                         Expectation{Mutation::kHoardMemory, Rule::kFootprint},
                                         Expectation{Mutation::kFailConnects, Rule::kConnect},
                                         Expectation{Mutation::kSpoilDatagrams, Rule::kUnopened},
                                         Expectation{Mutation::kAmplify, Rule::kAmplification}),
                         [](const testing::TestParamInfo<Expectation>& tested) {
                           std::string name(mutation_name(tested.param.mutation));
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

// A setting that gives the rule up, in the system itself.
TEST(AttackCheckers, SeeAnEndpointThatAmplifies) {
  Scenario scenario = attacked({.kind = AttackKind::kIntros, .source = AttackSource::kMany, .count = 3});
  for (HostSpec& host : scenario.hosts) {
    host.config.handshake.amplification_limit = 30;
    host.config.admission.amplification_limit = 30;
  }
  const SimulationResult result = Simulator(scenario).run();
  ASSERT_FALSE(result.clean());
  EXPECT_EQ(rule_name(result.violations[0].rule), rule_name(Rule::kAmplification));
}

TEST(AttackSeeds, RepeatATraceFromTheirSeedWhateverRanBefore) {
  const auto hash = [](std::uint64_t seed) { return Simulator(random_attack(seed)).run().trace_hash; };
  std::vector<std::uint64_t> forwards;
  std::vector<std::uint64_t> backwards;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) forwards.push_back(hash(seed));
  for (std::uint64_t seed = 30; seed >= 1; --seed) backwards.push_back(hash(seed));
  std::ranges::reverse(backwards);
  EXPECT_EQ(forwards, backwards);
  EXPECT_GT(std::set<std::uint64_t>(forwards.begin(), forwards.end()).size(), 25U);
}

TEST(AttackSeeds, SurviveAsToml) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    Scenario scenario = random_attack(seed);
    // Tables are no key of TOML: the scenario is compared with the usual ones.
    for (HostSpec& host : scenario.hosts) {
      const AdmissionConfig usual;
      host.config.admission.address_entries = usual.address_entries;
      host.config.admission.prefix_entries = usual.prefix_entries;
      host.config.admission.replay_entries = usual.replay_entries;
    }
    const auto read = parse_scenario(print_scenario(scenario));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->attacks, scenario.attacks);
    EXPECT_EQ(Simulator(*read).run().trace_hash, Simulator(scenario).run().trace_hash) << "seed " << seed;
  }
}

TEST(AttackSeeds, ShrinkToOneAttackThatStillBreaksTheRule) {
  Scenario scenario = random_attack(3);
  for (HostSpec& host : scenario.hosts) {
    host.config.handshake.amplification_limit = 30;
    host.config.admission.amplification_limit = 30;
  }
  scenario.attacks.push_back({.kind = AttackKind::kIntros, .source = AttackSource::kMany, .count = 8});
  const SimulationResult result = Simulator(scenario).run();
  ASSERT_FALSE(result.clean());
  const ShrinkResult small = shrink(scenario, result.violations.front().rule, 300);
  EXPECT_GT(small.steps, 0U);
  EXPECT_EQ(small.violation.rule, result.violations.front().rule);
  EXPECT_LT(small.scenario.attacks.size(), scenario.attacks.size());
}

TEST(AttackSeeds, FiveHundredBreakNoRule) {
  const CampaignResult result =
      run_campaign({.count = 500, .attacks = true, .on_failure = [](std::uint64_t seed, const Violation& violation) {
                      ADD_FAILURE() << fmt::format("seed {}: {}: {}", seed, rule_name(violation.rule), violation.text);
                    }});
  EXPECT_GT(result.attack_datagrams, 5'000U);
  EXPECT_GT(result.attack_connections, 500U);
  EXPECT_GT(result.attack.connects, 500U);
  EXPECT_GE(result.attack.connected * 100, result.attack.connects * 99);
}

}  // namespace
}  // namespace godwit::sim::attacker_test
