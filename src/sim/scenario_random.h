// A scenario from a seed alone: small (a few hundred packets), hostile and varied, so that millions can run. The same
// seed gives the same scenario on every machine; `godwit sim replay SEED` shows it.
#pragma once

#include <cstdint>

#include "sim/scenario.h"

namespace godwit::sim {

[[nodiscard]] Scenario random_scenario(std::uint64_t seed);

// Lets about half of the hosts have extended sessions, some of them nothing else, each with capabilities of its own,
// and keys that are updated early where all have them; draws the same for an attacker's own connections, and what links
// do with marks of congestion. Drawn apart from everything else, so that a seed stands for the same paths and flows as
// without.
void mix_extended_sessions(Scenario& scenario, std::uint64_t seed);

// Lets the hosts seal later (HostSpec::seal_delay). Drawn apart, as above, and asked for: a seed means without it what
// it has always meant.
void delay_sealing(Scenario& scenario, std::uint64_t seed);

}  // namespace godwit::sim
