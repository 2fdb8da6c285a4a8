#include "benches/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "benches/budget.h"
#include "measure/stopwatch.h"

namespace godwit::bench {
namespace {

using measure::Verdict;

// How many times the first pairs each further look adds.
constexpr std::array<std::size_t, 3> kFurtherLooks = {1, 2, 4};
constexpr std::size_t kLooks = kFurtherLooks.size() + 1;
// Fewer pairs than this are not worth a look.
constexpr std::size_t kLeastPairs = 8;

double seconds_of(const measure::Stopwatch& watch) {
  return static_cast<double>(watch.elapsed().count()) * 1e-9;
}

std::vector<const Case*> undecided_cases(const RunPlan& plan, const measure::Comparison& comparison) {
  std::vector<const Case*> cases;
  for (const Case* bench_case : plan.cases) {
    const bool undecided =
        std::any_of(comparison.cases.begin(), comparison.cases.end(), [bench_case](const auto& verdict) {
          return verdict.name == bench_case->name && verdict.verdict == Verdict::kCannotTell;
        });
    if (undecided) cases.push_back(bench_case);
  }
  return cases;
}

void append(std::vector<double>& to, const std::vector<double>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

void add_pairs(RunOutcome& all, const RunOutcome& more) {
  for (measure::ComparedCase& pair : all.pairs) {
    const auto found = std::find_if(more.pairs.begin(), more.pairs.end(),
                                    [&pair](const auto& other) { return other.name == pair.name; });
    if (found == more.pairs.end()) continue;
    append(pair.baseline, found->baseline);
    append(pair.candidate, found->candidate);
  }
  for (const std::string& line : more.failed) all.failed.push_back(line);
  all.kernel_drops += more.kernel_drops;
}

// The instructions of both programs for what is still undecided; what was counted meanwhile stays.
Status add_instruction_ratios(const RunPlan& plan, const std::vector<const Case*>& cases, RunOutcome& outcome) {
  const auto own = count_instructions_of(plan.program, cases, {.highest_level = 1, .repeat_every = plan.repeat_every});
  if (!own) return std::unexpected(own.error());
  const auto other = count_instructions_of(plan.against, cases, {.highest_level = 1});
  if (!other) return std::unexpected(other.error());
  for (measure::ComparedCase& pair : outcome.pairs) {
    const auto mine = own->find(pair.name);
    const auto theirs = other->find(pair.name);
    if (pair.instruction_ratio || mine == own->end() || theirs == other->end()) continue;
    const double before = theirs->second.at("instructions");
    if (before > 0) pair.instruction_ratio = mine->second.at("instructions") / before;
  }
  return {};
}

}  // namespace

ProgramVerdict compare_programs(RunPlan plan, const VerdictOptions& options) {
  const measure::Stopwatch watch;
  const std::size_t looks = options.time_limit > 0 ? kLooks : 1;
  const measure::ComparisonOptions rules{.seed = options.seed, .looks = looks};
  plan.repetitions =
      options.first_pairs > 0
          ? options.first_pairs
          : measure::pairs_needed(plan.cases.size(), rules.family_alpha / static_cast<double>(looks)) * 3 / 2;
  const std::size_t first_pairs = plan.repetitions;
  ProgramVerdict verdict;
  verdict.outcome = run_cases(plan);
  verdict.comparison = measure::compare(verdict.outcome.pairs, rules);
  const double seconds_of_a_pair =
      seconds_of(watch) / static_cast<double>(first_pairs * std::max<std::size_t>(1, plan.cases.size()));
  for (std::size_t look = 1; look < looks; ++look) {
    RunPlan more = plan;
    more.cases = undecided_cases(plan, verdict.comparison);
    if (more.cases.empty()) break;
    const double left = options.time_limit - seconds_of(watch);
    const double affordable = left / (seconds_of_a_pair * static_cast<double>(more.cases.size()));
    if (affordable < static_cast<double>(kLeastPairs)) break;
    more.repetitions = std::min(first_pairs * kFurtherLooks[look - 1], static_cast<std::size_t>(affordable));
    more.seed = plan.seed + look;
    add_pairs(verdict.outcome, run_cases(more));
    verdict.comparison = measure::settle(verdict.comparison, measure::compare(verdict.outcome.pairs, rules));
  }
  if (const std::vector<const Case*> cases = undecided_cases(plan, verdict.comparison);
      options.count_instructions && !cases.empty()) {
    const Status counted = add_instruction_ratios(plan, cases, verdict.outcome);
    if (!counted) {
      verdict.notes.push_back(
          fmt::format("{} cases stay undecided: no instructions: {}", cases.size(), counted.error().message));
    }
    verdict.comparison = measure::settle(verdict.comparison, measure::compare(verdict.outcome.pairs, rules));
  }
  return verdict;
}

}  // namespace godwit::bench
