#include "measure/path_facts.h"

#include "support/json.h"

namespace godwit::measure {

std::uint64_t PathFacts::calls_of(const Occupancy& occupancy) {
  std::uint64_t sum = 0;
  for (const OccupancyClass& each : occupancy) sum += each.calls;
  return sum;
}

Json to_json(const PathFacts& facts) {
  Json counters = Json::object();
  for (std::size_t i = 0; i < kPerfEvents; ++i) {
    counters[std::string(name_of(static_cast<PerfEvent>(i)))] = number_or_null(facts.counters[i]);
  }
  counters["available"] = facts.counters_description;
  Json drops = Json::object();
  for (const auto& [place, count] : facts.drops) drops[place] = count;
  return {{"system_calls", facts.system_calls},
          {"voluntary_switches", facts.voluntary_switches},
          {"involuntary_switches", facts.involuntary_switches},
          {"counters", std::move(counters)},
          {"send_occupancy", to_json(facts.send_occupancy)},
          {"receive_occupancy", to_json(facts.receive_occupancy)},
          {"drops", std::move(drops)}};
}

PathFacts path_facts_from_json(JsonReader reader) {
  PathFacts facts;
  facts.system_calls = reader.number("system_calls");
  facts.voluntary_switches = reader.number("voluntary_switches");
  facts.involuntary_switches = reader.number("involuntary_switches");
  JsonReader counters = reader.object("counters");
  for (std::size_t i = 0; i < kPerfEvents; ++i) {
    facts.counters[i] = counters.optional_number(name_of(static_cast<PerfEvent>(i)));
  }
  facts.counters_description = counters.text("available");
  facts.send_occupancy = occupancy_from_json(reader, "send_occupancy");
  facts.receive_occupancy = occupancy_from_json(reader, "receive_occupancy");
  const JsonReader drops = reader.object("drops");
  for (const auto& [place, count] : drops.value().items()) {
    if (!count.is_number_unsigned()) {
      reader.problem("drops." + place, "expected a count");
      continue;
    }
    facts.drops.emplace_back(place, count.get<std::uint64_t>());
  }
  return facts;
}

}  // namespace godwit::measure
