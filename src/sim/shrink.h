// Makes a failing scenario small: takes away one feature after another, and keeps what still breaks the same rule.
#pragma once

#include <cstdint>

#include "sim/checker.h"
#include "sim/scenario.h"

namespace godwit::sim {

struct ShrinkResult {
  Scenario scenario;
  Violation violation;  // of the small one
  std::uint64_t runs = 0;
  std::uint64_t steps = 0;  // reductions that were kept
};

// Requires a scenario that breaks `rule` first.
[[nodiscard]] ShrinkResult shrink(const Scenario& scenario, Rule rule, std::uint64_t most_runs = 4000);

}  // namespace godwit::sim
