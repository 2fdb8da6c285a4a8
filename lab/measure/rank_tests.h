// Tests that ask only for the order of numbers, not for their distribution: what benchmarks have is never normal.
// Two-sided throughout. Exact for small samples without ties, the normal approximation with corrections for ties and
// continuity beyond.
#pragma once

#include <cstddef>
#include <span>

namespace godwit::measure {

// Are the pairs' differences symmetric about zero? Zero differences are dropped. 1 when nothing is left. The least
// possible value with n pairs is 2^(1 - n): ten pairs cannot speak louder than 0.002.
[[nodiscard]] double wilcoxon_signed_rank(std::span<const double> differences);

struct MannWhitney {
  double u = 0;  // pairs (x, y) with x > y, ties counted half
  double p = 1;
  double superiority = 0;  // u / (n m): probability that a value of the first set exceeds one of the second
};
// Do two independent sets come from one distribution? Both need at least one value.
[[nodiscard]] MannWhitney mann_whitney(std::span<const double> first, std::span<const double> second);

}  // namespace godwit::measure
