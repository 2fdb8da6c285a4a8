#include "measure/rank_tests.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/assert.h"
#include "measure/statistics.h"

namespace godwit::measure {

namespace {

// Beyond these sizes the normal approximation differs from the exact value by less than a reader would notice.
constexpr std::size_t kExactPairs = 60;
constexpr std::size_t kExactProduct = 900;

struct Ranks {
  std::vector<double> of;  // mean ranks, from 1, in the order of the input
  double tie_term = 0;     // sum over groups of equals of t^3 - t
};

Ranks mean_ranks(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [values](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  Ranks ranks;
  ranks.of.resize(values.size());
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin + 1;
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    const double shared = static_cast<double>(begin + end + 1) / 2;
    for (std::size_t i = begin; i < end; ++i) ranks.of[order[i]] = shared;
    const auto ties = static_cast<double>(end - begin);
    ranks.tie_term += ties * ties * ties - ties;
    begin = end;
  }
  return ranks;
}

double two_sided_normal(double distance, double variance) {
  if (variance <= 0) return 1;
  const double z = std::max(0.0, std::abs(distance) - 0.5) / std::sqrt(variance);
  return std::min(1.0, 2 * normal_distribution(-z));
}

double two_sided_exact(const std::vector<double>& probability, std::size_t statistic) {
  double below = 0;
  double above = 0;
  for (std::size_t i = 0; i < probability.size(); ++i) {
    if (i <= statistic) below += probability[i];
    if (i >= statistic) above += probability[i];
  }
  return std::min(1.0, 2 * std::min(below, above));
}

// Distribution of the sum of a random subset of 1 … n: each rank is added or not, with equal chance.
std::vector<double> signed_rank_distribution(std::size_t n) {
  std::vector<double> probability(n * (n + 1) / 2 + 1, 0.0);
  probability[0] = 1;
  std::size_t largest = 0;
  for (std::size_t rank = 1; rank <= n; ++rank) {
    largest += rank;
    for (std::size_t sum = largest + 1; sum-- > 0;) {
      const double with = sum >= rank ? probability[sum - rank] : 0;
      probability[sum] = (probability[sum] + with) / 2;
    }
  }
  return probability;
}

// Distribution of U: p(n, m, u) = n/(n+m) p(n-1, m, u-m) + m/(n+m) p(n, m-1, u) (Mann and Whitney 1947).
std::vector<double> mann_whitney_distribution(std::size_t n, std::size_t m) {
  std::vector<std::vector<double>> row(m + 1);
  for (std::size_t j = 0; j <= m; ++j) row[j] = {1.0};
  for (std::size_t i = 1; i <= n; ++i) {
    std::vector<std::vector<double>> next(m + 1);
    next[0] = {1.0};
    for (std::size_t j = 1; j <= m; ++j) {
      next[j].assign(i * j + 1, 0.0);
      const double total = static_cast<double>(i + j);
      for (std::size_t u = 0; u <= i * j; ++u) {
        double value = 0;
        if (u >= j && u - j < row[j].size()) value += static_cast<double>(i) / total * row[j][u - j];
        if (u < next[j - 1].size()) value += static_cast<double>(j) / total * next[j - 1][u];
        next[j][u] = value;
      }
    }
    row = std::move(next);
  }
  return row[m];
}

}  // namespace

double wilcoxon_signed_rank(std::span<const double> differences) {
  std::vector<double> sizes;
  std::vector<bool> positive;
  for (const double difference : differences) {
    if (difference == 0) continue;
    sizes.push_back(std::abs(difference));
    positive.push_back(difference > 0);
  }
  const std::size_t n = sizes.size();
  if (n == 0) return 1;
  const Ranks ranks = mean_ranks(sizes);
  double statistic = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (positive[i]) statistic += ranks.of[i];
  }
  if (ranks.tie_term == 0 && n <= kExactPairs) {
    return two_sided_exact(signed_rank_distribution(n), static_cast<std::size_t>(std::llround(statistic)));
  }
  const auto count = static_cast<double>(n);
  const double expected = count * (count + 1) / 4;
  const double variance = count * (count + 1) * (2 * count + 1) / 24 - ranks.tie_term / 48;
  return two_sided_normal(statistic - expected, variance);
}

MannWhitney mann_whitney(std::span<const double> first, std::span<const double> second) {
  GODWIT_ASSERT(!first.empty() && !second.empty());
  std::vector<double> all(first.begin(), first.end());
  all.insert(all.end(), second.begin(), second.end());
  const Ranks ranks = mean_ranks(all);
  const auto n = static_cast<double>(first.size());
  const auto m = static_cast<double>(second.size());
  double rank_sum = 0;
  for (std::size_t i = 0; i < first.size(); ++i) rank_sum += ranks.of[i];
  MannWhitney result;
  result.u = rank_sum - n * (n + 1) / 2;
  result.superiority = result.u / (n * m);
  if (ranks.tie_term == 0 && first.size() * second.size() <= kExactProduct) {
    result.p = two_sided_exact(mann_whitney_distribution(first.size(), second.size()),
                               static_cast<std::size_t>(std::llround(result.u)));
    return result;
  }
  const double total = n + m;
  const double variance = n * m / 12 * (total + 1 - ranks.tie_term / (total * (total - 1)));
  result.p = two_sided_normal(result.u - n * m / 2, variance);
  return result;
}

}  // namespace godwit::measure
