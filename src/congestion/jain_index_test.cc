#include "congestion/jain_index.h"

#include <gtest/gtest.h>

#include <array>

namespace godwit {
namespace {

TEST(JainIndex, IsOneForEqualSharesAndOneInNForOneThatHasAll) {
  EXPECT_DOUBLE_EQ(jain_index(std::array{3.0, 3.0, 3.0, 3.0}), 1.0);
  EXPECT_DOUBLE_EQ(jain_index(std::array{0.0, 8.0, 0.0, 0.0}), 0.25);
  EXPECT_DOUBLE_EQ(jain_index(std::array{1.0, 3.0}), 0.8);
}

TEST(JainIndex, IsZeroWhereNothingWasShared) {
  EXPECT_EQ(jain_index({}), 0.0);
  EXPECT_EQ(jain_index(std::array{0.0, 0.0}), 0.0);
}

}  // namespace
}  // namespace godwit
