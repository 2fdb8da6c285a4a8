#include "support/occupancy.h"

#include "support/json.h"

namespace godwit::measure {

Json to_json(const Occupancy& occupancy) {
  Json classes = Json::array();
  for (const auto& [most, calls] : occupancy) classes.push_back({{"most_datagrams", most}, {"calls", calls}});
  return classes;
}

Occupancy occupancy_from_json(JsonReader& reader, std::string_view key) {
  Occupancy occupancy;
  for (JsonReader& entry : reader.objects(key)) {
    occupancy.push_back({.most_datagrams = entry.count("most_datagrams"), .calls = entry.count("calls")});
    if (occupancy.size() > 1 && occupancy.end()[-2].most_datagrams >= occupancy.back().most_datagrams) {
      entry.problem("most_datagrams", "the classes must rise");
    }
  }
  return occupancy;
}

}  // namespace godwit::measure
