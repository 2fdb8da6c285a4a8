// A scenario with an attacker, from a seed alone: two or three hosts, short flows, a few dozen forged datagrams, so
// that millions can run. The same seed gives the same scenario on every machine; `godwit sim replay SEED --attack`
// shows it.
#pragma once

#include <cstdint>

#include "sim/scenario.h"

namespace godwit::sim {

[[nodiscard]] Scenario random_attack(std::uint64_t seed);

}  // namespace godwit::sim
