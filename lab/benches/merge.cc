#include "benches/merge.h"

#include <fmt/format.h>

#include <algorithm>

#include "benches/runner.h"
#include "benches/suite.h"

namespace godwit::bench {
namespace {

// How bad a verdict is: what one of several runs found is true of all of them together.
int severity(measure::FindingVerdict verdict) {
  switch (verdict) {
    case measure::FindingVerdict::kOk: return 0;
    case measure::FindingVerdict::kUnknown: return 1;
    case measure::FindingVerdict::kCosts: return 2;
    case measure::FindingVerdict::kInvalid: return 3;
  }
  return 0;
}

// The worst of each name.
void add_findings(std::vector<measure::Finding>& all, const std::vector<measure::Finding>& more) {
  for (const measure::Finding& finding : more) {
    const auto same =
        std::find_if(all.begin(), all.end(), [&](const auto& other) { return other.name == finding.name; });
    if (same == all.end()) {
      all.push_back(finding);
    } else if (severity(finding.verdict) > severity(same->verdict)) {
      *same = finding;
    }
  }
}

// `godwit analyze` beside the suite is another measurement, not a piece of the same one.
std::size_t pieces_of_the_suite(const std::vector<measure::Results>& runs) {
  return static_cast<std::size_t>(std::count_if(runs.begin(), runs.end(), [](const measure::Results& run) {
    return std::any_of(run.benchmarks.begin(), run.benchmarks.end(),
                       [](const auto& bench_case) { return !bench_case.name.starts_with("level2/analyze/"); });
  }));
}

// Replaces the item that is the same, or appends it.
template <typename T, typename Same>
void put(std::vector<T>& items, const T& item, const Same& same) {
  const auto found = std::find_if(items.begin(), items.end(), same);
  if (found == items.end()) {
    items.push_back(item);
  } else {
    *found = item;
  }
}

}  // namespace

Result<measure::Results> merge_results(const std::vector<measure::Results>& runs) {
  if (runs.empty()) return failure(ErrorCode::kInvalidArgument, "there is nothing to merge");
  measure::Results merged = runs.back();
  merged.started_at = runs.front().started_at;
  merged.seconds = 0;
  merged.system.reset();  // counters of the pieces; what they complained of stays in the findings
  merged.comparison.reset();
  merged.benchmarks.clear();
  merged.breakdowns.clear();
  merged.environment.findings.clear();
  merged.marks.clear();
  std::vector<std::string> commits;
  for (const measure::Results& run : runs) {
    const std::string commit = run.fingerprint.commit + (run.fingerprint.dirty ? " with changes" : "");
    put(commits, commit, [&commit](const std::string& other) { return other == commit; });
    const auto differences = measure::fingerprint_differences(run.fingerprint, merged.fingerprint);
    if (!differences.empty())
      return failure(ErrorCode::kInvalidArgument, fmt::format("the runs differ: {}", fmt::join(differences, "; ")));
    merged.seconds += run.seconds;
    add_findings(merged.environment.findings, run.environment.findings);
    if (run.comparison) merged.comparison = run.comparison;
    for (const std::string& mark : run.marks) {
      if (std::find(merged.marks.begin(), merged.marks.end(), mark) == merged.marks.end()) merged.marks.push_back(mark);
    }
    for (const measure::Breakdown& breakdown : run.breakdowns) {
      put(merged.breakdowns, breakdown,
          [&](const auto& other) { return other.name == breakdown.name && other.side == breakdown.side; });
    }
    for (const measure::BenchmarkResult& bench_case : run.benchmarks) {
      put(merged.benchmarks, bench_case, [&](const auto& other) { return other.name == bench_case.name; });
    }
  }
  // As the suite has them.
  const auto& order = all_cases();
  const auto place = [&order](const measure::BenchmarkResult& bench_case) {
    return std::find_if(order.begin(), order.end(),
                        [&bench_case](const Case& known) { return known.name == bench_case.name; }) -
           order.begin();
  };
  std::stable_sort(merged.benchmarks.begin(), merged.benchmarks.end(),
                   [&place](const auto& one, const auto& other) { return place(one) < place(other); });
  if (commits.size() > 1) merged.marks.push_back(fmt::format("of several commits: {}", fmt::join(commits, ", ")));
  if (const std::size_t pieces = pieces_of_the_suite(runs); pieces > 1)
    merged.marks.push_back(fmt::format("taken in {} pieces", pieces));
  merged.ablations = make_ablations(merged.benchmarks);
  merged.curves = make_curves(merged.benchmarks);
  merged.grids = make_grids(merged.benchmarks);
  return merged;
}

}  // namespace godwit::bench
