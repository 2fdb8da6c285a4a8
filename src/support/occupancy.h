// How full system calls were: calls by the number of datagrams that each moved, as results store it.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "support/json_fwd.h"

namespace godwit::measure {

// Calls that moved at most so many datagrams, and more than the class before.
struct OccupancyClass {
  std::uint64_t most_datagrams = 0;
  std::uint64_t calls = 0;
};
using Occupancy = std::vector<OccupancyClass>;  // rising, without empty classes

[[nodiscard]] Json to_json(const Occupancy& occupancy);
// Classes that do not rise are a problem of the reader.
[[nodiscard]] Occupancy occupancy_from_json(JsonReader& reader, std::string_view key);

}  // namespace godwit::measure
