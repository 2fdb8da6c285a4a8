// Orders, pairs and compares: rounds of fresh worker processes, cases in random order, each repetition beside its
// partner when two programs (or one with itself) are compared. Google Benchmark only executes a repetition.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "benches/suite.h"
#include "measure/results.h"

namespace godwit::bench {

struct RunPlan {
  std::vector<const Case*> cases;
  std::size_t repetitions = 10;
  double seconds = 0.02;       // of one repetition of a repeated operation
  double whole_seconds = 0.5;  // of one run of a case that measures a whole run
  std::string program;         // this program
  std::string against;         // another one, as the baseline; empty: none. This one: A/A
  int repeat_every = 0;        // injected slow-down of this program
  int core = 1;
  std::uint64_t seed = 1;
  std::function<void(std::size_t done, std::size_t all, const std::string& what)> on_progress;
};

struct RunOutcome {
  std::vector<measure::BenchmarkResult> cases;  // of `program`
  std::vector<measure::ComparedCase> pairs;     // against the other, thresholds not set
  std::vector<std::string> skipped;             // "name: reason"
  std::vector<std::string> failed;              // "name: reason": not verified, died, hung
  std::uint64_t kernel_drops = 0;               // datagrams, at any socket, while cases ran: each case tells its own
};

[[nodiscard]] RunOutcome run_cases(const RunPlan& plan);

// Ablations all of whose cases have been measured.
[[nodiscard]] std::vector<measure::Ablation> make_ablations(const std::vector<measure::BenchmarkResult>& cases);
// Lines over a parameter: throughput by size and batch.
[[nodiscard]] std::vector<measure::Curves> make_curves(const std::vector<measure::BenchmarkResult>& cases);
// Goodput by loss and delay.
[[nodiscard]] std::vector<measure::Grid> make_grids(const std::vector<measure::BenchmarkResult>& cases);

}  // namespace godwit::bench
