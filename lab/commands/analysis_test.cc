#include "commands/analysis.h"

#include <gtest/gtest.h>

namespace godwit::cli {
namespace {

using measure::Json;

constexpr double kPackets = 1e6;

// A side's JSON: `busy` ns a packet in seal, `idle` in idle samples, probes at `probes` a packet.
Json side(double cpu, double waits, const Json& cost) {
  return {{"cpu_user_seconds", cpu * kPackets * 1e-9},
          {"cpu_system_seconds", 0.0},
          {"voluntary_switches", waits * kPackets},
          {"involuntary_switches", 5},
          {"counters", {{"instructions", 900 * kPackets}, {"cache_misses", nullptr}, {"available", "instructions"}}},
          {"socket",
           {{"waits", waits * kPackets},
            {"send_calls", kPackets / 50},
            {"receive_calls", kPackets / 100},
            {"kernel_drops", 7U},
            {"send_occupancy", Json::array({{{"most_datagrams", 64U}, {"calls", 20'000U}}})},
            {"receive_occupancy",
             Json::array({{{"most_datagrams", 0U}, {"calls", 1'000U}}, {{"most_datagrams", 2U}, {"calls", 9'000U}}})}}},
          {"drops", {{"duplicate", 2U}}},
          {"endpoint_drops", {{"duplicate", 1U}, {"unknown_address", 4U}}},
          {"cost", cost}};
}

Json cost(double seal, double send, double probes, double idle) {
  const auto step = [](const char* name, double nanoseconds, double samples) {
    return Json{{"step", name},
                {"nanoseconds", 0},
                {"raw_nanoseconds", nanoseconds * kPackets},
                {"samples", samples * kPackets},
                {"sample_p50", 100},
                {"sample_p90", 100},
                {"sample_p99", 100},
                {"sample_p999", 100}};
  };
  return {{"clock", "tsc"},
          {"probes", probes * kPackets},
          {"probe_nanoseconds", 12.0},
          {"steps",
           Json::array({step("seal", seal, probes / 2), step("send_call", send, probes / 2), step("idle", idle, 0)})}};
}

Json run(const Json& client, const Json& server, double goodput) {
  return {{"backend", "gso"},
          {"cipher", "openssl"},
          {"client", client},
          {"server", server},
          {"results", Json::array({{{"packets_sent", kPackets},
                                    {"delivered_bytes", kPackets * 1130},
                                    {"goodput_bits_per_second", goodput},
                                    {"datagrams_per_send_call", 54.0},
                                    {"datagrams_per_receive_call", 54.0},
                                    {"ack_packets_per_delivered_packet", 0.01},
                                    {"retransmitted_packets", 0},
                                    {"kernel_drops", {{"sender", 0}, {"receiver", 0}}}}})}};
}

// True cost: 100 ns sealing, 60 ns sending, a probe 3 ns; the receiver also spends 20 ns a packet on sleeping and
// waking.
AnalysisRound perfect_round() {
  AnalysisRound round;
  round.plain = run(side(160, 0, nullptr), side(180, 0.01, nullptr), 20e9);
  round.probed = run(side(172, 0, cost(106, 66, 4, 0)), side(192, 0.01, cost(106, 66, 4, 30)), 19e9);
  return round;
}

TEST(Analysis, MeasuresAMarkByThePlainBuild) {
  const auto analysis = analyze_rounds("stream", {perfect_round(), perfect_round()});
  ASSERT_TRUE(analysis);
  EXPECT_NEAR(analysis->sender.breakdown.probe_nanoseconds, 3, 1e-6);
  EXPECT_NEAR(analysis->sender.facts.loop_probe_nanoseconds, 12, 1e-6);
}

TEST(Analysis, PartsSumToThePlainWholeWithoutItsWaiting) {
  const auto analysis = analyze_rounds("stream", {perfect_round()});
  ASSERT_TRUE(analysis);
  for (const SideAnalysis* half : {&analysis->sender, &analysis->receiver}) {
    EXPECT_NEAR(half->breakdown.sum_nanoseconds, 160, 1e-6) << half->breakdown.side;
    EXPECT_NEAR(half->breakdown.plain_nanoseconds->estimate, 160, 1e-6) << half->breakdown.side;
    EXPECT_TRUE(half->breakdown.sums_up().value_or(false));
  }
  EXPECT_NEAR(analysis->receiver.facts.wait_nanoseconds, 20, 1e-6);
}

TEST(Analysis, CountsMessagesWhereNoStreamWent) {
  AnalysisRound round = perfect_round();
  for (Json* of : {&round.plain, &round.probed}) {
    (*of)["results"] = Json::array();
    (*of)["ping_pong"] = {{"answered", kPackets / 2}, {"bytes", 64}, {"seconds", 2.0}};
    for (const char* side : {"client", "server"}) {
      (*of)[side]["socket"].update({{"datagrams_sent", kPackets},
                                    {"send_calls", kPackets / 4},
                                    {"datagrams_received", kPackets},
                                    {"receive_calls", kPackets / 2}});
      (*of)[side]["connection"] = {{"ack_packets_sent", kPackets / 20}, {"packets_retransmitted", 3}};
    }
  }
  const auto analysis = analyze_rounds("messages", {round});
  ASSERT_TRUE(analysis) << analysis.error().message;
  EXPECT_EQ(analysis->delivered_bytes, static_cast<std::uint64_t>(kPackets) * 64);
  EXPECT_DOUBLE_EQ(analysis->plain_goodput.front(), kPackets * 64.0 * 8 / 2);
  EXPECT_DOUBLE_EQ(analysis->datagrams_per_send_call, 4);
  EXPECT_DOUBLE_EQ(analysis->datagrams_per_receive_call, 2);
  EXPECT_DOUBLE_EQ(analysis->ack_packets, 0.1);
  EXPECT_EQ(analysis->retransmitted_packets, 3U);
  EXPECT_NEAR(analysis->sender.breakdown.sum_nanoseconds, 160, 1e-6);
}

TEST(Analysis, SaysSoWhenThePartsDoNotSumUp) {
  AnalysisRound round = perfect_round();
  round.plain = run(side(260, 0, nullptr), side(180, 0.01, nullptr), 20e9);
  const auto analysis = analyze_rounds("stream", {round});
  ASSERT_TRUE(analysis);
  EXPECT_FALSE(analysis->sender.breakdown.sums_up().value_or(true));
  EXPECT_NEAR(*analysis->sender.breakdown.remainder_nanoseconds(), 88, 1e-6);
}

TEST(Analysis, MissesProcessorTimeThatNoSampleCovers) {
  AnalysisRound round = perfect_round();
  round.plain = run(side(200, 0, nullptr), side(180, 0.01, nullptr), 20e9);
  round.probed = run(side(212, 0, cost(106, 66, 4, 0)), side(192, 0.01, cost(106, 66, 4, 30)), 19e9);
  const auto analysis = analyze_rounds("stream", {round});
  ASSERT_TRUE(analysis);
  EXPECT_NEAR(analysis->sender.breakdown.probe_nanoseconds, 3, 1e-6);
  EXPECT_NEAR(*analysis->sender.breakdown.remainder_nanoseconds(), 40, 1e-6);
}

TEST(Analysis, TakesOffTheTimeThatOthersHadTheProcessor) {
  AnalysisRound round = perfect_round();
  // Samples of twice the time that was used.
  round.probed = run(side(172, 0, cost(212, 132, 4, 0)), side(192, 0.01, cost(106, 66, 4, 30)), 19e9);
  const auto analysis = analyze_rounds("stream", {round});
  ASSERT_TRUE(analysis);
  EXPECT_NEAR(analysis->sender.facts.held_up_share, 0.5, 1e-6);
  EXPECT_NEAR(analysis->sender.breakdown.sum_nanoseconds, 160, 1e-6);
}

TEST(Analysis, TellsWhatAPacketCausesInThePlainRuns) {
  const auto analysis = analyze_rounds("stream", {perfect_round(), perfect_round()});
  ASSERT_TRUE(analysis) << analysis.error().message;
  const measure::PathFacts& path = *analysis->receiver.breakdown.path;
  EXPECT_NEAR(path.system_calls, 0.04, 1e-9);
  EXPECT_NEAR(path.voluntary_switches, 0.01, 1e-9);
  EXPECT_NEAR(path.involuntary_switches, 5 / kPackets, 1e-12);
  EXPECT_DOUBLE_EQ(path.counter(measure::PerfEvent::kInstructions).value_or(0), 900);
  EXPECT_FALSE(path.counter(measure::PerfEvent::kCacheMisses));
  EXPECT_EQ(path.counters_description, "instructions");
}

TEST(Analysis, SumsOccupancyAndDropsOverThePlainRuns) {
  const auto analysis = analyze_rounds("stream", {perfect_round(), perfect_round()});
  ASSERT_TRUE(analysis) << analysis.error().message;
  const measure::PathFacts& path = *analysis->sender.breakdown.path;
  ASSERT_EQ(path.send_occupancy.size(), 1U);
  EXPECT_EQ(path.send_occupancy[0].calls, 40'000U);
  ASSERT_EQ(path.receive_occupancy.size(), 2U);
  EXPECT_EQ(path.receive_occupancy[0].most_datagrams, 0U);
  EXPECT_EQ(path.receive_occupancy[1].calls, 18'000U);
  const std::vector<std::pair<std::string, std::uint64_t>> expected = {{"refused by the kernel on sending", 0},
                                                                       {"receive buffer of the socket full", 14},
                                                                       {"longer than any datagram of Godwit", 0},
                                                                       {"transport: duplicate", 6},
                                                                       {"transport: unknown_address", 8}};
  EXPECT_EQ(path.drops, expected);
  EXPECT_EQ(analysis->kernel_drops, 28U) << "of both sides";
}

TEST(Analysis, RefusesAPlainBuildWithProbes) {
  AnalysisRound round = perfect_round();
  round.plain = round.probed;
  EXPECT_FALSE(analyze_rounds("stream", {round}));
}

TEST(Analysis, RefusesAMarkedBuildWithout) {
  AnalysisRound round = perfect_round();
  round.probed = round.plain;
  EXPECT_FALSE(analyze_rounds("stream", {round}));
}

TEST(Analysis, RefusesRunsThatLackMembers) {
  AnalysisRound round = perfect_round();
  round.plain["results"] = Json::array();
  EXPECT_FALSE(analyze_rounds("stream", {round}));
}

TEST(Analysis, WithoutSystemCallsOnlyTheRestLimits) {
  const auto analysis = analyze_rounds("stream", {perfect_round()});
  ASSERT_TRUE(analysis);
  const measure::PipelineLimit limit = limit_without_system_calls(*analysis);
  EXPECT_NEAR(limit.packets_per_second, 1e7, 1);
  EXPECT_NEAR(limit.gain, 0.6, 1e-6);
}

}  // namespace
}  // namespace godwit::cli
