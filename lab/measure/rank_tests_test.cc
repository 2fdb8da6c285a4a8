#include "measure/rank_tests.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/random.h"

namespace godwit::measure {
namespace {

TEST(WilcoxonSignedRank, MatchesPublishedValues) {
  // Wilcoxon 1945 / R: wilcox.test(c(110, …) paired) style examples, exact without ties.
  const std::vector<double> all_positive = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  EXPECT_DOUBLE_EQ(wilcoxon_signed_rank(all_positive), std::ldexp(1.0, -9));
  const std::vector<double> mixed = {1.5, -0.5, 2.5, 3.5, -1.0, 4.5};  // V = 18 of 21: P(V >= 18) = 5/64, twice that
  EXPECT_DOUBLE_EQ(wilcoxon_signed_rank(mixed), 10.0 / 64);
}

TEST(WilcoxonSignedRank, DropsZerosAndKnowsNothingFromNothing) {
  EXPECT_EQ(wilcoxon_signed_rank(std::vector<double>{0, 0}), 1);
  EXPECT_EQ(wilcoxon_signed_rank(std::vector<double>{}), 1);
  EXPECT_DOUBLE_EQ(wilcoxon_signed_rank(std::vector<double>{0, 1, 2, 3}), 0.25);
}

TEST(WilcoxonSignedRank, IsUniformEnoughWithoutAnEffect) {
  DeterministicRandom random(11);
  for (const std::size_t pairs : {12U, 80U}) {
    int below = 0;
    for (int round = 0; round < 2000; ++round) {
      std::vector<double> differences(pairs);
      for (double& value : differences) value = random.unit() - 0.5;
      below += wilcoxon_signed_rank(differences) < 0.05 ? 1 : 0;
    }
    EXPECT_GT(below, 60) << pairs;
    EXPECT_LT(below, 140) << pairs;
  }
}

TEST(MannWhitney, MatchesExactValues) {
  const std::vector<double> low = {1, 2, 3, 4, 5};
  const std::vector<double> high = {6, 7, 8, 9, 10};
  const MannWhitney apart = mann_whitney(low, high);
  EXPECT_EQ(apart.u, 0);
  EXPECT_EQ(apart.superiority, 0);
  EXPECT_NEAR(apart.p, 2.0 / 252, 1e-12);
  EXPECT_NEAR(mann_whitney(high, low).p, 2.0 / 252, 1e-12);
}

TEST(MannWhitney, HandlesTiesAndLargeSets) {
  const std::vector<double> same = {1, 1, 1, 1};
  EXPECT_EQ(mann_whitney(same, same).p, 1);
  EXPECT_EQ(mann_whitney(same, same).superiority, 0.5);
  DeterministicRandom random(12);
  std::vector<double> one(100);
  std::vector<double> other(100);
  for (std::size_t i = 0; i < 100; ++i) {
    one[i] = random.unit();
    other[i] = random.unit() + 0.5;
  }
  EXPECT_LT(mann_whitney(one, other).p, 1e-8);
  EXPECT_LT(mann_whitney(one, other).superiority, 0.2);
}

TEST(MannWhitney, IsUniformEnoughWithoutAnEffect) {
  DeterministicRandom random(13);
  for (const std::size_t size : {10U, 60U}) {
    int below = 0;
    for (int round = 0; round < 1000; ++round) {
      std::vector<double> one(size);
      std::vector<double> other(size);
      for (double& value : one) value = random.unit();
      for (double& value : other) value = random.unit();
      below += mann_whitney(one, other).p < 0.05 ? 1 : 0;
    }
    EXPECT_GT(below, 25) << size;
    EXPECT_LT(below, 75) << size;
  }
}

}  // namespace
}  // namespace godwit::measure
