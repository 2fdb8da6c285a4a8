#include "cli/perf_side.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "support/build_facts.h"
#include "wire/utf8.h"

namespace godwit::cli {
namespace {

using measure::Json;
using measure::JsonReader;

// A peer's own text: twice what this version writes, and as deep.
constexpr measure::JsonLimits kHostileLimits{.depth = 8, .elements = 2000};

struct ConnectionMember {
  const char* name;
  std::uint64_t ConnectionStatistics::* member;
};
constexpr ConnectionMember kConnectionMembers[] = {
    {"packets_sent", &ConnectionStatistics::packets_sent},
    {"bytes_sent", &ConnectionStatistics::bytes_sent},
    {"payload_bytes_sent", &ConnectionStatistics::payload_bytes_sent},
    {"packets_retransmitted", &ConnectionStatistics::packets_retransmitted},
    {"packets_lost", &ConnectionStatistics::packets_lost},
    {"losses_spurious", &ConnectionStatistics::losses_spurious},
    {"packets_abandoned", &ConnectionStatistics::packets_abandoned},
    {"tail_probes", &ConnectionStatistics::tail_probes},
    {"timeouts", &ConnectionStatistics::timeouts},
    {"ack_packets_sent", &ConnectionStatistics::ack_packets_sent},
    {"acks_sent", &ConnectionStatistics::acks_sent},
    {"acks_repeated", &ConnectionStatistics::acks_repeated},
    {"batches_sent", &ConnectionStatistics::batches_sent},
    {"packets_received", &ConnectionStatistics::packets_received},
    {"bytes_received", &ConnectionStatistics::bytes_received},
    {"payload_bytes_received", &ConnectionStatistics::payload_bytes_received},
    {"acks_received", &ConnectionStatistics::acks_received},
    {"acks_unknown", &ConnectionStatistics::acks_unknown},
    {"batches_received", &ConnectionStatistics::batches_received},
    {"window_bytes", &ConnectionStatistics::window_bytes},
    {"datagram_bytes", &ConnectionStatistics::datagram_bytes},
    {"size_probes_sent", &ConnectionStatistics::size_probes_sent},
    {"size_probes_lost", &ConnectionStatistics::size_probes_lost},
    {"size_reductions", &ConnectionStatistics::size_reductions},
    {"key_packets_sealed", &ConnectionStatistics::key_packets_sealed},
    {"key_updates", &ConnectionStatistics::key_updates},
    {"ecn_marks_received", &ConnectionStatistics::ecn_marks_received},
    {"ecn_marks_reported", &ConnectionStatistics::ecn_marks_reported},
};

struct RoundTripMember {
  const char* name;
  Duration ConnectionStatistics::* member;
};
constexpr RoundTripMember kRoundTripMembers[] = {
    {"latest_round_trip_seconds", &ConnectionStatistics::latest_round_trip},
    {"smoothed_round_trip_seconds", &ConnectionStatistics::smoothed_round_trip},
    {"minimum_round_trip_seconds", &ConnectionStatistics::minimum_round_trip},
    {"round_trip_variance_seconds", &ConnectionStatistics::round_trip_variance},
};

std::map<std::string, std::uint64_t> by_reason(const DropCounts& counts, const DropCounts& before) {
  std::map<std::string, std::uint64_t> result;
  for (std::size_t i = 0; i < static_cast<std::size_t>(trace::DropReason::kCount); ++i) {
    const auto reason = static_cast<trace::DropReason>(i);
    if (counts.of(reason) > before.of(reason)) {
      result.emplace(trace::drop_reason_name(reason), counts.of(reason) - before.of(reason));
    }
  }
  return result;
}

Json counts_to_json(const std::map<std::string, std::uint64_t>& counts) {
  Json result = Json::object();
  for (const auto& [name, count] : counts) result[name] = count;
  return result;
}

std::map<std::string, std::uint64_t> counts_from_json(const Json& value, const char* key) {
  constexpr std::size_t kMost = 64;
  std::map<std::string, std::uint64_t> result;
  const auto found = value.find(key);
  if (found == value.end() || !found->is_object()) return result;
  for (const auto& [name, count] : found->items()) {
    if (count.is_number_unsigned() && result.size() < kMost)
      result.emplace(wire::cut_utf8(name, 64), count.get<std::uint64_t>());
  }
  return result;
}

Json object_or_null(const Json& value, const char* key) {
  const auto found = value.find(key);
  return found != value.end() && found->is_object() ? *found : Json();
}

}  // namespace

PerfSideMeter::PerfSideMeter(const Node& node, std::string idle, PerfInstruments* instruments)
    : node_(node), idle_(std::move(idle)), instruments_(instruments) {}

void PerfSideMeter::begin() {
  backend_before_ = node_.backend().statistics();
  drops_before_ = node_.endpoint().statistics().drops;
  turns_before_ = node_.statistics().turns;
  cpu_before_ = measure::cpu_usage_of_this_process();
  if (instruments_ != nullptr) instruments_->begin();
}

PerfSide PerfSideMeter::end(Instant now, const PerfRun& run) {
  PerfSide side;
  if (instruments_ != nullptr) side.instruments = instruments_->end();
  const measure::CpuUsage cpu = measure::cpu_usage_of_this_process() - cpu_before_;
  side.cpu_user_seconds = to_seconds(cpu.user);
  side.cpu_system_seconds = to_seconds(cpu.system);
  side.largest_resident_bytes = cpu.largest_resident_bytes;
  side.voluntary_switches = cpu.voluntary_switches;
  side.involuntary_switches = cpu.involuntary_switches;
  side.socket = difference(node_.backend().statistics(), backend_before_);
  side.turns = node_.statistics().turns - turns_before_;
  side.backend = to_string(node_.backend().kind());
  side.backend_choice = node_.backend().choice();
  side.connection = run.statistics();
  side.cipher = side.connection.cipher;
  side.congestion = side.connection.congestion;
  side.congestion_state = side.connection.congestion_state;
  side.session = side.connection.form;
  side.session_fallback = side.connection.fallback;
  side.drops = by_reason(side.connection.drops, {});
  side.endpoint_drops = by_reason(node_.endpoint().statistics().drops, drops_before_);
  if (const auto faults = node_.faults()) {
    side.faults = {{"dropped", faults->dropped},     {"duplicated", faults->duplicated},
                   {"reordered", faults->reordered}, {"corrupted", faults->corrupted},
                   {"delayed", faults->delayed},     {"queue_overflow", faults->queue_overflow}};
  }
  const measure::BuildFacts build = measure::build_facts();
  side.build = build.version + ", commit " + build.commit + (build.dirty ? " (dirty), " : ", ") + build.compiler +
               ", " + build.build_type + (build.sanitizers.empty() ? "" : ", sanitizers " + build.sanitizers);
  side.idle = idle_;
  side.receive_buffer_bytes = node_.backend().socket().receive_buffer_bytes();
  side.window_bytes = run.options().window;
  if (const PerfReceiver* const receiver = run.receiver()) {
    side.received_bytes = receiver->bytes();
    side.receive_seconds = to_seconds(receiver->elapsed());
  }
  if (const PerfSender* const sender = run.sender()) {
    side.sent_bytes = sender->bytes();
    side.send_seconds = to_seconds(sender->elapsed(now));
    side.cancelled_bytes = sender->handed_out() - std::min(sender->bytes(), sender->handed_out());
  }
  side.renewals = run.renewals();
  return side;
}

Json to_json(const PerfSide& side) {
  Json connection = Json::object();
  for (const auto& [name, member] : kConnectionMembers) connection[name] = side.connection.*member;
  for (const auto& [name, member] : kRoundTripMembers) connection[name] = to_seconds(side.connection.*member);
  const Bandwidth pacing = side.connection.pacing_rate;
  connection["pacing_bits_per_second"] = pacing.is_unlimited() ? Json() : Json(pacing.bits_per_second());
  return {{"backend", side.backend},
          {"backend_choice", side.backend_choice},
          {"cipher", side.cipher},
          {"congestion", side.congestion},
          {"congestion_state", side.congestion_state},
          {"session", side.session},
          {"session_fallback", side.session_fallback},
          {"build", side.build},
          {"idle", side.idle},
          {"receive_buffer_bytes", side.receive_buffer_bytes},
          {"window_bytes", side.window_bytes},
          {"cpu_user_seconds", side.cpu_user_seconds},
          {"cpu_system_seconds", side.cpu_system_seconds},
          {"largest_resident_bytes", side.largest_resident_bytes},
          {"voluntary_switches", side.voluntary_switches},
          {"involuntary_switches", side.involuntary_switches},
          {"counters", side.instruments.counters},
          {"received_bytes", side.received_bytes},
          {"receive_seconds", side.receive_seconds},
          {"sent_bytes", side.sent_bytes},
          {"send_seconds", side.send_seconds},
          {"cancelled_bytes", side.cancelled_bytes},
          {"renewals", side.renewals},
          {"turns", side.turns},
          {"socket", to_json(side.socket)},
          {"connection", std::move(connection)},
          {"drops", counts_to_json(side.drops)},
          {"endpoint_drops", counts_to_json(side.endpoint_drops)},
          {"faults", counts_to_json(side.faults)},
          {"cost", side.instruments.cost}};
}

std::optional<PerfSide> perf_side_from_json(std::string_view text) {
  const auto parsed = measure::parse_json(text, kHostileLimits);
  if (!parsed || !parsed->is_object()) return std::nullopt;
  std::vector<std::string> problems;
  JsonReader reader(*parsed, "", problems);
  PerfSide side;
  side.backend = reader.text("backend");
  side.backend_choice = reader.text("backend_choice");
  side.cipher = reader.text("cipher");
  side.congestion = reader.text("congestion");
  side.congestion_state = reader.text("congestion_state");
  side.session = reader.text("session");
  side.session_fallback = reader.text("session_fallback");
  side.build = reader.text("build");
  side.idle = reader.text("idle");
  side.receive_buffer_bytes = reader.count("receive_buffer_bytes");
  side.window_bytes = reader.count("window_bytes");
  side.cpu_user_seconds = reader.number("cpu_user_seconds");
  side.cpu_system_seconds = reader.number("cpu_system_seconds");
  side.largest_resident_bytes = reader.count("largest_resident_bytes");
  side.received_bytes = reader.count("received_bytes");
  side.receive_seconds = reader.number("receive_seconds");
  side.sent_bytes = reader.count("sent_bytes");
  side.send_seconds = reader.number("send_seconds");
  side.cancelled_bytes = reader.count("cancelled_bytes");
  side.renewals = static_cast<std::uint32_t>(reader.count("renewals"));
  side.turns = reader.count("turns");
  side.voluntary_switches = reader.count("voluntary_switches");
  side.involuntary_switches = reader.count("involuntary_switches");
  side.socket = backend_statistics_from_json(reader.object("socket"));
  JsonReader connection = reader.object("connection");
  for (const auto& [name, member] : kConnectionMembers) side.connection.*member = connection.count(name);
  for (const auto& [name, member] : kRoundTripMembers) side.connection.*member = from_seconds(connection.number(name));
  if (const auto pacing = connection.optional_number("pacing_bits_per_second");
      pacing && *pacing >= 0 && *pacing < 1e18) {
    side.connection.pacing_rate = Bandwidth::from_bits_per_second(static_cast<std::uint64_t>(*pacing));
  } else {
    side.connection.pacing_rate = Bandwidth::unlimited();
  }
  side.drops = counts_from_json(*parsed, "drops");
  side.endpoint_drops = counts_from_json(*parsed, "endpoint_drops");
  side.faults = counts_from_json(*parsed, "faults");
  side.instruments = {.counters = object_or_null(*parsed, "counters"), .cost = object_or_null(*parsed, "cost")};
  return side;
}

}  // namespace godwit::cli
