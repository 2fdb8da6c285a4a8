// Orders, pairs and judges: rounds of fresh worker processes, rows in random order, each repetition beside its partner
// when two programs (or one with itself) are compared. Google Benchmark only executes a repetition.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "benches/suite.h"
#include "measure/results.h"

namespace godwit::bench {

struct RunPlan {
  std::vector<const Row*> rows;
  std::size_t repetitions = 10;
  double seconds = 0.02;       // of one repetition of a repeated operation
  double whole_seconds = 0.5;  // of one run of a row that measures a whole run
  std::string program;         // this program
  std::string against;         // another one, as the baseline; empty: none. This one: A/A
  int repeat_every = 0;        // injected slow-down of this program
  int core = 1;
  std::uint64_t seed = 1;
  std::function<void(std::size_t done, std::size_t all, const std::string& what)> on_progress;
};

struct RunOutcome {
  std::vector<measure::BenchmarkResult> rows;  // of `program`
  std::vector<measure::ComparisonRow> pairs;   // against the other, floors not set
  std::vector<std::string> skipped;            // "name: reason"
  std::vector<std::string> failed;             // "name: reason": not verified, died, hung
  std::uint64_t kernel_drops = 0;              // datagrams, at any socket, while rows ran: each row tells its own
};

[[nodiscard]] RunOutcome run_rows(const RunPlan& plan);

// Ladders all of whose rows have been measured.
[[nodiscard]] std::vector<measure::Ladder> make_ladders(const std::vector<measure::BenchmarkResult>& rows);
// Lines over a parameter: throughput by size and batch.
[[nodiscard]] std::vector<measure::Curves> make_curves(const std::vector<measure::BenchmarkResult>& rows);
// Goodput by loss and delay.
[[nodiscard]] std::vector<measure::Grid> make_grids(const std::vector<measure::BenchmarkResult>& rows);

}  // namespace godwit::bench
