#include "cli/backend_figures.h"

#include "support/json.h"
#include "support/occupancy.h"

namespace godwit::cli {
namespace {

using measure::Json;
using measure::JsonReader;

// Names of members, once for the difference and for both directions of the conversion.
template <typename T>
struct Member {
  const char* name;
  T BackendStatistics::* member;
};
constexpr Member<std::uint64_t> kCounts[] = {
    {"batches_sent", &BackendStatistics::batches_sent},
    {"datagrams_sent", &BackendStatistics::datagrams_sent},
    {"bytes_sent", &BackendStatistics::bytes_sent},
    {"send_calls", &BackendStatistics::send_calls},
    {"blocked_sends", &BackendStatistics::blocked_sends},
    {"datagrams_discarded", &BackendStatistics::datagrams_discarded},
    {"offloaded_datagrams", &BackendStatistics::offloaded_datagrams},
    {"offload_fallbacks", &BackendStatistics::offload_fallbacks},
    {"batches_received", &BackendStatistics::batches_received},
    {"datagrams_received", &BackendStatistics::datagrams_received},
    {"bytes_received", &BackendStatistics::bytes_received},
    {"receive_calls", &BackendStatistics::receive_calls},
    {"truncated_datagrams", &BackendStatistics::truncated_datagrams},
    {"kernel_drops", &BackendStatistics::kernel_drops},
    {"path_errors", &BackendStatistics::path_errors},
    {"path_reports_dropped", &BackendStatistics::path_reports_dropped},
    {"waits", &BackendStatistics::wait_calls},
};
constexpr Member<ErrnoCounts> kTotals[] = {
    {"send_refusals", &BackendStatistics::send_refusals},
    {"receive_errors", &BackendStatistics::receive_errors},
};
constexpr Member<CallOccupancy> kOccupancies[] = {
    {"send_occupancy", &BackendStatistics::send_occupancy},
    {"receive_occupancy", &BackendStatistics::receive_occupancy},
};

measure::Occupancy classes_of(const CallOccupancy& occupancy) {
  measure::Occupancy classes;
  for (std::size_t i = 0; i < CallOccupancy::kClasses; ++i) {
    if (occupancy.calls(i) == 0) continue;
    classes.push_back({.most_datagrams = CallOccupancy::most_of(i), .calls = occupancy.calls(i)});
  }
  return classes;
}

}  // namespace

BackendStatistics difference(const BackendStatistics& after, const BackendStatistics& before) {
  BackendStatistics result;
  for (const auto& [name, member] : kCounts) result.*member = after.*member - before.*member;
  for (const auto& [name, member] : kTotals) {
    (result.*member).add_other((after.*member).total() - (before.*member).total());
  }
  for (const auto& [name, member] : kOccupancies) {
    for (std::size_t i = 0; i < CallOccupancy::kClasses; ++i) {
      (result.*member).add(CallOccupancy::most_of(i), (after.*member).calls(i) - (before.*member).calls(i));
    }
  }
  return result;
}

Json to_json(const BackendStatistics& counted) {
  Json json = Json::object();
  for (const auto& [name, member] : kCounts) json[name] = counted.*member;
  for (const auto& [name, member] : kTotals) json[name] = (counted.*member).total();
  for (const auto& [name, member] : kOccupancies) json[name] = measure::to_json(classes_of(counted.*member));
  return json;
}

BackendStatistics backend_statistics_from_json(JsonReader reader) {
  BackendStatistics result;
  for (const auto& [name, member] : kCounts) result.*member = reader.count(name);
  for (const auto& [name, member] : kTotals) (result.*member).add_other(reader.count(name));
  for (const auto& [name, member] : kOccupancies) {
    for (const auto& [most, calls] : measure::occupancy_from_json(reader, name)) (result.*member).add(most, calls);
  }
  return result;
}

}  // namespace godwit::cli
