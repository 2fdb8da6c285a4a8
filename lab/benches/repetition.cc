#include "benches/repetition.h"

#include <algorithm>
#include <cmath>

namespace godwit::bench {
namespace {

// Takes what Google Benchmark reports and prints nothing.
class QuietReporter final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& reports) override {
    for (const Run& run : reports) {
      iterations = static_cast<std::uint64_t>(run.iterations);
      seconds = run.real_accumulated_time;
      failed = run.error_occurred;
      message = run.error_message;
    }
  }

  std::uint64_t iterations = 0;
  double seconds = 0;
  bool failed = false;
  std::string message;
};

struct Timed {
  double seconds = 0;
  std::uint64_t iterations = 0;
  std::string error;
};

Timed run_once(const Case& bench_case, const RepetitionOptions& options, std::uint64_t iterations, Outcome& outcome) {
  benchmark::ClearRegisteredBenchmarks();
  outcome = {};
  auto* const registered = benchmark::RegisterBenchmark(bench_case.name.c_str(), [&](benchmark::State& state) {
    outcome = {};
    Bench bench(state, outcome, bench_case.name, options.mode, options.seconds, options.repeat_every);
    bench_case.body(bench);
    if (!outcome.skipped.empty()) state.SkipWithError(outcome.skipped.c_str());
  });
  registered->Iterations(static_cast<benchmark::IterationCount>(iterations))->UseRealTime();
  QuietReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter, ".");
  return {.seconds = reporter.seconds,
          .iterations = reporter.iterations,
          .error = reporter.failed && outcome.skipped.empty() ? reporter.message : ""};
}

}  // namespace

Repetition execute(const Case& bench_case, const RepetitionOptions& options) {
  Repetition repetition;
  std::uint64_t iterations = bench_case.whole || options.mode == RunMode::kInstructions ? 1 : options.iterations;
  if (iterations == 0) {
    // Ten times as many until a tenth of the time is filled, then straight to the goal.
    iterations = 1;
    constexpr std::uint64_t kMost = std::uint64_t{1} << 32U;
    while (true) {
      const Timed timed = run_once(bench_case, options, iterations, repetition.outcome);
      if (!timed.error.empty() || !repetition.outcome.skipped.empty()) {
        repetition.error = timed.error;
        return repetition;
      }
      if (timed.seconds >= options.seconds / 10 || iterations >= kMost) {
        const double wanted = static_cast<double>(iterations) * options.seconds / std::max(timed.seconds, 1e-9);
        iterations = std::clamp<std::uint64_t>(static_cast<std::uint64_t>(wanted), 1, kMost);
        break;
      }
      iterations *= 10;
    }
  }
  const Timed timed = run_once(bench_case, options, iterations, repetition.outcome);
  repetition.error = timed.error;
  repetition.iterations = timed.iterations;
  if (!repetition.error.empty() || !repetition.outcome.skipped.empty()) return repetition;
  const double each = timed.iterations > 0 ? timed.seconds * 1e9 / static_cast<double>(timed.iterations) : 0;
  repetition.value = repetition.outcome.value.value_or(each / repetition.outcome.per);
  if (repetition.outcome.bytes > 0 && bench_case.unit == "ns" && repetition.value > 0) {
    repetition.outcome.metrics.emplace_back("bits_per_second", repetition.outcome.bytes * 8e9 / repetition.value);
  }
  if (!repetition.outcome.rate.empty() && bench_case.unit == "ns" && repetition.value > 0) {
    repetition.outcome.metrics.emplace_back(repetition.outcome.rate, 1e9 / repetition.value);
  }
  return repetition;
}

}  // namespace godwit::bench
