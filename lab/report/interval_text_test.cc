#include "report/interval_text.h"

#include <gtest/gtest.h>

namespace godwit::report {
namespace {

TEST(Format, WritesAnIntervalInTheUnitOfItsEstimate) {
  EXPECT_EQ(format_interval({.estimate = 1010, .low = 990, .high = 1030}, "ns"), "1.01 (0.990 – 1.03) µs");
}

}  // namespace
}  // namespace godwit::report
