// What one side of a transfer did beside the steps of its packets: system calls and how full they were, context
// switches, cache misses, and where datagrams were dropped. Counted in plain runs, without probes; part of a Breakdown.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "measure/perf_counters.h"
#include "support/json_fwd.h"
#include "support/occupancy.h"

namespace godwit::measure {

struct PathFacts {
  // A packet each.
  double system_calls = 0;
  double voluntary_switches = 0;                            // the process went to sleep
  double involuntary_switches = 0;                          // the scheduler took the processor away
  std::array<std::optional<double>, kPerfEvents> counters;  // in user space; absent where there is no such counter
  std::string counters_description;                         // which count, and why others do not

  Occupancy send_occupancy;
  Occupancy receive_occupancy;
  // Datagrams by the place where they were dropped, along the data path; of all runs.
  std::vector<std::pair<std::string, std::uint64_t>> drops;

  [[nodiscard]] std::optional<double> counter(PerfEvent event) const {
    return counters[static_cast<std::size_t>(event)];
  }
  [[nodiscard]] static std::uint64_t calls_of(const Occupancy& occupancy);
};

[[nodiscard]] Json to_json(const PathFacts& facts);
[[nodiscard]] PathFacts path_facts_from_json(JsonReader reader);

}  // namespace godwit::measure
