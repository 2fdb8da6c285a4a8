#include "cli/backend_figures.h"

#include <vector>

namespace godwit::cli {
namespace {

using measure::Json;
using measure::JsonReader;

// Names of members, once for both directions of the conversion.
struct BackendMember {
  const char* name;
  std::uint64_t BackendFigures::* member;
};
constexpr BackendMember kBackendMembers[] = {
    {"runs_sent", &BackendFigures::runs_sent},
    {"datagrams_sent", &BackendFigures::datagrams_sent},
    {"bytes_sent", &BackendFigures::bytes_sent},
    {"send_calls", &BackendFigures::send_calls},
    {"blocked_sends", &BackendFigures::blocked_sends},
    {"datagrams_discarded", &BackendFigures::datagrams_discarded},
    {"offloaded_datagrams", &BackendFigures::offloaded_datagrams},
    {"offload_fallbacks", &BackendFigures::offload_fallbacks},
    {"runs_received", &BackendFigures::runs_received},
    {"datagrams_received", &BackendFigures::datagrams_received},
    {"bytes_received", &BackendFigures::bytes_received},
    {"receive_calls", &BackendFigures::receive_calls},
    {"truncated_datagrams", &BackendFigures::truncated_datagrams},
    {"kernel_drops", &BackendFigures::kernel_drops},
    {"send_refusals", &BackendFigures::send_refusals},
    {"receive_errors", &BackendFigures::receive_errors},
    {"waits", &BackendFigures::waits},
};

CallOccupancy difference(const CallOccupancy& after, const CallOccupancy& before) {
  CallOccupancy result;
  for (std::size_t i = 0; i < CallOccupancy::kClasses; ++i) {
    result.add(CallOccupancy::most_of(i), after.calls(i) - before.calls(i));
  }
  return result;
}

Json occupancy_to_json(const CallOccupancy& occupancy) {
  Json classes = Json::array();
  for (std::size_t i = 0; i < CallOccupancy::kClasses; ++i) {
    if (occupancy.calls(i) == 0) continue;
    classes.push_back({{"most_datagrams", CallOccupancy::most_of(i)}, {"calls", occupancy.calls(i)}});
  }
  return classes;
}

CallOccupancy occupancy_from_json(std::vector<JsonReader> classes) {
  CallOccupancy occupancy;
  for (JsonReader& entry : classes) occupancy.add(entry.count("most_datagrams"), entry.count("calls"));
  return occupancy;
}

}  // namespace

BackendFigures read_backend_figures(const Backend& backend) {
  const BackendStatistics& counted = backend.statistics();
  return {.runs_sent = counted.runs_sent,
          .datagrams_sent = counted.datagrams_sent,
          .bytes_sent = counted.bytes_sent,
          .send_calls = counted.send_calls,
          .blocked_sends = counted.blocked_sends,
          .datagrams_discarded = counted.datagrams_discarded,
          .offloaded_datagrams = counted.offloaded_datagrams,
          .offload_fallbacks = counted.offload_fallbacks,
          .runs_received = counted.runs_received,
          .datagrams_received = counted.datagrams_received,
          .bytes_received = counted.bytes_received,
          .receive_calls = counted.receive_calls,
          .truncated_datagrams = counted.truncated_datagrams,
          .kernel_drops = counted.kernel_drops,
          .send_refusals = counted.send_refusals.total(),
          .receive_errors = counted.receive_errors.total(),
          .waits = counted.wait_calls,
          .send_occupancy = counted.send_occupancy,
          .receive_occupancy = counted.receive_occupancy};
}

BackendFigures operator-(const BackendFigures& after, const BackendFigures& before) {
  BackendFigures result;
  for (const auto& [name, member] : kBackendMembers) result.*member = after.*member - before.*member;
  result.send_occupancy = difference(after.send_occupancy, before.send_occupancy);
  result.receive_occupancy = difference(after.receive_occupancy, before.receive_occupancy);
  return result;
}

Json to_json(const BackendFigures& figures) {
  Json json = Json::object();
  for (const auto& [name, member] : kBackendMembers) json[name] = figures.*member;
  json["send_occupancy"] = occupancy_to_json(figures.send_occupancy);
  json["receive_occupancy"] = occupancy_to_json(figures.receive_occupancy);
  return json;
}

BackendFigures backend_figures_from_json(JsonReader reader) {
  BackendFigures figures;
  for (const auto& [name, member] : kBackendMembers) figures.*member = reader.count(name);
  figures.send_occupancy = occupancy_from_json(reader.objects("send_occupancy"));
  figures.receive_occupancy = occupancy_from_json(reader.objects("receive_occupancy"));
  return figures;
}

}  // namespace godwit::cli
