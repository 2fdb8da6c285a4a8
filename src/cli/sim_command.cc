// `godwit sim`: the same core under a virtual clock. Runs scenarios from files or seeds, replays and shrinks what
// fails, and measures the table of controllers over paths (docs/simulation.md).

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "sim/campaign.h"
#include "sim/scenario_random.h"
#include "sim/scenario_toml.h"
#include "sim/shrink.h"
#include "sim/table.h"

namespace godwit::cli {
namespace {

struct SimOptions {
  std::string file;
  std::uint64_t seeds = 0;
  std::uint64_t first = 1;
  std::uint32_t jobs = std::max(1u, std::thread::hardware_concurrency());
  std::uint64_t seed = 0;
  bool trace = false;
  bool json = false;
  bool full = false;
  std::string subset;
  std::string only;
};

int report(const std::string& name, const sim::SimulationResult& result) {
  for (const sim::Violation& violation : result.violations) {
    print_line(fmt::format("{}: {}: {}", name, sim::rule_name(violation.rule), violation.text));
  }
  print_line(fmt::format(
      "{}: {} in {:.3f} simulated seconds (bound {:.1f}), {} datagrams, {} of {} messages confirmed, trace {:016x}",
      name, result.clean() ? "no rule broken" : "BROKEN", to_seconds(result.simulated), to_seconds(result.bound),
      result.datagrams, result.confirmed, result.messages, result.trace_hash));
  return result.clean() ? kSuccess : kFailure;
}

sim::SimulatorOptions simulator_options(const SimOptions& options) {
  sim::SimulatorOptions result;
  if (options.trace) result.trace = [](std::string_view line) { print_line(std::string(line)); };
  return result;
}

int run_seeds(const SimOptions& options) {
  const auto began = std::chrono::steady_clock::now();
  const sim::CampaignResult result = sim::run_campaign(
      {.first = options.first,
       .count = options.seeds,
       .jobs = options.jobs,
       .on_failure = [](std::uint64_t seed, const sim::Violation& violation) {
         print_line(fmt::format("seed {}: {}: {}", seed, sim::rule_name(violation.rule), violation.text));
       }});
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  std::string faults;
  for (std::size_t i = 0; i < result.drops.size(); ++i) {
    faults += fmt::format(" {} {},", sim::link_drop_name(static_cast<sim::LinkDrop>(i)), result.drops[i]);
  }
  print_line(fmt::format(
      "{} scenarios, {} failing; {:.0f} scenarios/s, {:.0f} simulated seconds per second; {} datagrams, {} of {} "
      "messages confirmed; faults:{} corrupted {}, duplicated {}, reordered {}, disturbances {}",
      result.scenarios, result.failing.size(), static_cast<double>(result.scenarios) / seconds,
      result.simulated_seconds / seconds, result.datagrams, result.confirmed, result.messages, faults, result.corrupted,
      result.duplicated, result.reordered, result.disturbances));
  for (const std::uint64_t seed : result.failing) print_line(fmt::format("godwit sim replay {} --trace", seed));
  return result.failing.empty() ? kSuccess : kFailure;
}

int run_sim(const SimOptions& options) {
  if (options.file.empty() == (options.seeds == 0)) {
    print_error("sim run takes a scenario file or --seeds N");
    return kUsage;
  }
  if (options.seeds > 0) return run_seeds(options);
  auto scenario = sim::load_scenario(options.file);
  if (!scenario) {
    print_error(scenario.error().message);
    return kUsage;
  }
  const std::string name = scenario->name.empty() ? options.file : scenario->name;
  return report(name, sim::Simulator(std::move(*scenario), simulator_options(options)).run());
}

int run_replay(const SimOptions& options) {
  sim::Scenario scenario = sim::random_scenario(options.seed);
  if (options.trace) print_line(sim::print_scenario(scenario));
  return report(fmt::format("seed {}", options.seed),
                sim::Simulator(std::move(scenario), simulator_options(options)).run());
}

int run_shrink(const SimOptions& options) {
  const sim::Scenario scenario = sim::random_scenario(options.seed);
  const sim::SimulationResult result = sim::Simulator(scenario).run();
  if (result.clean()) {
    print_line(fmt::format("seed {} breaks no rule", options.seed));
    return kSuccess;
  }
  const sim::ShrinkResult small = sim::shrink(scenario, result.violations.front().rule);
  print_line(fmt::format("# {}: {}\n# {} reductions in {} runs", sim::rule_name(small.violation.rule),
                         small.violation.text, small.steps, small.runs));
  print_line(sim::print_scenario(small.scenario));
  return kFailure;
}

int run_table(const SimOptions& options) {
  const std::vector<sim::Cell> cells = options.subset == "ci" ? sim::ci_table() : sim::whole_table();
  sim::CellChoice choice;
  if (options.full) choice = {.blackout = true, .against_cubic = true, .flows = {2, 8, 32}};
  if (!options.json) print_line(sim::table_header());
  bool good = true;
  std::string separator = "[\n";
  for (const sim::Cell& cell : cells) {
    if (cell.name().find(options.only) == std::string::npos) continue;
    const sim::CellResult result = sim::measure_cell(cell, choice);
    good = good && result.within_bounds();
    print_line(options.json ? std::exchange(separator, ",\n") + sim::table_json(result) : sim::table_line(result));
  }
  if (options.json) print_line("]");
  return good ? kSuccess : kFailure;
}

}  // namespace

void add_sim_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<SimOptions>();
  CLI::App* const command =
      app.add_subcommand("sim", "Simulates networks and judges every rule: scenarios, seeds, the table");
  command->require_subcommand(1);

  CLI::App* const run = command->add_subcommand("run", "Runs a scenario file, or many random scenarios");
  run->add_option("file", options->file, "scenario in TOML")->type_name("FILE");
  run->add_option("--seeds", options->seeds, "random scenarios to run");
  run->add_option("--first", options->first, "the first seed; default 1");
  run->add_option("--jobs", options->jobs, "threads; default one a processor")->check(CLI::Range(1, 1024));
  run->add_flag("--trace", options->trace, "print every event (a scenario file)");
  run->callback([options, &exit_code] { exit_code = run_sim(*options); });

  CLI::App* const replay = command->add_subcommand("replay", "Runs the random scenario of one seed");
  replay->add_option("seed", options->seed, "the seed")->required();
  replay->add_flag("--trace", options->trace, "print the scenario and every event");
  replay->callback([options, &exit_code] { exit_code = run_replay(*options); });

  CLI::App* const small =
      command->add_subcommand("shrink", "Makes a failing random scenario small and prints it as TOML");
  small->add_option("seed", options->seed, "the seed")->required();
  small->callback([options, &exit_code] { exit_code = run_shrink(*options); });

  CLI::App* const table = command->add_subcommand("table", "Measures controllers over paths");
  table->add_option("--subset", options->subset, "ci: the forty cells that run with the tests")
      ->check(CLI::IsMember({"ci"}));
  table->add_option("--only", options->only, "cells whose name contains this");
  table->add_flag("--full", options->full, "fairness, coexistence and black-outs besides");
  table->add_flag("--json", options->json, "a JSON list");
  table->callback([options, &exit_code] { exit_code = run_table(*options); });
}

}  // namespace godwit::cli
