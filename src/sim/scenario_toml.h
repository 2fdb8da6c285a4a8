// Scenarios as text. docs/simulation.md describes every key; times are strings with a unit ("25ms"), rates strings with
// a decimal multiplier of bits per second ("10M").
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "sim/scenario.h"

namespace godwit::sim {

[[nodiscard]] Result<Scenario> parse_scenario(std::string_view toml);
[[nodiscard]] Result<Scenario> load_scenario(const std::string& path);
// Everything that parse_scenario() reads.
[[nodiscard]] std::string print_scenario(const Scenario& scenario);

}  // namespace godwit::sim
