// Stored results by name, and the comparison with one: `--save-baseline NAME`, `--baseline NAME`. A baseline carries
// its machine's fingerprint and is refused on another machine unless forced, and then the result is marked.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "measure/compare.h"
#include "measure/results.h"

namespace godwit::measure {

class BaselineStore {
 public:
  // One file NAME.json a baseline in this folder, which is made when the first is saved.
  explicit BaselineStore(std::string folder) : folder_(std::move(folder)) {}

  // Names are 1 to 64 letters, digits, '-', '_' and '.', and do not begin with '.'. Replaces an older one.
  [[nodiscard]] Status save(const std::string& name, const Results& results) const;
  [[nodiscard]] Result<Results> load(const std::string& name) const;
  // Sorted by name.
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  [[nodiscard]] Result<std::string> path_of(const std::string& name) const;
  std::string folder_;
};

struct BaselineComparison {
  Comparison comparison;
  std::vector<std::string> marks;    // "forced across machines: kernel: 6.2, was 6.1"
  std::vector<std::string> skipped;  // cases that were not compared, and why
};

// Case by case, unpaired: the runs lie apart in time, so thresholds count twice (compare.h). A case takes part when
// both runs have it, verified and in the same unit, and each run was fit for its level. kUnsupported with every
// difference of the fingerprints unless `force`.
[[nodiscard]] Result<BaselineComparison> compare_with_baseline(const Results& baseline, const Results& candidate,
                                                               bool force, const ComparisonOptions& options = {});

// The threshold for a case: the noisier of both runs' A/A thresholds, else the one assumed for its level.
[[nodiscard]] NoiseThreshold threshold_for(const BenchmarkResult& bench_case, const BenchmarkResult* other = nullptr);

}  // namespace godwit::measure
