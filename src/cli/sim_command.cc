// `godwit sim`: the same core under a virtual clock. Runs scenarios from files or seeds, replays and shrinks what
// fails, and measures the table of controllers over paths (docs/simulation.md).

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/json_output.h"
#include "sim/campaign.h"
#include "sim/live_memory.h"
#include "sim/scenario_attack.h"
#include "sim/scenario_random.h"
#include "sim/scenario_toml.h"
#include "sim/shrink.h"
#include "sim/soak.h"
#include "sim/table.h"
#include "support/connection_plot.h"
#include "support/text_file.h"
#include "trace/qlog_sink.h"
#include "trace/tee_sink.h"

namespace godwit::cli {
namespace {

struct SimOptions {
  std::string file;
  std::uint64_t seeds = 0;
  std::uint64_t first = 1;
  std::uint32_t jobs = std::max(1u, std::thread::hardware_concurrency());
  std::uint64_t seed = 0;
  std::uint32_t hours = 24;
  bool attack = false;
  bool trace = false;
  bool json = false;
  bool full = false;
  std::string subset;
  std::string only;
  std::string store;
  std::string qlog;
  std::string plot;
  std::string out;
  const CLI::App* run = nullptr;  // which options of `sim run` were given
};

std::string describe(const sim::SimulationResult& result) {
  return fmt::format(
      "{} in {:.3f} simulated seconds (bound {:.1f}), {} datagrams, {} of {} messages confirmed, trace {:016x}",
      result.clean() ? "no rule broken" : "BROKEN", to_seconds(result.simulated), to_seconds(result.bound),
      result.datagrams, result.confirmed, result.messages, result.trace_hash);
}

// Everything a run can leave behind: a line an event, one qlog a host, and a page of charts.
class Recorder {
 public:
  Recorder(const SimOptions& options, std::size_t hosts) : options_(options) {
    for (std::size_t i = 0; i < hosts; ++i) {
      auto tee = std::make_unique<trace::TeeSink>();
      if (!options.qlog.empty()) {
        files_.push_back(std::make_unique<measure::TextFileWriter>(fmt::format("{}.host{}.qlog", options.qlog, i)));
        measure::TextFileWriter& file = *files_.back();
        qlogs_.push_back(std::make_unique<trace::QlogSink>([&file](std::string_view record) { file.append(record); },
                                                           trace::QlogOptions{.title = fmt::format("host {}", i)}));
        tee->add(*qlogs_.back());
      }
      if (!options.plot.empty()) {
        plots_.push_back(std::make_unique<report::ConnectionPlot>(fmt::format("host {}", i)));
        tee->add(*plots_.back());
      }
      if (!tee->empty()) tees_.push_back(std::move(tee));
    }
  }

  [[nodiscard]] sim::SimulatorOptions simulator_options() const {
    sim::SimulatorOptions result;
    if (options_.trace) result.trace = [](std::string_view line) { print_line(std::string(line)); };
    for (const auto& tee : tees_) result.sinks.push_back(tee.get());
    return result;
  }

  // Writes what is written at the end. False, with a message, when a file could not be written.
  [[nodiscard]] bool finish(const std::string& name, const std::string& outcome) {
    for (const auto& file : files_) {
      if (const Status closed = file->close(); !closed) {
        print_error(closed.error().message);
        return false;
      }
    }
    if (options_.plot.empty()) return true;
    std::string sections;
    // Each host has a clock of its own; its first event stands for the beginning.
    for (const auto& plot : plots_) sections += plot->sections(plot->began().value_or(Instant{}));
    const Status written = measure::write_text_file(options_.plot, report::plot_page(name, outcome, sections));
    if (!written) print_error(written.error().message);
    return written.has_value();
  }

 private:
  const SimOptions& options_;
  std::vector<std::unique_ptr<measure::TextFileWriter>> files_;
  std::vector<std::unique_ptr<trace::QlogSink>> qlogs_;
  std::vector<std::unique_ptr<report::ConnectionPlot>> plots_;
  std::vector<std::unique_ptr<trace::TeeSink>> tees_;
};

sim::Scenario scenario_of(const SimOptions& options) {
  return options.attack ? sim::random_attack(options.seed) : sim::random_scenario(options.seed);
}

int run_one(const SimOptions& options, const std::string& name, sim::Scenario scenario) {
  Recorder recorder(options, scenario.hosts.size());
  const sim::SimulationResult result = sim::Simulator(std::move(scenario), recorder.simulator_options()).run();
  const std::string outcome = describe(result);
  for (const sim::Violation& violation : result.violations) {
    print_line(fmt::format("{}: {}: {}", name, sim::rule_name(violation.rule), violation.text));
  }
  print_line(fmt::format("{}: {}", name, outcome));
  if (!recorder.finish(name, outcome)) return kUsage;
  return result.clean() ? kSuccess : kFailure;
}

// False when fewer legitimate attempts to connect have succeeded than must.
bool report_attacks(const sim::CampaignResult& result) {
  const sim::AttackNumbers& numbers = result.attack;
  const std::string memory = sim::LiveMemory::counted
                                 ? fmt::format("at most {} bytes held by one endpoint", numbers.peak_memory)
                                 : "memory not checked, as this program does not count it (godwit-counted does)";
  print_line(fmt::format(
      "attacker: {} datagrams, {} connections; {} of {} legitimate attempts to connect succeeded; at most {} datagrams "
      "of a peer not opened within 30 s; {} bytes to unproven addresses for {} from them; {}",
      result.attack_datagrams, result.attack_connections, numbers.connected, numbers.connects, numbers.most_unopened,
      numbers.unproven_sent, numbers.unproven_received, memory));
  return numbers.connected * 100 >= numbers.connects * 99;
}

int run_seeds(const SimOptions& options) {
  const auto began = std::chrono::steady_clock::now();
  const sim::CampaignResult result = sim::run_campaign(
      {.first = options.first,
       .count = options.seeds,
       .jobs = options.jobs,
       .attacks = options.attack,
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
      "messages confirmed; link faults:{} corrupted {}, duplicated {}, reordered {}, marked {}; injected faults {}",
      result.scenarios, result.failing.size(), static_cast<double>(result.scenarios) / seconds,
      result.simulated_seconds / seconds, result.datagrams, result.confirmed, result.messages, faults, result.corrupted,
      result.duplicated, result.reordered, result.marked, result.faults));
  for (const std::uint64_t seed : result.failing) {
    print_line(fmt::format("godwit sim replay {}{} --trace --plot seed-{}.html", seed,
                           options.attack ? " --attack" : "", seed));
  }
  const bool connects = !options.attack || report_attacks(result);
  return result.failing.empty() && connects ? kSuccess : kFailure;
}

// An option that would change nothing, and what it needs.
std::optional<std::string> ignored_run_option(const SimOptions& options) {
  const bool many = options.seeds > 0;
  for (const char* const name : {"--first", "--jobs"}) {
    if (!many && options.run->get_option(name)->count() > 0) return std::string(name) + " needs --seeds";
  }
  for (const char* const name : {"--trace", "--qlog", "--plot"}) {
    if (many && options.run->get_option(name)->count() > 0) {
      return std::string(name) + " needs one scenario: a file, or `sim replay SEED`";
    }
  }
  return std::nullopt;
}

int run_sim(const SimOptions& options) {
  if (options.file.empty() == (options.seeds == 0)) {
    print_error("sim run takes a scenario file or --seeds N");
    return kUsage;
  }
  if (const auto ignored = ignored_run_option(options)) {
    print_error(*ignored);
    return kUsage;
  }
  if (options.seeds > 0) return run_seeds(options);
  auto scenario = sim::load_scenario(options.file);
  if (!scenario) {
    print_error(scenario.error().message);
    return kUsage;
  }
  const std::string name = scenario->name.empty() ? options.file : scenario->name;
  return run_one(options, name, std::move(*scenario));
}

int run_replay(const SimOptions& options) {
  sim::Scenario scenario = scenario_of(options);
  if (options.trace) print_line(sim::print_scenario(scenario));
  return run_one(options, fmt::format("seed {}", options.seed), std::move(scenario));
}

int run_shrink(const SimOptions& options) {
  const sim::Scenario scenario = scenario_of(options);
  const sim::SimulationResult result = sim::Simulator(scenario).run();
  if (result.clean()) {
    print_line(fmt::format("seed {} breaks no rule", options.seed));
    return kSuccess;
  }
  const sim::ShrinkResult small = sim::shrink(scenario, result.violations.front().rule);
  print_line(fmt::format("# {}: {}\n# {} reductions in {} runs", sim::rule_name(small.violation.rule),
                         small.violation.text, small.steps, small.runs));
  print_line(sim::print_scenario(small.scenario));
  if (!options.out.empty()) {
    if (const Status written = measure::write_text_file(options.out, sim::print_scenario(small.scenario) + "\n");
        !written) {
      print_error(written.error().message);
      return kUsage;
    }
  }
  return kFailure;
}

int run_soak_command(const SimOptions& options) {
  const sim::SoakResult result =
      sim::run_soak({.length = std::chrono::hours(options.hours), .seed = std::max<std::uint64_t>(options.seed, 1)});
  print_line("    hours   memory  connections  admission  events  packets");
  const std::size_t step = std::max<std::size_t>(result.samples.size() / 12, 1);
  for (std::size_t i = step - 1; i < result.samples.size(); i += step) {
    const sim::SoakSample& sample = result.samples[i];
    print_line(fmt::format("{:9.1f} {:8} {:12} {:10} {:7} {:8}", to_seconds(sample.at) / 3600, sample.memory,
                           sample.connections, sample.admission_bytes, sample.pending_events, sample.live_packets));
  }
  if (!sim::LiveMemory::counted) print_line("memory is not counted by this program; godwit-counted does");
  for (const std::string& growing : result.growing) print_line("GROWS: " + growing);
  for (const sim::Violation& violation : result.simulation.violations)
    print_line(fmt::format("{}: {}", sim::rule_name(violation.rule), violation.text));
  print_line(fmt::format("soak: {}, {} datagrams of the attacker", describe(result.simulation),
                         result.simulation.attack_datagrams));
  return result.good() ? kSuccess : kFailure;
}

// A stored table: a JSON list with one cell a line, so that a run which was interrupted goes on where it stopped.
class TableStore {
 public:
  explicit TableStore(std::string path) : path_(std::move(path)) {
    std::ifstream file(path_);
    for (std::string line; std::getline(file, line);) {
      if (!line.starts_with("{")) continue;
      if (line.ends_with(",")) line.pop_back();
      lines_.push_back(line);
    }
  }

  [[nodiscard]] bool has(const sim::Cell& cell) const {
    const std::string start = fmt::format("{{\"cell\":\"{}\",", cell.name());
    return std::ranges::any_of(lines_, [&](const std::string& line) { return line.starts_with(start); });
  }
  // The whole file, beside it first: what is there stays whole.
  [[nodiscard]] Status add(const std::string& line) {
    lines_.push_back(line);
    std::string text = "[\n";
    for (std::size_t i = 0; i < lines_.size(); ++i) text += lines_[i] + (i + 1 < lines_.size() ? ",\n" : "\n");
    const std::string beside = path_ + ".new";
    if (const Status written = measure::write_text_file(beside, text + "]\n"); !written) return written;
    if (std::rename(beside.c_str(), path_.c_str()) == 0) return {};
    return failure(ErrorCode::kSystem, "cannot write " + path_ + ": " + std::strerror(errno));
  }

 private:
  std::string path_;
  std::vector<std::string> lines_;
};

int run_table(const SimOptions& options) {
  std::vector<sim::Cell> cells = options.subset == "ci" ? sim::ci_table() : sim::whole_table();
  std::erase_if(cells, [&](const sim::Cell& cell) { return cell.name().find(options.only) == std::string::npos; });
  if (cells.empty()) {
    print_error("no cell has '" + options.only + "' in its name; without --only all are listed as they are measured");
    return kUsage;
  }
  std::optional<TableStore> store;
  if (!options.store.empty()) store.emplace(options.store);
  if (!options.json) print_line(sim::table_header());
  bool good = true;
  std::string error;
  std::string separator;
  if (options.json) {
    // Whatever happens from here on, the list is closed.
    print_text("[\n");
    note_json_written();
  }
  for (const sim::Cell& cell : cells) {
    if (output_lost()) break;
    if (store && store->has(cell)) continue;
    const sim::CellResult result = sim::measure_cell(cell, options.full ? sim::full_choice(cell) : sim::CellChoice{});
    good = good && result.within_bounds();
    if (options.json) {
      print_text(std::exchange(separator, ",\n") + sim::table_json(result));
    } else {
      print_line(sim::table_line(result));
    }
    if (const Status added = store ? store->add(sim::table_json(result)) : Status(); !added) {
      error = added.error().message;
      break;
    }
  }
  if (options.json) print_text(separator.empty() ? "]\n" : "\n]\n");
  if (!error.empty()) {
    print_error(error);
    return kUsage;
  }
  return good ? kSuccess : kFailure;
}

void add_attack(CLI::App& command, SimOptions& options) {
  command.add_flag("--attack", options.attack, "small networks with an attacker who sees and forges everything");
}

void add_recordings(CLI::App& command, SimOptions& options) {
  command.add_option("--qlog", options.qlog, "write the core's trace: PREFIX.host0.qlog and so on")
      ->type_name("PREFIX");
  command.add_option("--plot", options.plot, "write a page: window, in flight, rate and round trip over time")
      ->type_name("FILE");
}

}  // namespace

void add_sim_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<SimOptions>();
  CLI::App* const command =
      app.add_subcommand("sim", "Simulates networks and checks every rule: scenarios, seeds, the table");
  command->require_subcommand(1);

  CLI::App* const run = command->add_subcommand("run", "Runs a scenario file, or many random scenarios");
  options->run = run;
  run->add_option("file", options->file, "scenario in TOML")->type_name("FILE");
  run->add_option("--seeds", options->seeds, "random scenarios to run");
  run->add_option("--first", options->first, "the first seed; default 1");
  run->add_option("--jobs", options->jobs, "threads; default one a processor")->check(CLI::Range(1, 1024));
  run->add_flag("--trace", options->trace, "print every event (a scenario file)");
  add_attack(*run, *options);
  add_recordings(*run, *options);
  run->callback([options, &exit_code] { exit_code = run_sim(*options); });

  CLI::App* const replay = command->add_subcommand("replay", "Runs the random scenario of one seed");
  replay->add_option("seed", options->seed, "the seed")->required();
  replay->add_flag("--trace", options->trace, "print the scenario and every event");
  add_attack(*replay, *options);
  add_recordings(*replay, *options);
  replay->callback([options, &exit_code] { exit_code = run_replay(*options); });

  CLI::App* const small =
      command->add_subcommand("shrink", "Makes a failing random scenario small and prints it as TOML");
  small->add_option("seed", options->seed, "the seed")->required();
  add_attack(*small, *options);
  small->add_option("-o,--output", options->out, "write the scenario to this file as well")->type_name("FILE");
  small->callback([options, &exit_code] { exit_code = run_shrink(*options); });

  CLI::App* const soak = command->add_subcommand("soak", "A long virtual time with an attacker: nothing may grow");
  soak->add_option("--hours", options->hours, "virtual hours; default 24")->check(CLI::Range(1, 10'000));
  soak->add_option("--seed", options->seed, "another run");
  soak->callback([options, &exit_code] { exit_code = run_soak_command(*options); });

  CLI::App* const table = command->add_subcommand("table", "Measures controllers over paths");
  table->add_option("--subset", options->subset, "ci: the forty cells that run with the tests")
      ->check(CLI::IsMember({"ci"}));
  table->add_option("--only", options->only, "cells whose name contains this");
  table->add_flag("--full", options->full, "fairness, coexistence and black-outs besides");
  table->add_flag("--json", options->json, "a JSON list");
  table->add_option("--store", options->store, "a file of cells: measures those it lacks and adds them")
      ->type_name("FILE");
  table->callback([options, &exit_code] { exit_code = run_table(*options); });
}

}  // namespace godwit::cli
