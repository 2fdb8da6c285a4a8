// transport_perf: the benchmark suite (docs/architecture/transport_benchmark_methodology.md). Also as `godwit bench`.

#include <fmt/format.h>
#include <sys/personality.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>

#include "benches/budget.h"
#include "benches/merge.h"
#include "benches/output.h"
#include "benches/perf_cases.h"
#include "benches/repetition.h"
#include "benches/runner.h"
#include "benches/verdict.h"
#include "benches/worker.h"
#include "crypto/packet_cipher.h"
#include "measure/baselines.h"
#include "measure/environment.h"
#include "measure/results.h"
#include "measure/stopwatch.h"
#include "report/screen.h"
#include "report/tables.h"
#include "report/terminal.h"

namespace godwit::bench {
namespace {

struct Options {
  std::vector<std::string> patterns;
  std::string filter;
  bool quick = false;
  bool check = false;
  bool list = false;
  bool strict = false;
  bool noise = false;
  bool json = false;
  bool instructions = false;
  bool force = false;
  std::string json_file;
  std::string against;
  std::string save_baseline;
  std::string baseline;
  std::string baseline_folder = "build/baselines";
  std::string cipher = "auto";
  std::string check_budget;
  std::string write_budget;
  std::size_t repetitions = 0;
  double seconds = 0;
  double whole_seconds = 0;
  double inject_slowdown = 0;
  double time_limit = 150;
  int core = 1;
  std::uint64_t seed = 1;
  bool worker = false;
  int repeat_every = 0;
  std::string under_callgrind;
  std::vector<std::string> merge;
};

// Another program, or this one, is the baseline of every repetition.
bool compares(const Options& options) {
  return !options.against.empty() || options.noise;
}

std::string own_program() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).string();
}

// "ablation" and "ablation/NAME" stand for the cases of all ablations or of one.
std::vector<std::string> cases_of_ablations(const std::string& pattern) {
  std::vector<std::string> names;
  for (const AblationPlan& ablation : all_ablations()) {
    if (pattern != "ablation" && pattern != "ablation/" + ablation.name) continue;
    for (const AblationPlan::Step& step : ablation.steps) names.push_back(step.bench_case);
  }
  return names;
}

// Words select by beginning: "level0", "level2/transport"; --filter is a regular expression on top.
std::vector<const Case*> selected_cases(const Options& options) {
  const std::regex filter(options.filter.empty() ? ".*" : options.filter);
  std::vector<std::string> in_ablations;
  for (const std::string& pattern : options.patterns) {
    const std::vector<std::string> names = cases_of_ablations(pattern);
    in_ablations.insert(in_ablations.end(), names.begin(), names.end());
  }
  std::vector<const Case*> cases;
  for (const Case& bench_case : all_cases()) {
    const auto begins = [&bench_case](const std::string& pattern) { return bench_case.name.starts_with(pattern); };
    const bool wanted =
        options.patterns.empty()
            ? bench_case.level() <= 1
            : std::any_of(options.patterns.begin(), options.patterns.end(), begins) ||
                  std::find(in_ablations.begin(), in_ablations.end(), bench_case.name) != in_ablations.end();
    // A pair of them takes as long as all others together: a comparison takes them only by their whole name.
    const bool named =
        std::find(options.patterns.begin(), options.patterns.end(), bench_case.name) != options.patterns.end();
    const bool too_heavy = bench_case.heavy && !named && (options.quick || compares(options));
    if (wanted && !too_heavy && std::regex_search(bench_case.name, filter)) cases.push_back(&bench_case);
  }
  return cases;
}

class Suite {
 public:
  explicit Suite(const Options& options)
      : options_(options), terminal_(report::terminal_options(options.json ? STDERR_FILENO : STDOUT_FILENO)) {}

  int run(const std::vector<const Case*>& cases) {
    begin(cases);
    if (options_.strict && !unfit_.empty()) {
      put(stderr, "transport_perf: --strict: this machine is not fit: {}\n", fmt::join(unfit_, "; "));
      return 1;
    }
    RunOutcome outcome = measure_cases(cases);
    results_.benchmarks = std::move(outcome.cases);
    results_.ablations = make_ablations(results_.benchmarks);
    results_.curves = make_curves(results_.benchmarks);
    results_.grids = make_grids(results_.benchmarks);
    if (options_.noise) set_thresholds(outcome.pairs);
    int code = outcome.failed.empty() ? 0 : 1;
    if (results_.comparison) code = std::max(code, exit_code_of(*results_.comparison));
    end(outcome);
    if (!options_.baseline.empty()) code = std::max(code, compare_with_stored());
    if (options_.instructions) add_instructions(cases);
    print(outcome);
    return std::max(code, store());
  }

 private:
  void begin(const std::vector<const Case*>& cases) {
    results_.started_at = measure::utc_timestamp();
    results_.mode = options_.check ? "check" : options_.quick ? "quick" : "full";
    results_.version = measure::build_facts().version;
    results_.seed = options_.seed;
    results_.environment = measure::examine_environment();
    before_ = measure::take_system_snapshot();
    for (int level = 0; level < measure::kLevels; ++level) {
      const bool used = std::any_of(cases.begin(), cases.end(),
                                    [level](const Case* bench_case) { return bench_case->level() == level; });
      if (!used || results_.environment.fit_for(level)) continue;
      for (const std::string& reason : results_.environment.reasons_against(level)) {
        unfit_.push_back(fmt::format("level {}: {}", level, reason));
      }
      results_.marks.push_back(fmt::format("environment unfit for level {}", level));
    }
    if (!unfit_.empty()) put(stderr, "{}\n", report::unfit_warning(unfit_));
    // Measured builds neither log nor carry probes: the probes are in libraries that this program does not link.
    if (!options_.json) {
      put(stdout, "{}", report::print_environment(results_.environment, terminal_, false));
      put(stdout, "{} cases\n", cases.size());
    }
  }

  RunOutcome measure_cases(const std::vector<const Case*>& cases) {
    RunPlan plan;
    plan.cases = cases;
    plan.program = own_program();
    plan.against = !options_.against.empty() ? options_.against : options_.noise ? plan.program : "";
    plan.repetitions = options_.repetitions > 0 ? options_.repetitions : options_.check ? 1 : options_.quick ? 3 : 10;
    // Many short pairs tell more than few long ones: what disturbs a pair is as short.
    const bool brief = options_.quick || compares(options_);
    plan.seconds = options_.seconds > 0 ? options_.seconds : options_.check ? 0.0005 : brief ? 0.005 : 0.02;
    plan.whole_seconds = options_.whole_seconds > 0 ? options_.whole_seconds
                         : options_.check           ? 0.1
                         : options_.quick           ? 0.25
                                                    : 0.6;
    plan.core = options_.core;
    plan.seed = options_.seed;
    if (options_.inject_slowdown > 0) {
      plan.repeat_every = std::max(1, static_cast<int>(100 / options_.inject_slowdown));
      results_.marks.push_back(fmt::format("slow-down of {} % injected", options_.inject_slowdown));
    }
    report::ProgressPrinter progress(report::terminal_options(STDERR_FILENO));
    std::optional<double> begun;
    plan.on_progress = [&](std::size_t done, std::size_t all, const std::string& what) {
      if (done == 0 || !begun) begun = elapsed();  // cases that get more pairs begin anew
      put(stderr, "{}", progress.update(done, all, what, elapsed() - *begun));
    };
    RunOutcome outcome = plan.against.empty() ? run_cases(plan) : decide(plan);
    put(stderr, "{}", progress.finish());
    return outcome;
  }

  // A fixed number of repetitions, if one was named, is looked at once.
  RunOutcome decide(const RunPlan& plan) {
    const bool fixed = options_.repetitions > 0 || options_.check;
    ProgramVerdict verdict = compare_programs(plan, {.first_pairs = fixed ? plan.repetitions : 0,
                                                     .time_limit = fixed ? 0 : options_.time_limit,
                                                     .count_instructions = !fixed,
                                                     .seed = options_.seed});
    for (const std::string& note : verdict.notes) put(stderr, "transport_perf: {}\n", note);
    results_.comparison = std::move(verdict.comparison);
    return std::move(verdict.outcome);
  }

  void set_thresholds(std::vector<measure::ComparedCase>& pairs) {
    for (measure::ComparedCase& pair : pairs) {
      if (pair.baseline.size() < 3) continue;
      const measure::NoiseThreshold threshold = measure::noise_threshold(pair.baseline, pair.candidate);
      for (measure::BenchmarkResult& bench_case : results_.benchmarks) {
        if (bench_case.name == pair.name) bench_case.noise_threshold = threshold;
      }
    }
  }

  // An A/A run is compared by the thresholds one assumes before it, as any other comparison is; what it finds becomes
  // the threshold.
  [[nodiscard]] int exit_code_of(const measure::Comparison& comparison) const {
    if (options_.noise && options_.against.empty()) return comparison.alarms() > 0 ? 1 : 0;
    return comparison.exit_code();
  }

  int compare_with_stored() {
    const measure::BaselineStore store(options_.baseline_folder);
    const auto baseline = store.load(options_.baseline);
    if (!baseline) {
      put(stderr, "transport_perf: {}\n", baseline.error().message);
      return 2;
    }
    auto comparison = measure::compare_with_baseline(*baseline, results_, options_.force, {.seed = options_.seed});
    if (!comparison) {
      put(stderr, "transport_perf: {}\n", comparison.error().message);
      return 2;
    }
    for (const std::string& mark : comparison->marks) results_.marks.push_back(mark);
    for (const std::string& line : comparison->skipped) put(stderr, "not compared  {}\n", line);
    results_.comparison = std::move(comparison->comparison);
    return results_.comparison->exit_code();
  }

  void add_instructions(const std::vector<const Case*>& cases) {
    const auto counts = count_instructions_of(own_program(), cases);
    if (!counts) {
      put(stderr, "transport_perf: no instructions: {}\n", counts.error().message);
      return;
    }
    for (measure::BenchmarkResult& bench_case : results_.benchmarks) {
      const auto found = counts->find(bench_case.name);
      if (found != counts->end()) bench_case.counts.emplace_back("instructions", found->second.at("instructions"));
    }
  }

  void end(const RunOutcome& outcome) {
    results_.system = measure::take_system_snapshot() - before_;
    // Drops are told by the cases that caused them: only what is beyond speaks against all of them.
    measure::SystemSnapshot beyond = *results_.system;
    beyond.udp.memory_errors = 0;
    beyond.udp.receive_buffer_errors =
        results_.system->udp.dropped() - std::min(results_.system->udp.dropped(), outcome.kernel_drops);
    during_.findings = measure::run_findings(beyond);
    results_.environment.findings.insert(results_.environment.findings.end(), during_.findings.begin(),
                                         during_.findings.end());
    results_.seconds = elapsed();
    results_.fingerprint = measure::take_fingerprint(std::string(cipher_name(chosen_cipher())));
    for (measure::BenchmarkResult& bench_case : results_.benchmarks) {
      if (!results_.environment.fit_for(bench_case.level)) bench_case.marks.emplace_back("environment unfit");
    }
  }

  void print(const RunOutcome& outcome) const {
    std::FILE* const out = options_.json ? stderr : stdout;
    put(out, "{}\n", report::print_table(report::benchmark_table(results_), terminal_));
    if (std::any_of(results_.benchmarks.begin(), results_.benchmarks.end(),
                    [](const auto& bench_case) { return bench_case.distribution.has_value(); })) {
      put(out, "{}\n", report::print_table(report::latency_table(results_), terminal_));
    }
    for (const measure::Ablation& ablation : results_.ablations) {
      put(out, "{}\n", report::print_table(report::ablation_table(ablation), terminal_));
    }
    if (options_.noise) put(out, "{}\n", report::print_table(report::noise_table(results_), terminal_));
    if (results_.comparison) {
      put(out, "{}\n", report::print_table(report::comparison_table(*results_.comparison), terminal_));
    }
    if (during_.exit_code() != 0) {
      put(out, "While it ran:\n{}\n", report::print_environment(during_, terminal_, false));
    }
    for (const std::string& line : outcome.skipped) put(out, "skipped  {}\n", line);
    for (const std::string& line : outcome.failed) put(stderr, "FAILED   {}\n", line);
    put(out, "{} cases in {:.0f} s; {} skipped, {} failed\n", results_.benchmarks.size(), results_.seconds,
        outcome.skipped.size(), outcome.failed.size());
  }

  int store() const {
    if (!options_.json_file.empty()) {
      if (const Status saved = measure::save_results(results_, options_.json_file); !saved) {
        put(stderr, "transport_perf: {}\n", saved.error().message);
        return 2;
      }
    }
    if (!options_.save_baseline.empty()) {
      std::error_code error;
      std::filesystem::create_directories(options_.baseline_folder, error);
      if (const Status saved = measure::BaselineStore(options_.baseline_folder).save(options_.save_baseline, results_);
          !saved) {
        put(stderr, "transport_perf: {}\n", saved.error().message);
        return 2;
      }
    }
    if (options_.json) put(stdout, "{}", measure::print_json(to_json(results_)));
    return 0;
  }

  [[nodiscard]] double elapsed() const { return static_cast<double>(watch_.elapsed().count()) * 1e-9; }

  const Options& options_;
  report::TerminalOptions terminal_;
  measure::Results results_;
  measure::SystemSnapshot before_;
  measure::EnvironmentReport during_;  // what happened while the cases ran
  measure::Stopwatch watch_;
  std::vector<std::string> unfit_;
};

int gate_on_budget(const Options& options, const std::vector<const Case*>& cases) {
  std::vector<std::string> failures;
  CountTable counts = count_all(cases, failures);
  std::vector<std::string> notes;
  if (options.instructions) {
    const auto instructions = count_instructions_of(own_program(), cases);
    if (instructions) {
      for (const auto& [name, values] : *instructions) counts[name].insert(values.begin(), values.end());
    } else {
      notes.push_back("no instructions: " + instructions.error().message);
    }
  }
  const auto read = [](const std::string& path) {
    std::ifstream file(path);
    return measure::parse_json(std::string(std::istreambuf_iterator<char>(file), {}));
  };
  if (!options.write_budget.empty()) {
    const auto former = read(options.write_budget);
    const measure::Json budget = budget_to_json(counts, former ? *former : measure::Json::object());
    std::ofstream(options.write_budget) << measure::print_json(budget);
  } else {
    const auto budget = read(options.check_budget);
    if (!budget) {
      put(stderr, "transport_perf: {}: {}\n", options.check_budget, budget.error().message);
      return 2;
    }
    for (std::string& problem : check_budget(*budget, counts, notes)) failures.push_back(std::move(problem));
  }
  for (const std::string& note : notes) put(stdout, "{}\n", note);
  for (const std::string& line : failures) put(stderr, "OVER BUDGET  {}\n", line);
  return failures.empty() ? 0 : 1;
}

int merge_files(const Options& options) {
  std::vector<measure::Results> runs;
  for (const std::string& path : options.merge) {
    auto results = measure::load_results(path);
    if (!results) {
      put(stderr, "transport_perf: {}: {}\n", path, results.error().message);
      return 2;
    }
    runs.push_back(std::move(*results));
  }
  const auto merged = merge_results(runs);
  const Status saved = !merged ? Status(std::unexpected(merged.error()))
                       : options.json_file.empty()
                           ? Status(failure(ErrorCode::kInvalidArgument, "--json-file is missing"))
                           : measure::save_results(*merged, options.json_file);
  if (!saved) {
    put(stderr, "transport_perf: --merge: {}\n", saved.error().message);
    return 2;
  }
  put(stdout, "{} cases in {}\n", merged->benchmarks.size(), options.json_file);
  return 0;
}

int run(const Options& options) {
  if (options.cipher != "auto") {
    const auto cipher = parse_cipher_name(options.cipher);
    if (!cipher || !cipher_available(*cipher)) {
      put(stderr, "transport_perf: no cipher '{}' here\n", options.cipher);
      return 2;
    }
    choose_cipher(*cipher);
  }
  if (!options.merge.empty()) return merge_files(options);
  if (options.worker) return serve_requests(options.repeat_every);
  if (!options.under_callgrind.empty()) {
    std::ifstream file(options.under_callgrind);
    std::vector<const Case*> cases;
    for (std::string name; std::getline(file, name);) {
      if (const Case* bench_case = find_case(name)) cases.push_back(bench_case);
    }
    return run_under_callgrind(cases, options.repeat_every);
  }
  std::vector<const Case*> cases;
  try {
    cases = selected_cases(options);
  } catch (const std::regex_error& error) {
    put(stderr, "transport_perf: --filter: {}\n", error.what());
    return 2;
  }
  if (cases.empty()) {
    put(stderr, "transport_perf: no case is selected\n");
    return 2;
  }
  if (options.list) {
    for (const Case* bench_case : cases) put(stdout, "{:<48} {}\n", bench_case->name, bench_case->title);
    return 0;
  }
  if (!options.check_budget.empty() || !options.write_budget.empty()) return gate_on_budget(options, cases);
  const int code = Suite(options).run(cases);
  if (std::any_of(cases.begin(), cases.end(),
                  [](const Case* bench_case) { return bench_case->name.starts_with("level2/veth"); }))
    VethPair::remove();
  return code;
}

}  // namespace
}  // namespace godwit::bench

int main(int argc, char** argv) {
  godwit::bench::Options options;
  CLI::App app("The benchmark suite: shipped code only, verified, paired, with its own noise beside it.",
               "transport_perf");
  app.add_option("cases", options.patterns,
                 "beginnings of names: level0, level2/transport; ablation, ablation/NAME (default: level0 level1)");
  app.add_option("--filter", options.filter, "regular expression that names must match");
  app.add_flag("--quick", options.quick, "three short repetitions, without the cases that take seconds to set up");
  app.add_flag("--check", options.check, "each case once, for tests: is every result verified?");
  app.add_flag("--list", options.list, "only print the cases");
  app.add_flag("--strict", options.strict, "refuse to measure on a machine that is not fit for it");
  app.add_flag("--noise", options.noise, "compare this program with itself: the noise threshold of each case");
  app.add_option("--against", options.against, "another build's transport_perf, run interleaved as the baseline");
  app.add_option("--save-baseline", options.save_baseline, "store the result under this name");
  app.add_option("--baseline", options.baseline, "compare with the result stored under this name");
  app.add_option("--baseline-folder", options.baseline_folder, "where baselines are")->capture_default_str();
  app.add_flag("--force", options.force, "compare with a baseline of another machine; marks the result");
  app.add_option("--repetitions", options.repetitions, "of each case");
  app.add_option("--seconds", options.seconds, "of one repetition of a repeated operation");
  app.add_option("--time-limit", options.time_limit,
                 "seconds that a comparison may take to give undecided cases more pairs; not with --repetitions")
      ->capture_default_str();
  app.add_option("--whole-seconds", options.whole_seconds, "of one run of a case that is a whole run");
  app.add_option("--cipher", options.cipher, "AES-128-GCM of the cases that do not name one; auto or a name")
      ->capture_default_str();
  app.add_option("--core", options.core, "processor that workers are pinned to; -1: none")->capture_default_str();
  app.add_option("--seed", options.seed, "of the order")->capture_default_str();
  app.add_flag("--instructions", options.instructions, "count instructions of level 0 through callgrind");
  app.add_option("--check-budget", options.check_budget, "gate on the counts of this file");
  app.add_option("--write-budget", options.write_budget, "write them");
  app.add_flag("--json", options.json, "the result on standard output");
  app.add_option("--json-file", options.json_file, "the result into a file");
  app.add_option("--merge", options.merge, "result files of one machine and build, as one into --json-file");
  app.add_option("--inject-slowdown", options.inject_slowdown, "percent of work done twice in levels 0 and 1")
      ->group("");
  app.add_flag("--worker", options.worker)->group("");
  app.add_option("--repeat-every", options.repeat_every)->group("");
  app.add_option("--under-callgrind", options.under_callgrind)->group("");
  CLI11_PARSE(app, argc, argv);
  return godwit::bench::finish_output(godwit::bench::run(options));
}
