// A day in the life of an endpoint, in virtual time: idle connections, a little traffic, restarts, and an attacker that
// never stops. What an endpoint holds is sampled and must not grow: memory, connections, timers, tables, events.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/simulator.h"

namespace godwit::sim {

struct SoakSample {
  Duration at{};
  std::int64_t memory = 0;            // bytes held by all endpoints, where the program counts them
  std::uint64_t connections = 0;      // open in all endpoints
  std::uint64_t admission_bytes = 0;  // of the tables of admission
  std::uint64_t pending_events = 0;   // timers among them
  std::uint64_t live_packets = 0;
};

struct SoakResult {
  std::vector<SoakSample> samples;
  std::vector<std::string> growing;  // what is larger in the last quarter than in the second; empty: nothing
  SimulationResult simulation;
  [[nodiscard]] bool good() const { return growing.empty() && simulation.clean(); }
};

struct SoakOptions {
  Duration length = std::chrono::hours(24);
  std::uint64_t seed = 1;
  // Of the check's own test: this many bytes are added at every sample.
  std::int64_t leak_per_sample = 0;
};

[[nodiscard]] Scenario soak_scenario(const SoakOptions& options);
// Requires at least an hour.
[[nodiscard]] SoakResult run_soak(const SoakOptions& options);

}  // namespace godwit::sim
