#include "measure/baselines.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace godwit::measure {

namespace {

constexpr std::size_t kLongestName = 64;

bool allowed(char character) {
  return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
         (character >= '0' && character <= '9') || character == '-' || character == '_' || character == '.';
}

// Why two cases of one name cannot be compared; empty when they can.
std::string obstacle(const BenchmarkResult& before, const BenchmarkResult& after, const Results& baseline,
                     const Results& candidate) {
  if (before.unit != after.unit || before.better != after.better) return "the unit has changed";
  if (!before.verified || !after.verified) return "its delivery was not verified";
  for (const auto& [run, which] : {std::pair{&baseline, "baseline"}, std::pair{&candidate, "candidate"}}) {
    const std::vector<std::string> reasons = run->environment.reasons_against(after.level);
    if (!reasons.empty()) return fmt::format("the {} run was unfit: {}", which, reasons.front());
  }
  return "";
}

}  // namespace

Result<std::string> BaselineStore::path_of(const std::string& name) const {
  const bool good = !name.empty() && name.size() <= kLongestName && name.front() != '.' &&
                    std::all_of(name.begin(), name.end(), allowed);
  if (!good) {
    return failure(ErrorCode::kInvalidArgument,
                   "a baseline's name is 1 to 64 letters, digits, '-', '_' or '.', not '" + name + "'");
  }
  return folder_ + "/" + name + ".json";
}

Status BaselineStore::save(const std::string& name, const Results& results) const {
  const Result<std::string> path = path_of(name);
  if (!path) return std::unexpected(path.error());
  return save_results(results, *path);
}

Result<Results> BaselineStore::load(const std::string& name) const {
  const Result<std::string> path = path_of(name);
  if (!path) return std::unexpected(path.error());
  if (!std::filesystem::exists(*path)) {
    const std::vector<std::string> known = names();
    return failure(ErrorCode::kNotFound,
                   fmt::format("no baseline '{}'; there {}", name,
                               known.empty() ? std::string("are none") : fmt::format("is {}", fmt::join(known, ", "))));
  }
  return load_results(*path);
}

std::vector<std::string> BaselineStore::names() const {
  std::vector<std::string> found;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, ignored)) {
    if (entry.path().extension() == ".json") found.push_back(entry.path().stem().string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

NoiseThreshold threshold_for(const BenchmarkResult& bench_case, const BenchmarkResult* other) {
  std::optional<NoiseThreshold> threshold = bench_case.noise_threshold;
  if (other != nullptr && other->noise_threshold)
    threshold = threshold ? worst_of(*threshold, *other->noise_threshold) : *other->noise_threshold;
  return threshold.value_or(assumed_threshold(bench_case.level));
}

Result<BaselineComparison> compare_with_baseline(const Results& baseline, const Results& candidate, bool force,
                                                 const ComparisonOptions& options) {
  BaselineComparison outcome;
  const std::vector<std::string> differences = fingerprint_differences(baseline.fingerprint, candidate.fingerprint);
  if (!differences.empty() && !force) {
    return failure(ErrorCode::kUnsupported,
                   fmt::format("the baseline comes from another machine or build:\n{}", fmt::join(differences, "\n")));
  }
  for (const std::string& difference : differences) outcome.marks.push_back("forced across machines: " + difference);
  std::vector<ComparedCase> cases;
  for (const BenchmarkResult& after : candidate.benchmarks) {
    const BenchmarkResult* before = baseline.find(after.name);
    const std::string why =
        before == nullptr ? "the baseline has no such case" : obstacle(*before, after, baseline, candidate);
    if (!why.empty()) {
      outcome.skipped.push_back(after.name + ": " + why);
      continue;
    }
    cases.push_back({.name = after.name,
                     .unit = after.unit,
                     .better = after.better,
                     .baseline = before->samples,
                     .candidate = after.samples,
                     .paired = false,
                     .noise_threshold = threshold_for(after, before)});
  }
  for (const BenchmarkResult& before : baseline.benchmarks) {
    if (candidate.find(before.name) == nullptr) outcome.skipped.push_back(before.name + ": only in the baseline");
  }
  outcome.comparison = compare(cases, options);
  return outcome;
}

}  // namespace godwit::measure
