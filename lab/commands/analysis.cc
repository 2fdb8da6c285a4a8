#include "commands/analysis.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "commands/analysis_path.h"
#include "measure/statistics.h"

namespace godwit::cli {
namespace {

using measure::Json;
using measure::number_or_zero;
using trace::CostStep;

// One side of one run, a packet.
struct Reading {
  double packets = 0;
  double payload_bytes = 0;
  double cpu = 0;  // ns
  double waits = 0;
  double pauses = 0;  // what is done without work: waits and receive calls that found nothing
  double idle = 0;    // ns, raw
  double busy = 0;    // ns, raw: with the cost of the probes
  double probes = 0;
  double loop_probe = 0;  // ns, of one probe
  std::string clock;
  struct Step {
    double raw = 0;
    double samples = 0;
    double percentiles[4] = {};  // ns of single samples, without the loop's cost of a probe
  };
  std::map<CostStep, Step> steps;
};

// Most of the polling that a loop does in place of sleeping.
double empty_receive_calls(const Json& socket) {
  const auto classes = socket.find("receive_occupancy");
  if (classes == socket.end()) return 0;
  for (const Json& entry : *classes) {
    if (number_or_zero(entry, "most_datagrams") == 0) return number_or_zero(entry, "calls");
  }
  return 0;
}

// What a run moved: a stream one way, or messages and their replies, of which each is a packet to either side.
struct Traffic {
  double packets = 0;
  double payload_bytes = 0;
  double goodput = 0;  // bit/s
  double datagrams_per_send_call = 0;
  double datagrams_per_receive_call = 0;
  double ack_packets = 0;  // a packet
  double retransmitted = 0;
};

Traffic stream_traffic(const Json& direction) {
  return {.packets = number_or_zero(direction, "packets_sent"),
          .payload_bytes = number_or_zero(direction, "delivered_bytes"),
          .goodput = number_or_zero(direction, "goodput_bits_per_second"),
          .datagrams_per_send_call = number_or_zero(direction, "datagrams_per_send_call"),
          .datagrams_per_receive_call = number_or_zero(direction, "datagrams_per_receive_call"),
          .ack_packets = number_or_zero(direction, "ack_packets_per_delivered_packet"),
          .retransmitted = number_or_zero(direction, "retransmitted_packets")};
}

Traffic message_traffic(const Json& run) {
  const Json& echo = run.at("ping_pong");
  const Json& sent = run.at("client").at("socket");
  const Json& received = run.at("server").at("socket");
  const double messages = number_or_zero(echo, "answered");
  const double packets = messages * 2;
  const double seconds = number_or_zero(echo, "seconds");
  const auto ratio = [](double of, double to) { return to > 0 ? of / to : 0; };
  return {.packets = packets,
          .payload_bytes = packets * number_or_zero(echo, "bytes"),
          .goodput = ratio(packets * number_or_zero(echo, "bytes") * 8, seconds),
          .datagrams_per_send_call = ratio(number_or_zero(sent, "datagrams_sent"), number_or_zero(sent, "send_calls")),
          .datagrams_per_receive_call =
              ratio(number_or_zero(received, "datagrams_received"), number_or_zero(received, "receive_calls")),
          .ack_packets = ratio(number_or_zero(run.at("server").at("connection"), "ack_packets_sent"), messages),
          .retransmitted = number_or_zero(run.at("client").at("connection"), "packets_retransmitted")};
}

Traffic traffic_of(const Json& run) {
  return run.at("results").empty() ? message_traffic(run) : stream_traffic(run.at("results").at(0));
}

Reading read_side(const Json& run, const char* side_name) {
  Reading reading;
  const Traffic traffic = traffic_of(run);
  const Json& side = run.at(side_name);
  reading.packets = traffic.packets;
  reading.payload_bytes = traffic.payload_bytes;
  if (reading.packets <= 0) return reading;
  const double n = reading.packets;
  reading.cpu = (number_or_zero(side, "cpu_user_seconds") + number_or_zero(side, "cpu_system_seconds")) * 1e9 / n;
  const Json& socket = side.at("socket");
  reading.waits = number_or_zero(socket, "waits") / n;
  reading.pauses = reading.waits + empty_receive_calls(socket) / n;
  const auto cost = side.find("cost");
  if (cost == side.end() || !cost->is_object()) return reading;
  reading.probes = number_or_zero(*cost, "probes") / n;
  reading.loop_probe = number_or_zero(*cost, "probe_nanoseconds");
  if (const auto clock = cost->find("clock"); clock != cost->end() && clock->is_string()) {
    reading.clock = clock->get<std::string>();
  }
  for (const Json& entry : cost->at("steps")) {
    const auto step = measure::parse_cost_step(entry.at("step").get<std::string>());
    if (!step) continue;
    Reading::Step& target = reading.steps[*step];
    target.raw = number_or_zero(entry, "raw_nanoseconds") / n;
    target.samples = number_or_zero(entry, "samples") / n;
    constexpr const char* kNames[] = {"sample_p50", "sample_p90", "sample_p99", "sample_p999"};
    for (std::size_t i = 0; i < 4; ++i) target.percentiles[i] = number_or_zero(entry, kNames[i]);
    (*step == CostStep::kIdle ? reading.idle : reading.busy) += target.raw;
  }
  return reading;
}

template <typename Get>
double median_of(const std::vector<Reading>& readings, Get get) {
  std::vector<double> values;
  for (const Reading& reading : readings) values.push_back(get(reading));
  return measure::median(values);
}

struct SideReadings {
  std::vector<Reading> plain;
  std::vector<Reading> probed;
};

Result<SideReadings> read_sides(const char* key, const std::vector<AnalysisRound>& rounds) {
  SideReadings readings;
  for (const AnalysisRound& round : rounds) {
    const Reading& plain = readings.plain.emplace_back(read_side(round.plain, key));
    const Reading& probed = readings.probed.emplace_back(read_side(round.probed, key));
    if (plain.packets <= 0 || probed.packets <= 0) return failure(ErrorCode::kProtocol, "a run moved no packets");
    if (plain.probes > 0) return failure(ErrorCode::kProtocol, "the plain build has probes");
    if (probed.probes <= 0) return failure(ErrorCode::kProtocol, "the probed build has no probes");
  }
  return readings;
}

// What one round says of its own probes and pauses, per packet.
struct RoundCosts {
  double probe = 0;    // of one probe
  double wait = 0;     // processor time of the plain side's pauses
  double held_up = 0;  // share of the probed side's wall time that it spent off its processor
};

// Processor time that is in no sample but idle ones: waiting and polling. Where the side hardly ever does there is
// nothing to take off, and such time is missing from the sum, as it should be.
RoundCosts costs_of(const Reading& plain, const Reading& probed) {
  constexpr double kHardlyEver = 1e-4;
  // Waiting of the plain side is as much a pause as the probed one's, less the probes in it (idle_probes).
  double probed_wait = 0;
  double pauses = 0;  // of the plain run, as a multiple of the probed one's
  double idle_probes = 0;
  if (plain.pauses > kHardlyEver && probed.pauses > kHardlyEver) {
    // Idle samples are wall time, and so at least what waiting took of the processor.
    probed_wait = std::clamp(probed.cpu - probed.busy, 0.0, probed.idle);
    pauses = plain.pauses / probed.pauses;
    idle_probes = probed.steps.contains(CostStep::kIdle) ? probed.steps.at(CostStep::kIdle).samples : 0;
  }
  // What the probed build takes more: the probes of its work, and its pauses where they are more.
  const double more = probed.cpu - probed_wait - (plain.cpu - pauses * probed_wait);
  const double probe = std::clamp(more / (probed.probes - idle_probes + pauses * idle_probes), 0.0, probed.loop_probe);
  return {.probe = probe,
          .wait = pauses * std::max(0.0, probed_wait - idle_probes * probe),
          .held_up = probed.busy > 0 ? 1 - std::min(1.0, probed.cpu / probed.busy) : 0};
}

// Samples are wall time: where a side is kept off its processor amid its work, they are longer than what it used, all
// steps alike. And the probes of each round come off that round's samples: what the machine did meanwhile, it did to
// all of the round.
void correct_samples(Reading& probed, const RoundCosts& costs) {
  for (auto& [kind, step] : probed.steps) {
    if (kind != CostStep::kIdle) step.raw *= 1 - costs.held_up;
    step.raw = std::max(0.0, step.raw - step.samples * costs.probe);
  }
}

measure::BreakdownStep step_of(CostStep kind, const std::vector<Reading>& probed, double probe) {
  const auto of = [kind](const Reading& r) -> const Reading::Step& { return r.steps.at(kind); };
  const auto percentile = [&](std::size_t index) {
    return median_of(probed,
                     [&](const Reading& r) { return std::max(0.0, of(r).percentiles[index] + r.loop_probe - probe); });
  };
  measure::BreakdownStep step;
  step.step = kind;
  step.nanoseconds = median_of(probed, [&](const Reading& r) { return of(r).raw; });
  step.samples = median_of(probed, [&](const Reading& r) { return of(r).samples; });
  step.sample_p50 = percentile(0);
  step.sample_p90 = percentile(1);
  step.sample_p99 = percentile(2);
  step.sample_p999 = percentile(3);
  return step;
}

// Of the steps that every round has; each one's share follows from the sum of all.
void add_steps(const std::vector<Reading>& probed, measure::Breakdown& breakdown) {
  for (std::size_t i = 0; i < trace::kCostSteps; ++i) {
    const auto kind = static_cast<CostStep>(i);
    const auto has_step = [kind](const Reading& r) { return r.steps.contains(kind); };
    if (!std::all_of(probed.begin(), probed.end(), has_step)) continue;
    const measure::BreakdownStep step = step_of(kind, probed, breakdown.probe_nanoseconds);
    if (kind == CostStep::kIdle) {
      breakdown.idle_nanoseconds = step.nanoseconds;
      continue;
    }
    breakdown.sum_nanoseconds += step.nanoseconds;
    breakdown.steps.push_back(step);
  }
  for (measure::BreakdownStep& step : breakdown.steps) {
    step.share = breakdown.sum_nanoseconds > 0 ? step.nanoseconds / breakdown.sum_nanoseconds : 0;
    const double rest = breakdown.sum_nanoseconds - step.nanoseconds;
    step.free_packets_per_second = rest > 0 ? 1e9 / rest : 0;
  }
}

Result<SideAnalysis> analyze_side(const std::string& name, const std::string& side, const char* key,
                                  const std::vector<AnalysisRound>& rounds) {
  auto readings = read_sides(key, rounds);
  if (!readings) return std::unexpected(readings.error());
  auto& [plain, probed] = *readings;

  SideAnalysis analysis;
  SideFacts& facts = analysis.facts;
  facts.waits = median_of(plain, [](const Reading& r) { return r.waits; });
  facts.loop_probe_nanoseconds = median_of(probed, [](const Reading& r) { return r.loop_probe; });
  facts.plain_nanoseconds = median_of(plain, [](const Reading& r) { return r.cpu; });
  facts.probed_nanoseconds = median_of(probed, [](const Reading& r) { return r.cpu; });

  std::vector<SideRun> plain_runs;
  std::vector<double> wholes;
  std::vector<RoundCosts> costs;
  for (std::size_t i = 0; i < rounds.size(); ++i) {
    plain_runs.push_back({.side = &rounds[i].plain.at(key), .packets = plain[i].packets});
    costs.push_back(costs_of(plain[i], probed[i]));
    wholes.push_back(plain[i].cpu - costs[i].wait);
    correct_samples(probed[i], costs[i]);
  }
  const auto median_cost = [&costs](double RoundCosts::* member) {
    std::vector<double> values;
    for (const RoundCosts& round : costs) values.push_back(round.*member);
    return measure::median(values);
  };
  facts.wait_nanoseconds = median_cost(&RoundCosts::wait);
  facts.held_up_share = median_cost(&RoundCosts::held_up);

  measure::Breakdown& breakdown = analysis.breakdown;
  breakdown.name = name;
  breakdown.side = side;
  breakdown.probe_nanoseconds = median_cost(&RoundCosts::probe);
  breakdown.probes = median_of(probed, [](const Reading& r) { return r.probes; });
  breakdown.clock = probed.front().clock;
  breakdown.plain_nanoseconds = measure::bootstrap_median(wholes);
  breakdown.path = path_facts_of(plain_runs);
  for (const Reading& reading : probed) {
    breakdown.packets += static_cast<std::uint64_t>(reading.packets);
    breakdown.payload_bytes += static_cast<std::uint64_t>(reading.payload_bytes);
  }
  add_steps(probed, breakdown);
  return analysis;
}

double without_calls(const measure::Breakdown& breakdown) {
  double sum = 0;
  for (const measure::BreakdownStep& step : breakdown.steps) {
    if (measure::group_of(step.step) != measure::CostGroup::kKernel) sum += step.nanoseconds;
  }
  return sum;
}

}  // namespace

Result<Analysis> analyze_rounds(const std::string& name, const std::vector<AnalysisRound>& rounds) {
  if (rounds.empty()) return failure(ErrorCode::kInvalidArgument, "no rounds");
  try {
    Analysis analysis;
    auto sender = analyze_side(name, "sender", "client", rounds);
    if (!sender) return std::unexpected(sender.error());
    auto receiver = analyze_side(name, "receiver", "server", rounds);
    if (!receiver) return std::unexpected(receiver.error());
    analysis.sender = std::move(*sender);
    analysis.receiver = std::move(*receiver);
    std::vector<double> per_send;
    std::vector<double> per_receive;
    std::vector<double> acks;
    for (const AnalysisRound& round : rounds) {
      const Traffic plain = traffic_of(round.plain);
      analysis.plain_goodput.push_back(plain.goodput);
      analysis.probed_goodput.push_back(traffic_of(round.probed).goodput);
      per_send.push_back(plain.datagrams_per_send_call);
      per_receive.push_back(plain.datagrams_per_receive_call);
      acks.push_back(plain.ack_packets);
      analysis.delivered_bytes += static_cast<std::uint64_t>(plain.payload_bytes);
      analysis.retransmitted_packets += static_cast<std::uint64_t>(plain.retransmitted);
      for (const char* const side : {"client", "server"}) {
        analysis.kernel_drops +=
            static_cast<std::uint64_t>(number_or_zero(round.plain.at(side).at("socket"), "kernel_drops"));
      }
    }
    analysis.datagrams_per_send_call = measure::median(per_send);
    analysis.datagrams_per_receive_call = measure::median(per_receive);
    analysis.ack_packets = measure::median(acks);
    analysis.backend = rounds.front().plain.at("backend").get<std::string>();
    analysis.cipher = rounds.front().plain.at("cipher").get<std::string>();
    return analysis;
  } catch (const Json::exception& error) {
    return failure(ErrorCode::kProtocol, std::string("a run's JSON lacks a member: ") + error.what());
  }
}

measure::PipelineLimit limit_without_system_calls(const Analysis& analysis) {
  const double slower = std::max(without_calls(analysis.sender.breakdown), without_calls(analysis.receiver.breakdown));
  const double now = std::max(analysis.sender.breakdown.sum_nanoseconds, analysis.receiver.breakdown.sum_nanoseconds);
  measure::PipelineLimit limit;
  if (slower <= 0) return limit;
  limit.packets_per_second = 1e9 / slower;
  limit.bits_per_second = limit.packets_per_second * analysis.sender.breakdown.payload_bytes_per_packet() * 8;
  limit.gain = now / slower - 1;
  return limit;
}

}  // namespace godwit::cli
