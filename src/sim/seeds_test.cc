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

// A handshake that ends by its own timer begins a session whose first ping is due at the same instant.
TEST(Seeds, PingAtOnceAfterAHandshakeEndedByATimer) {
  for (const std::uint64_t seed : {993u, 1989u, 2150u, 2981u, 6398u}) expect_clean(seed);
}

// A pong that proves the path makes time-outs due that had been backed off, several of them at one instant.
TEST(Seeds, SettleTimersThatAPongMakesDue) {
  for (const std::uint64_t seed : {45795u, 51387u}) expect_clean(seed);
}

// A shared budget changes a connection's pacing rate without any event of its own.
TEST(Seeds, KeepThePacersPromiseUnderASharedBudget) {
  expect_clean(17468);
}

// Receipts that ride on a short message are beyond what window and pacer granted, by no more than 64 of them.
TEST(Seeds, LetReceiptsRideOnAFullWindow) {
  expect_clean(1180);
}

// An application dials a peer whose own dial it is answering: what the peer had queued is reported, never lost.
TEST(Seeds, ReportWhatACrossedDialReplaces) {
  for (const std::uint64_t seed : {344u, 668u, 749u, 1198u, 2163u}) expect_clean(seed);
}

TEST(Seeds, FiveHundredFreshOnesBreakNoRule) {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) expect_clean(seed);
}

}  // namespace
}  // namespace godwit::sim
