#include "measure/interface_features.h"

#include <gtest/gtest.h>

namespace godwit::measure {
namespace {

TEST(InterfaceFeatures, NamesTheOffloadsOfLoopback) {
  const Result<InterfaceFeatures> features = read_interface_features("lo");
  if (!features) GTEST_SKIP() << features.error().message;
  EXPECT_TRUE(features->active.contains("rx-gro"));
  EXPECT_TRUE(features->active.contains("tx-udp-segmentation"));
  EXPECT_FALSE(features->has("no-such-feature"));
}

TEST(InterfaceFeatures, RefusesAnInterfaceThatIsNotThere) {
  const Result<InterfaceFeatures> features = read_interface_features("godwit-none0");
  ASSERT_FALSE(features.has_value());
  EXPECT_FALSE(features.error().message.empty());
}

}  // namespace
}  // namespace godwit::measure
