#include "benches/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <numeric>
#include <random>

#include "benches/worker.h"
#include "measure/system_snapshot.h"

namespace godwit::bench {
namespace {

struct Side {
  std::vector<double> samples;
  std::vector<double> instructions;  // of each repetition, where the processor counts them
  std::uint64_t iterations = 0;
  std::uint64_t kernel_drops = 0;  // at any socket of the system, while its repetitions ran
  bool verified = true;
  bool seen = false;
  Outcome outcome;  // of the latest repetition; distributions merged, evidence summed
};

struct State {
  const Case* bench_case = nullptr;
  Side candidate;
  Side baseline;
  std::string skipped;
  std::string failed;
  bool baseline_missing = false;
};

void add_evidence(measure::Figures& sum, const measure::Figures& more) {
  for (const auto& [name, value] : more) {
    const auto found = std::find_if(sum.begin(), sum.end(), [&name](const auto& entry) { return entry.first == name; });
    if (found == sum.end()) {
      sum.emplace_back(name, value);
    } else {
      found->second += value;
    }
  }
}

void take(Side& side, Repetition repetition) {
  side.samples.push_back(repetition.value);
  for (const auto& [name, value] : repetition.outcome.metrics) {
    if (name == kInstructionsMetric && value > 0) side.instructions.push_back(value);
  }
  side.verified = side.verified && repetition.outcome.verified;
  side.iterations = repetition.iterations;
  if (side.seen) {
    Outcome& before = side.outcome;
    add_evidence(before.evidence, repetition.outcome.evidence);
    repetition.outcome.evidence = std::move(before.evidence);
    if (before.distribution && repetition.outcome.distribution) {
      static_cast<void>(before.distribution->merge(*repetition.outcome.distribution));
      repetition.outcome.distribution = std::move(before.distribution);
    }
  }
  side.outcome = std::move(repetition.outcome);
  side.seen = true;
}

class Rounds {
 public:
  explicit Rounds(const RunPlan& plan) : plan_(plan), random_(plan.seed) {
    for (const Case* bench_case : plan.cases) states_.push_back({.bench_case = bench_case});
  }

  RunOutcome run() {
    const std::size_t all = plan_.repetitions * states_.size();
    std::size_t done = 0;
    std::vector<std::size_t> order(states_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (std::size_t round = 0; round < plan_.repetitions; ++round) {
      // Fresh processes: where code and data lie in memory is drawn anew.
      restart();
      std::shuffle(order.begin(), order.end(), random_);
      for (const std::size_t index : order) {
        State& state = states_[index];
        if (plan_.on_progress) plan_.on_progress(done, all, state.bench_case->name);
        ++done;
        if (state.skipped.empty() && state.failed.empty()) repeat(state);
      }
    }
    return finish();
  }

 private:
  void restart() {
    candidate_ = std::make_unique<Worker>(plan_.program, plan_.core, plan_.repeat_every);
    if (!plan_.against.empty()) baseline_ = std::make_unique<Worker>(plan_.against, plan_.core, 0);
  }

  void repeat(State& state) {
    const bool paired = baseline_ != nullptr && !state.baseline_missing;
    const bool baseline_first = paired && (random_() & 1U) != 0;
    if (baseline_first) once(state, *baseline_, state.baseline, true);
    if (usable(state)) once(state, *candidate_, state.candidate, false);
    if (paired && !baseline_first && usable(state)) once(state, *baseline_, state.baseline, true);
  }

  static bool usable(const State& state) { return state.skipped.empty() && state.failed.empty(); }

  void once(State& state, Worker& worker, Side& side, bool is_baseline) {
    const Case& bench_case = *state.bench_case;
    const double seconds = bench_case.whole ? plan_.whole_seconds : plan_.seconds;
    // Both sides of a pair do the same number of operations.
    const std::uint64_t iterations = std::max(state.candidate.iterations, state.baseline.iterations);
    const auto before = measure::read_udp_counters();
    auto repetition = worker.run(bench_case.name, bench_case.whole ? 1 : iterations, seconds);
    if (const auto after = measure::read_udp_counters(); before && after) {
      const std::uint64_t dropped = after->dropped() - before->dropped();
      side.kernel_drops += dropped;
      kernel_drops_ += dropped;
    }
    if (!repetition) {
      if (is_baseline && repetition.error().code == ErrorCode::kNotFound) {
        state.baseline_missing = true;
        return;
      }
      state.failed = repetition.error().message;
      restart();
      return;
    }
    if (!repetition->outcome.skipped.empty()) {
      state.skipped = repetition->outcome.skipped;
    } else if (!repetition->error.empty()) {
      state.failed = repetition->error;
    } else if (!(repetition->value > 0)) {
      state.failed = "no figure: " + repetition->outcome.proof;
    } else {
      take(side, std::move(*repetition));
    }
  }

  RunOutcome finish() {
    RunOutcome outcome;
    for (State& state : states_) {
      const Case& bench_case = *state.bench_case;
      // A run that fails now and then (a time-out on a busy machine) is told, and what was measured before it is kept.
      if (!state.failed.empty()) outcome.failed.push_back(bench_case.name + ": " + state.failed);
      if (!state.skipped.empty() && state.candidate.samples.empty())
        outcome.skipped.push_back(bench_case.name + ": " + state.skipped);
      if (state.candidate.samples.empty()) continue;
      measure::BenchmarkResult result;
      result.name = bench_case.name;
      result.level = bench_case.level();
      result.title = bench_case.title;
      result.parameters = bench_case.parameters;
      result.unit = bench_case.unit;
      result.better = bench_case.better;
      result.samples = state.candidate.samples;
      measure::summarize_samples(result);
      Outcome& latest = state.candidate.outcome;
      result.counts = std::move(latest.counts);
      result.metrics = std::move(latest.metrics);
      result.evidence = std::move(latest.evidence);
      result.distribution = std::move(latest.distribution);
      result.distribution_unit = latest.distribution_unit;
      result.verified = state.candidate.verified;
      result.proof = latest.proof;
      result.marks = std::move(latest.marks);
      if (state.candidate.kernel_drops > 0) {
        result.evidence.emplace_back("kernel_drops", static_cast<double>(state.candidate.kernel_drops));
        result.marks.push_back(fmt::format("{} datagrams dropped by the kernel", state.candidate.kernel_drops));
      }
      if (!result.verified) {
        outcome.failed.push_back(bench_case.name + ": not verified: " + result.proof);
        result.marks.emplace_back("not verified");
      }
      const std::size_t pairs = std::min(state.candidate.samples.size(), state.baseline.samples.size());
      if (pairs > 0) {
        measure::ComparedCase pair{.name = bench_case.name, .unit = bench_case.unit, .better = bench_case.better};
        const auto count = static_cast<std::ptrdiff_t>(pairs);
        pair.baseline.assign(state.baseline.samples.begin(), state.baseline.samples.begin() + count);
        pair.candidate.assign(state.candidate.samples.begin(), state.candidate.samples.begin() + count);
        pair.noise_threshold = measure::paired_threshold(bench_case.level());
        if (!state.candidate.instructions.empty() && !state.baseline.instructions.empty()) {
          pair.instruction_ratio =
              measure::median(state.candidate.instructions) / measure::median(state.baseline.instructions);
        }
        outcome.pairs.push_back(std::move(pair));
      }
      outcome.cases.push_back(std::move(result));
    }
    outcome.kernel_drops = kernel_drops_;
    return outcome;
  }

  const RunPlan& plan_;
  std::mt19937_64 random_;
  std::vector<State> states_;
  std::unique_ptr<Worker> candidate_;
  std::unique_ptr<Worker> baseline_;
  std::uint64_t kernel_drops_ = 0;
};

const measure::BenchmarkResult* find(const std::vector<measure::BenchmarkResult>& cases, const std::string& name) {
  const auto found =
      std::find_if(cases.begin(), cases.end(), [&name](const auto& bench_case) { return bench_case.name == name; });
  return found == cases.end() ? nullptr : &*found;
}

std::string parameter(const measure::BenchmarkResult& bench_case, const std::string& name) {
  for (const auto& [key, value] : bench_case.parameters) {
    if (key == name) return value;
  }
  return {};
}

}  // namespace

RunOutcome run_cases(const RunPlan& plan) {
  return Rounds(plan).run();
}

std::vector<measure::Ablation> make_ablations(const std::vector<measure::BenchmarkResult>& cases) {
  std::vector<measure::Ablation> ablations;
  for (const AblationPlan& plan : all_ablations()) {
    measure::Ablation ablation{.name = plan.name, .title = plan.title, .unit = {}, .better = {}, .steps = {}};
    for (const AblationPlan::Step& step : plan.steps) {
      const measure::BenchmarkResult* const bench_case = find(cases, step.bench_case);
      if (bench_case == nullptr) continue;
      ablation.unit = bench_case->unit;
      ablation.better = bench_case->better;
      ablation.steps.push_back({.label = step.label, .value = bench_case->summary.median, .note = step.note});
    }
    if (ablation.steps.size() >= 2) ablations.push_back(std::move(ablation));
  }
  return ablations;
}

std::vector<measure::Curves> make_curves(const std::vector<measure::BenchmarkResult>& cases) {
  struct Plan {
    const char* name;
    const char* title;
    const char* prefix;
    const char* line;
    const char* x;
    const char* x_label;
    const char* only;  // value of the other parameter, bytes or batch; or null
  };
  constexpr Plan kPlans[] = {
      {"seal-by-size", "Sealing by size of the plaintext", "level0/seal/", "cipher", "bytes", "bytes", nullptr},
      {"open-by-size", "Opening by size of the plaintext", "level0/open/", "cipher", "bytes", "bytes", nullptr},
      {"seal-by-batch", "Sealing a full packet, by packets a call", "level0/seal-batch/", "cipher", "batch",
       "packets a call", nullptr},
      {"open-by-batch", "Opening a full packet, by packets a call", "level0/open-batch/", "cipher", "batch",
       "packets a call", nullptr},
      {"backend-by-batch", "A datagram of 1200 bytes through each back end, by datagrams a batch", "level2/backend/",
       "backend", "batch", "datagrams a batch", "1200"},
      {"whole-by-batch", "A full packet of a stream through the whole transport, by datagrams a batch", "level2/whole/",
       "backend", "batch", "datagrams a batch", "1200"},
      {"whole-by-size", "A packet through the whole transport in batches of 54, by bytes it carries", "level2/whole/",
       "backend", "bytes", "bytes", "54"},
      {"by-connections", "A message on one of 16 active connections in memory, by connections open",
       "level1/endpoints/connections/", "active", "connections", "connections", nullptr},
      {"many-connections", "Processor time of a full packet on one socket, both ends, by connections open",
       "level3/connections/a", "active", "connections", "connections", nullptr},
      {"buffers", "Share of a burst that a receive buffer keeps, by its size", "level2/buffer/", "backend", "buffer",
       "KiB", nullptr},
  };
  std::vector<measure::Curves> all;
  for (const Plan& plan : kPlans) {
    measure::Curves curves{
        .name = plan.name, .title = plan.title, .unit = {}, .better = {}, .x_label = plan.x_label, .lines = {}};
    std::map<std::string, std::map<double, measure::Interval>> lines;
    for (const measure::BenchmarkResult& bench_case : cases) {
      if (!bench_case.name.starts_with(plan.prefix)) continue;
      const char* const other = std::string_view(plan.x) == "batch" ? "bytes" : "batch";
      if (plan.only != nullptr && parameter(bench_case, other) != plan.only) continue;
      lines[parameter(bench_case, plan.line)][std::stod(parameter(bench_case, plan.x))] = bench_case.summary.median;
      curves.unit = bench_case.unit;
      curves.better = bench_case.better;
    }
    for (const auto& [label, points] : lines) {
      measure::Curves::Line line{.label = label, .points = {}};
      for (const auto& [x, value] : points) line.points.push_back({.x = x, .value = value});
      if (line.points.size() >= 2) curves.lines.push_back(std::move(line));
    }
    if (!curves.lines.empty()) all.push_back(std::move(curves));
  }
  return all;
}

std::vector<measure::Grid> make_grids(const std::vector<measure::BenchmarkResult>& cases) {
  std::map<std::string, measure::Grid> grids;
  const auto index_of = [](std::vector<std::string>& names, const std::string& name) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
    names.push_back(name);
    return names.size() - 1;
  };
  // Names first, cells after: the shape of a grid is known only when all of its cases have been seen.
  for (const bool fill : {false, true}) {
    for (const measure::BenchmarkResult& bench_case : cases) {
      if (!bench_case.name.starts_with("level3/loss/")) continue;
      const std::string controller = parameter(bench_case, "congestion");
      measure::Grid& grid = grids[controller];
      if (!fill) {
        grid.name = "loss-by-delay-" + controller;
        grid.title = "Goodput by loss and added delay each way, " + controller;
        grid.unit = bench_case.unit;
        grid.better = bench_case.better;
        grid.row_label = "loss";
        grid.column_label = "delay";
      }
      const std::size_t r = index_of(grid.rows, parameter(bench_case, "loss"));
      const std::size_t c = index_of(grid.columns, parameter(bench_case, "delay"));
      if (!fill) continue;
      grid.cells.resize(grid.rows.size() * grid.columns.size());
      grid.cells[r * grid.columns.size() + c] = bench_case.summary.median;
    }
  }
  std::vector<measure::Grid> all;
  for (auto& [name, grid] : grids) all.push_back(std::move(grid));
  return all;
}

}  // namespace godwit::bench
