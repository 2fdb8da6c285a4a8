#include "congestion/fixed_rate.h"

#include <gtest/gtest.h>

#include "congestion/test_script.h"

namespace godwit {
namespace {

TEST(FixedRate, PacesAtTheConfiguredRateWhateverIsLost) {
  FixedRateController controller({.fixed_rate = 20_mbps});
  ControllerScript script(controller);
  EXPECT_EQ(controller.pacing_rate(), 20_mbps);
  for (int i = 0; i < 10; ++i) script.lossy_round();
  EXPECT_EQ(controller.pacing_rate(), 20_mbps);
}

TEST(FixedRate, IsTenMegabitsUnlessToldOtherwise) {
  EXPECT_EQ(FixedRateController(ControllerConfig{}).pacing_rate(), 10_mbps);
}

TEST(FixedRate, AllowsTwoRoundTripsAndADelayedAckInFlight) {
  FixedRateController controller({.fixed_rate = 10_mbps});
  ControllerScript script(controller, 100ms);
  script.round();
  EXPECT_EQ(controller.window_bytes(), 500'000u);  // 1.25 MB/s for 2 * 100 ms + 200 ms
}

TEST(FixedRate, StopsAtTheInitialWindowWhenThePathFallsSilentAndResumesAtTheFirstAck) {
  FixedRateController controller(ControllerConfig{});
  ControllerScript script(controller);
  script.round();
  const std::uint64_t before = controller.window_bytes();
  controller.on_persistent_timeout(script.now);
  EXPECT_EQ(controller.window_bytes(), 12'000u);
  EXPECT_EQ(controller.snapshot().state, "silent");
  script.round();
  EXPECT_EQ(controller.window_bytes(), before);
}

TEST(FixedRate, NeverPacesAtZero) {
  EXPECT_GT(FixedRateController({.fixed_rate = Bandwidth{}}).pacing_rate(), Bandwidth{});
}

}  // namespace
}  // namespace godwit
