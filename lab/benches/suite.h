// One case of the suite (`transport_perf`): what is called, how it is verified, what is counted. Cases register
// themselves from levelN_*.cc; repetition.h executes one repetition of a case by Google Benchmark, runner.h orders,
// pairs and compares. Cases call shipped code; the few that have the analysed original's shape say so in their name
// ("original").
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "measure/results.h"

namespace godwit::bench {

// What one repetition found beside its time.
struct Outcome {
  std::optional<double> value;  // of cases that measure a whole run: in the case's unit
  double per = 1;               // packets (messages, …) of one operation: the figure is of one of them
  double bytes = 0;             // one of them carries: gives bits_per_second
  std::string rate;             // a name for how many of them go in a second: gives a metric
  bool verified = false;        // set by the case once it has checked that the operation does what it claims
  std::string proof;
  std::string skipped;      // why this machine cannot run it; nothing else counts then
  measure::Figures counts;  // exact, an operation
  measure::Figures metrics;
  measure::Figures evidence;
  std::vector<std::string> marks;
  std::optional<measure::Histogram> distribution;
  std::string distribution_unit;
};

// Instructions of one operation in user space, by the processor's counter; absent where it has none.
inline constexpr char kInstructionsMetric[] = "instructions_counted";

// Heap allocations of this process so far (allocation_hook.cc).
[[nodiscard]] std::uint64_t allocations_so_far();

enum class RunMode : std::uint8_t {
  kTime,
  kInstructions,  // under callgrind: counts a few operations and nothing else
};

// Brackets what callgrind is to count; without valgrind it does nothing.
void count_instructions(const std::string& name, const std::function<void()>& operations);

// What a case's body works with during one repetition.
class Bench {
 public:
  Bench(benchmark::State& state, Outcome& result, std::string name, RunMode mode, double seconds, int repeat_every)
      : outcome(result),
        state_(state),
        name_(std::move(name)),
        mode_(mode),
        seconds_(seconds),
        repeat_every_(repeat_every) {}

  Outcome& outcome;

  // Times `operation`, then counts the allocations of a fixed number of calls. Whatever it returns is not optimised
  // away.
  template <typename Operation>
  void measure(Operation&& operation) {
    if (mode_ == RunMode::kInstructions) {
      operation();
      for (auto _ : state_) {
        count_instructions(name_, [this, &operation] {
          for (int i = 0; i < kCountedOperations; ++i) operation();
          // The injected slow-down, as far as it goes into so few operations.
          if (repeat_every_ > 0) {
            for (int i = repeat_every_; i <= kCountedOperations; i += repeat_every_) operation();
          }
        });
      }
      return;
    }
    int until_repeat = repeat_every_;
    begin_counting();
    for (auto _ : state_) {
      operation();
      // The injected slow-down that proves the comparison (--inject-slowdown): work done twice now and then.
      if (repeat_every_ > 0 && --until_repeat == 0) [[unlikely]] {
        until_repeat = repeat_every_;
        operation();
      }
    }
    end_counting();
    const std::uint64_t before = allocations_so_far();
    for (int i = 0; i < kCountedOperations; ++i) operation();
    outcome.counts.emplace_back("allocations",
                                static_cast<double>(allocations_so_far() - before) / kCountedOperations / outcome.per);
  }
  // For cases that measure a whole run of about seconds() by themselves: outcome.value is the figure.
  template <typename Run>
  void whole(Run&& run) {
    for (auto _ : state_) run();
  }
  [[nodiscard]] double seconds() const { return seconds_; }

  static constexpr int kCountedOperations = 64;

 private:
  // Instructions of the timed loop by the processor's own counter, where there is one: a metric per operation.
  void begin_counting();
  void end_counting();

  benchmark::State& state_;
  std::string name_;
  RunMode mode_;
  double seconds_;
  int repeat_every_;
};

struct Case {
  std::string name;  // "levelN/…", unique
  std::string title;
  measure::Texts parameters = {};
  std::string unit = "ns";
  measure::Better better = measure::Better::kLower;
  bool whole = false;  // measures a run of its own instead of a repeated operation
  bool heavy = false;  // takes seconds to set up: left out of --quick
  std::function<void(Bench&)> body;

  [[nodiscard]] int level() const { return name.size() > 5 ? name[5] - '0' : 0; }
};

// A case of a registered ablation stands on the one before; built from cases of the same run.
struct AblationPlan {
  std::string name;
  std::string title;
  struct Step {
    std::string label;
    std::string bench_case;
    std::string note;
  };
  std::vector<Step> steps;
};

// In the order of levels and of their files. Deterministic: a worker has the same cases as its runner.
[[nodiscard]] const std::vector<Case>& all_cases();
[[nodiscard]] const Case* find_case(const std::string& name);
[[nodiscard]] std::vector<AblationPlan> all_ablations();

using Cases = std::vector<Case>;
void add_level0_cipher(Cases& cases);
void add_level0_wire(Cases& cases);
void add_level1_queues(Cases& cases);
void add_level1_recovery(Cases& cases);
void add_level1_endpoints(Cases& cases);
void add_level1_handshakes(Cases& cases);
void add_level2_raw(Cases& cases);
void add_level2_backends(Cases& cases);
void add_level2_transport(Cases& cases);
void add_level2_veth(Cases& cases);
void add_level2_messages(Cases& cases);
void add_level2_latency(Cases& cases);
void add_level3_limits(Cases& cases);
void add_level3_connections(Cases& cases);
void add_level3_stress(Cases& cases);

}  // namespace godwit::bench
