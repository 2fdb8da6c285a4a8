// What endpoints hold does not grow with time; and the check notices what does.

#include "sim/soak.h"

#include <gtest/gtest.h>

namespace godwit::sim {
namespace {

// The whole day is `ctest -R simulation.soak`.
TEST(Soak, SixHoursWithAnAttackerHoldNoMoreAtTheirEnd) {
  const SoakResult result = run_soak({.length = 6h});
  for (const std::string& growing : result.growing) ADD_FAILURE() << growing;
  for (const Violation& violation : result.simulation.violations)
    ADD_FAILURE() << rule_name(violation.rule) << ": " << violation.text;
  EXPECT_GE(result.simulation.simulated, 6h);
  EXPECT_GT(result.simulation.attack_datagrams, 15'000U);
  EXPECT_GT(result.simulation.confirmed, 350U);
  EXPECT_GT(result.samples.back().memory, 0);
  EXPECT_GT(result.samples.back().connections, 0U);
}

TEST(Soak, NoticesMemoryThatGrows) {
  const SoakResult result = run_soak({.length = 1h, .leak_per_sample = 64 * 1024});
  ASSERT_FALSE(result.growing.empty());
  EXPECT_TRUE(result.growing.front().starts_with("memory"));
}

}  // namespace
}  // namespace godwit::sim
