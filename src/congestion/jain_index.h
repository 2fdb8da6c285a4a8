// Jain's index of fairness (Jain, Chiu, Hawe 1984): what the table of simulations, the figures' tests and the benchmark
// of many connections judge shares by.
#pragma once

#include <span>

namespace godwit {

// 1 where all shares are equal, 1/n where one has everything; 0 where there is nothing to share.
[[nodiscard]] inline double jain_index(std::span<const double> shares) {
  double sum = 0;
  double squares = 0;
  for (const double share : shares) {
    sum += share;
    squares += share * share;
  }
  return squares > 0 ? sum * sum / (static_cast<double>(shares.size()) * squares) : 0;
}

}  // namespace godwit
