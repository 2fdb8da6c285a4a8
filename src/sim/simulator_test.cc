#include "sim/simulator.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "sim/scenario_random.h"

namespace godwit::sim::simulator_test {
namespace {

std::string trace_of(std::uint64_t seed) {
  std::string text;
  SimulatorOptions options;
  options.trace = [&](std::string_view line) {
    text += line;
    text += '\n';
  };
  static_cast<void>(Simulator(random_scenario(seed), std::move(options)).run());
  return text;
}

TEST(Simulator, RepeatsATraceByteForByteFromItsSeed) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const std::string first = trace_of(seed);
    EXPECT_GT(first.size(), 500U);
    EXPECT_EQ(first, trace_of(seed)) << "seed " << seed;
  }
}

TEST(Simulator, TracesDifferWithTheSeed) {
  Scenario scenario = two_hosts({.delay = 5ms, .rate = 10_mbps, .queue = {.bdp = 1}, .loss = {.rate = 0.02}});
  scenario.flows.push_back({.bytes = 50'000});
  const std::uint64_t one = Simulator(scenario).run().trace_hash;
  EXPECT_EQ(Simulator(scenario).run().trace_hash, one);
  scenario.seed = 2;
  EXPECT_NE(Simulator(scenario).run().trace_hash, one);
}

TEST(Simulator, CarriesARequestAndItsReply) {
  Scenario scenario = two_hosts({.delay = 25ms, .rate = 10_mbps, .queue = {.bdp = 1}});
  scenario.flows.push_back(
      {.kind = FlowKind::kRequests, .count = 5, .bytes = 100, .reply_bytes = 30'000, .interval = 1s});
  const SimulationResult result = Simulator(scenario).run();
  EXPECT_TRUE(result.clean());
  EXPECT_EQ(result.confirmed, 5U);
  EXPECT_GT(result.simulated, 4s);
  EXPECT_LT(result.simulated, 6s);
}

// On a link with jumbo frames a stream takes a seventh of the packets; where the link stops carrying them, nothing is
// lost for good.
TEST(Simulator, UsesJumboFramesAndSurvivesTheirEnd) {
  const auto run = [](std::uint16_t largest, std::vector<MtuChange> changes) {
    Scenario scenario = two_hosts({.delay = 10ms,
                                   .rate = Bandwidth::from_bits_per_second(500'000'000),
                                   .queue = {.bdp = 2},
                                   .mtu = 9000,
                                   .mtu_changes = std::move(changes)});
    for (HostSpec& host : scenario.hosts) {
      host.config.handshake.extended = ExtendedPolicy::kRequire;
      host.config.handshake.largest_datagram = largest;
    }
    scenario.flows.push_back({.count = 4, .bytes = 8'000'000});
    const SimulationResult result = Simulator(std::move(scenario)).run();
    for (const Violation& violation : result.violations) ADD_FAILURE() << violation.text;
    EXPECT_EQ(result.confirmed, 4U);
    return result.datagrams;
  };
  const std::uint64_t small = run(1200, {});
  const std::uint64_t large = run(8900, {});
  EXPECT_LT(large, small / 4);
  const std::uint64_t hole = run(8900, {{.at = 300ms, .mtu = 1400}});
  EXPECT_GT(hole, large);
  EXPECT_LT(hole, small * 11 / 10);
}

// A queue that marks instead of dropping slows its sender down without a loss, as one that drops does with losses; a
// link that takes the marks away, or loses what carries them, is found out, and its queue drops again.
TEST(Simulator, AQueueThatMarksSlowsItsSenderDownWithoutALoss) {
  struct Outcome {
    std::uint64_t marked = 0;
    std::uint64_t dropped = 0;
    double seconds = 0;
  };
  const auto run = [](CongestionKind kind, Aqm aqm, EcnRule rule) {
    Scenario scenario =
        two_hosts({.delay = 20ms, .rate = 20_mbps, .queue = {.bytes = 2'000'000}, .aqm = aqm, .ecn = rule});
    for (HostSpec& host : scenario.hosts) {
      host.config.congestion = kind;
      host.config.handshake.extended = ExtendedPolicy::kRequire;
      host.config.handshake.largest_datagram = wire::kMaxDatagram;
    }
    scenario.flows.push_back({.bytes = 20'000'000});
    const SimulationResult result = Simulator(std::move(scenario)).run();
    for (const Violation& violation : result.violations) ADD_FAILURE() << violation.text;
    EXPECT_EQ(result.confirmed, 1U);
    Outcome outcome{.marked = result.marked, .dropped = 0, .seconds = to_seconds(result.simulated)};
    for (const std::uint64_t drops : result.drops) outcome.dropped += drops;
    return outcome;
  };
  for (const CongestionKind kind : adaptive_congestion_kinds()) {
    const Outcome dropping = run(kind, Aqm::kCodel, EcnRule::kPass);
    const Outcome marking = run(kind, Aqm::kCodel, EcnRule::kMark);
    EXPECT_EQ(dropping.marked, 0u) << to_string(kind);
    EXPECT_EQ(marking.dropped, 0u) << to_string(kind);
    EXPECT_LT(marking.seconds, dropping.seconds * 1.3) << to_string(kind);
    EXPECT_TRUE(dropping.dropped == 0 || marking.marked > 0) << to_string(kind);
  }
  // The window of CUBIC without CoDel fills the queue; with marks it does not.
  EXPECT_GT(run(CongestionKind::kCubic, Aqm::kCodel, EcnRule::kMark).marked, 5u);
  EXPECT_GT(run(CongestionKind::kCubic, Aqm::kCodel, EcnRule::kClear).dropped, 0u);
  EXPECT_LE(run(CongestionKind::kCubic, Aqm::kDropTail, EcnRule::kDrop).dropped, 40u) << "the packets of the test";
}

// Every alternative of trace::EventData and every kind of packet but those that only other implementations ask for.
class Seen final : public trace::Sink {
 public:
  void on_event(const trace::Event& event) override {
    events.insert(event.data.index());
    if (const auto* sent = std::get_if<trace::PacketSent>(&event.data)) kinds_sent.insert(sent->kind);
    if (const auto* received = std::get_if<trace::PacketReceived>(&event.data)) kinds_received.insert(received->kind);
  }
  std::set<std::size_t> events;
  std::set<trace::PacketKind> kinds_sent;
  std::set<trace::PacketKind> kinds_received;
};

TEST(Simulator, OneRunShowsEveryEventAndEveryKindOfPacket) {
  Scenario scenario =
      two_hosts({.delay = 20ms, .rate = 5_mbps, .queue = {.bytes = 8'000}, .loss = {.rate = 0.01}, .duplicate = 0.01});
  for (HostSpec& host : scenario.hosts) {
    host.config.handshake.extended = ExtendedPolicy::kAuto;
    host.config.handshake.flow = {.stream = 100'000, .connection = 200'000};
  }
  scenario.flows.push_back({.bytes = 2'000'000});
  scenario.flows.push_back({.kind = FlowKind::kMessages, .count = 20, .bytes = 200, .interval = 500ms});
  scenario.faults.push_back({.kind = FaultKind::kClose, .at = 6s, .target = 1});
  Seen seen;
  SimulatorOptions options;
  options.sinks = {&seen, &seen};
  const SimulationResult result = Simulator(std::move(scenario), std::move(options)).run();
  for (const Violation& violation : result.violations) ADD_FAILURE() << violation.text;
  for (std::size_t i = 0; i < std::variant_size_v<trace::EventData>; ++i) {
    EXPECT_TRUE(seen.events.contains(i)) << "alternative " << i << " of trace::EventData";
  }
  for (int i = 0; i < static_cast<int>(trace::PacketKind::kCount); ++i) {
    const auto kind = static_cast<trace::PacketKind>(i);
    const bool wanted = kind != trace::PacketKind::kUpgrade;
    EXPECT_EQ(seen.kinds_sent.contains(kind), wanted) << trace::packet_kind_name(kind);
    EXPECT_EQ(seen.kinds_received.contains(kind), wanted) << trace::packet_kind_name(kind);
  }
}

// The scenario in which each rule is broken on purpose. The stream that host 1 closes in the middle gives the rules of
// half-received streams something to see.
Scenario scenario_for_mutations() {
  Scenario scenario = two_hosts({.delay = 20ms, .rate = 5_mbps, .queue = {.bytes = 8'000}, .loss = {.rate = 0.01}});
  scenario.hosts[1].config.streams.delivery = DeliveryMode::kChunks;
  scenario.flows.push_back({.bytes = 2'000'000});
  scenario.flows.push_back({.kind = FlowKind::kMessages, .count = 20, .bytes = 200, .interval = 20ms});
  scenario.faults.push_back({.kind = FaultKind::kClose, .at = 1500ms, .target = 1});
  return scenario;
}

TEST(Checkers, AcceptTheScenarioThatMutationsBreak) {
  const SimulationResult result = Simulator(scenario_for_mutations()).run();
  for (const Violation& violation : result.violations) ADD_FAILURE() << violation.text;
}

struct Expectation {
  Mutation mutation;
  Rule rule;
};

class CheckersCanFail : public testing::TestWithParam<Expectation> {};

TEST_P(CheckersCanFail, OnTheirMutation) {
  SimulatorOptions options;
  options.mutation = GetParam().mutation;
  const SimulationResult result = Simulator(scenario_for_mutations(), std::move(options)).run();
  ASSERT_FALSE(result.clean()) << mutation_name(GetParam().mutation);
  EXPECT_EQ(rule_name(result.violations[0].rule), rule_name(GetParam().rule)) << result.violations[0].text;
}

INSTANTIATE_TEST_SUITE_P(
    Mutations, CheckersCanFail,
    testing::Values(
        Expectation{Mutation::kDeliverTwice, Rule::kDeliveredOnce}, Expectation{Mutation::kAlterPayload, Rule::kIntact},
        Expectation{Mutation::kHideConfirmation, Rule::kReported},
        Expectation{Mutation::kClaimUndelivered, Rule::kReported},
        Expectation{Mutation::kHideHalfReceived, Rule::kHalfReceived},
        Expectation{Mutation::kLeakPacket, Rule::kConserved}, Expectation{Mutation::kMiscountInFlight, Rule::kInFlight},
        Expectation{Mutation::kExceedWindow, Rule::kWindow}, Expectation{Mutation::kExceedPacer, Rule::kPacer},
        Expectation{Mutation::kOverfillQueue, Rule::kQueueBound}, Expectation{Mutation::kRepeatNonce, Rule::kNonce},
        Expectation{Mutation::kOversizeDatagram, Rule::kDatagram}, Expectation{Mutation::kForeignType, Rule::kDatagram},
        Expectation{Mutation::kPastTimer, Rule::kTimer}, Expectation{Mutation::kStallForever, Rule::kLiveness},
        Expectation{Mutation::kRetainConnection, Rule::kRetained}, Expectation{Mutation::kHoldMemory, Rule::kMemory},
        Expectation{Mutation::kAccusePeer, Rule::kAccused}, Expectation{Mutation::kMiscountConnections, Rule::kCounted},
        Expectation{Mutation::kMiscountHandshakes, Rule::kCounted},
        Expectation{Mutation::kMiscountPackets, Rule::kCounted}, Expectation{Mutation::kMiscountTrace, Rule::kCounted},
        Expectation{Mutation::kFalsifyForm, Rule::kForm}),
    [](const testing::TestParamInfo<Expectation>& tested) {
      std::string name(mutation_name(tested.param.mutation));
      std::replace(name.begin(), name.end(), '-', '_');
      return name;
    });

}  // namespace
}  // namespace godwit::sim::simulator_test
