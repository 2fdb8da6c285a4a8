// Every bug that a random scenario has found, kept as its seed.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sim/scenario_random.h"
#include "sim/simulator.h"

namespace godwit::sim {
namespace {

void expect_clean(std::uint64_t seed) {
  const SimulationResult result = Simulator(random_scenario(seed)).run();
  for (const Violation& violation : result.violations) {
    ADD_FAILURE() << fmt::format("seed {}: {}: {}", seed, rule_name(violation.rule), violation.text);
  }
}

// A handshake that ends by its own timer began a session whose first ping was due at once, on a timer nobody had armed.
TEST(Seeds, PingAtOnceAfterAHandshakeEndedByATimer) {
  for (const std::uint64_t seed : {993u, 1989u, 2150u, 2981u, 6398u}) expect_clean(seed);
}

TEST(Seeds, FiveHundredFreshOnesBreakNoRule) {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) expect_clean(seed);
}

}  // namespace
}  // namespace godwit::sim
