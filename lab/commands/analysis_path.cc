#include "commands/analysis_path.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "measure/statistics.h"

namespace godwit::cli {
namespace {

using measure::Json;
using measure::number_or_zero;
using measure::Occupancy;
using measure::PathFacts;

std::uint64_t count(const Json& object, std::string_view key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

template <typename Get>
double median_a_packet(std::span<const SideRun> runs, Get get) {
  std::vector<double> values;
  for (const SideRun& run : runs) values.push_back(get(*run.side) / run.packets);
  return measure::median(values);
}

std::optional<double> counter_a_packet(std::span<const SideRun> runs, std::string_view name) {
  std::vector<double> values;
  for (const SideRun& run : runs) {
    const auto counters = run.side->find("counters");
    if (counters == run.side->end() || !counters->is_object()) return std::nullopt;
    const auto value = counters->find(name);
    if (value == counters->end() || !value->is_number()) return std::nullopt;
    values.push_back(value->get<double>() / run.packets);
  }
  return measure::median(values);
}

Occupancy sum_of_occupancies(std::span<const SideRun> runs, const char* key) {
  std::map<std::uint64_t, std::uint64_t> calls;
  for (const SideRun& run : runs) {
    for (const Json& entry : run.side->at("socket").at(key)) {
      calls[count(entry, "most_datagrams")] += count(entry, "calls");
    }
  }
  Occupancy occupancy;
  for (const auto& [most, number] : calls) occupancy.push_back({.most_datagrams = most, .calls = number});
  return occupancy;
}

// Places that every side has, along the data path; what the transport itself drops stands below them, by its reason.
struct SocketPlace {
  const char* name;
  const char* member;
};
constexpr SocketPlace kSocketPlaces[] = {
    {"refused by the kernel on sending", "datagrams_discarded"},
    {"receive buffer of the socket full", "kernel_drops"},
    {"longer than any datagram of Godwit", "truncated_datagrams"},
};

std::vector<std::pair<std::string, std::uint64_t>> sum_of_drops(std::span<const SideRun> runs) {
  std::vector<std::pair<std::string, std::uint64_t>> drops;
  for (const auto& [name, member] : kSocketPlaces) {
    std::uint64_t sum = 0;
    for (const SideRun& run : runs) sum += count(run.side->at("socket"), member);
    drops.emplace_back(name, sum);
  }
  std::map<std::string, std::uint64_t> reasons;
  for (const SideRun& run : runs) {
    for (const char* const key : {"drops", "endpoint_drops"}) {
      for (const auto& [reason, of_it] : run.side->at(key).items()) {
        if (of_it.is_number_unsigned()) reasons["transport: " + reason] += of_it.get<std::uint64_t>();
      }
    }
  }
  drops.insert(drops.end(), reasons.begin(), reasons.end());
  return drops;
}

}  // namespace

PathFacts path_facts_of(std::span<const SideRun> runs) {
  PathFacts facts;
  facts.system_calls = median_a_packet(runs, [](const Json& side) {
    const Json& socket = side.at("socket");
    return number_or_zero(socket, "send_calls") + number_or_zero(socket, "receive_calls") +
           number_or_zero(socket, "waits");
  });
  facts.voluntary_switches =
      median_a_packet(runs, [](const Json& side) { return number_or_zero(side, "voluntary_switches"); });
  facts.involuntary_switches =
      median_a_packet(runs, [](const Json& side) { return number_or_zero(side, "involuntary_switches"); });
  for (std::size_t i = 0; i < measure::kPerfEvents; ++i) {
    facts.counters[i] = counter_a_packet(runs, measure::name_of(static_cast<measure::PerfEvent>(i)));
  }
  facts.counters_description = runs.front().side->at("counters").at("available").get<std::string>();
  facts.send_occupancy = sum_of_occupancies(runs, "send_occupancy");
  facts.receive_occupancy = sum_of_occupancies(runs, "receive_occupancy");
  facts.drops = sum_of_drops(runs);
  return facts;
}

}  // namespace godwit::cli
