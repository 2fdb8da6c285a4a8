// What a side of `godwit analyze` did beside the steps of its packets, from the JSON of its plain runs. Part of
// analysis.h.
#pragma once

#include <span>

#include "support/json.h"
#include "measure/path_facts.h"

namespace godwit::cli {

// One run as one side tells it (docs/json.md, godwit-perf), and the packets that its figures are a share of: above 0.
struct SideRun {
  const measure::Json* side = nullptr;
  double packets = 0;
};

// Medians a packet over the runs, sums of the rest. At least one run. Throws Json::exception where a member is missing.
[[nodiscard]] measure::PathFacts path_facts_of(std::span<const SideRun> runs);

}  // namespace godwit::cli
