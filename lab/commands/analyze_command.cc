// `godwit analyze`: where the time of one packet goes, on either side, in the shipped pipeline. See analysis.h. It ends
// with one screen (report/screen.h); everything else is on the HTML page and, with --verbose, in front of the screen.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <random>

#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/json_output.h"
#include "cli/network_options.h"
#include "cli/values.h"
#include "commands/analysis.h"
#include "commands/analyze_details.h"
#include "commands/lab_commands.h"
#include "commands/perf_pair.h"
#include "measure/analysis_summary.h"
#include "measure/environment.h"
#include "measure/results.h"
#include "measure/stopwatch.h"
#include "report/html.h"
#include "report/screen.h"
#include "report/terminal.h"
#include "support/format.h"
#include "support/text_file.h"

namespace godwit::cli {
namespace {

// Enough that neither side waits for the other.
constexpr std::size_t kMessagesUnderWay = 512;
constexpr char kDefaultPage[] = "godwit-analysis.html";

struct AnalyzeOptions {
  double seconds = 0.7;
  int rounds = 5;
  bool quick = false;
  std::vector<std::string> backends;
  std::vector<std::size_t> messages;
  bool copying = false;
  std::string cipher = "auto";
  bool strict = false;
  bool verbose = false;
  bool no_page = false;
  bool no_screen = false;  // for a script that shows the screen of several results at its own end
  std::string page;
  int sender_core = 1;
  int receiver_core = 0;
  std::uint64_t seed = 1;
  OutputOptions output;
};

// One shape of traffic.
struct Scenario {
  std::string backend;
  std::string bench_case;  // the case's name after level2/analyze/
  std::string name;        // of the breakdown
  std::string title;
  std::vector<std::string> client_arguments;
  std::vector<std::string> both_arguments;
  std::size_t message_bytes = 0;  // 0: a stream
  bool serial = false;            // the sides take turns: neither limits the other's rate

  [[nodiscard]] bool is_messages() const { return message_bytes > 0; }
};

// As it is shipped, and one datagram a system call as the analysed system had it.
Scenario stream_scenario(const std::string& backend) {
  const bool single = backend == "sendto" || backend == "connected";
  return {.backend = backend,
          .bench_case = backend,
          .name = backend == "auto" ? std::string(measure::kShippedScenario)
                  : single          ? std::string(measure::kSingleScenario)
                                    : "stream, " + backend,
          .title = fmt::format("one stream over loopback, back end {}", backend),
          .client_arguments = {},
          .both_arguments = {}};
}

// As shipped, but for a buffer at each step (measure/copying_cipher.h): what the way without copies is worth.
Scenario copying_scenario() {
  Scenario scenario = stream_scenario("auto");
  scenario.bench_case = "copying";
  scenario.name = "stream, a buffer for each step";
  scenario.title = "one stream over loopback, every packet copied once more on either side";
  scenario.both_arguments = {"--copying-cipher"};
  return scenario;
}

// Messages and their replies. Sides that wait sleep, so that waiting can be told from work.
Scenario message_scenario(std::size_t bytes, std::size_t outstanding) {
  const std::string how = outstanding == 1 ? "one at a time" : "batched";
  return {.backend = "auto",
          .bench_case = fmt::format("message-{}-{}", bytes, outstanding),
          .name = fmt::format("messages of {} bytes, {}", bytes, how),
          .title = fmt::format("messages of {} bytes and their replies over loopback, {}", bytes,
                               outstanding == 1 ? how : fmt::format("{} under way", outstanding)),
          .client_arguments = {"--ping-pong", "--size", std::to_string(bytes), "--outstanding",
                               std::to_string(outstanding)},
          .both_arguments = {"--idle", "block"},
          .message_bytes = bytes,
          .serial = outstanding == 1};
}

class AnalyzeCommand {
 public:
  explicit AnalyzeCommand(const AnalyzeOptions& options)
      : options_(options), terminal_(report::terminal_options(options.output.json ? STDERR_FILENO : STDOUT_FILENO)) {}

  int run() {
    plain_program_ = sibling_program("godwit");
    probed_program_ = sibling_program("godwit-probed");
    if (plain_program_.empty() || probed_program_.empty()) {
      print_error("godwit-probed is not installed with this program; build and install the preset `release`");
      return kUsage;
    }
    if (!page_can_be_written()) return kUsage;
    begin();
    if (options_.strict && !results_.environment.fit_for(2)) {
      print_error("--strict: this machine is not fit for level 2: " +
                  fmt::format("{}", fmt::join(results_.environment.reasons_against(2), "; ")));
      return kFailure;
    }
    const std::vector<Scenario> chosen = scenarios();
    all_runs_ = chosen.size() * static_cast<std::size_t>(options_.rounds) * 2;
    for (const Scenario& scenario : chosen) {
      const auto analysis = measure_scenario(scenario);
      print_progress_text(progress_.finish());
      if (!analysis) {
        print_error(fmt::format("{}: {}", scenario.title, analysis.error().message));
        return kFailure;
      }
      add(scenario, *analysis);
      if (options_.verbose && !options_.output.json) {
        print_text(print_details({.title = scenario.title,
                                  .name = scenario.name,
                                  .messages = scenario.is_messages(),
                                  .serial = scenario.serial},
                                 *analysis, results_, terminal_));
      }
    }
    end();
    if (!write_page()) return kFailure;
    if (!options_.output.json && !options_.no_screen) {
      print_text(report::print_screen(results_, {.terminal = terminal_, .page = page()}));
    }
    return write_json(to_json(results_), options_.output) ? kSuccess : kFailure;
  }

 private:
  // Empty where none is wanted. JSON on standard output is read by a program, which names a page if it wants one.
  [[nodiscard]] std::string page() const {
    if (!options_.page.empty()) return options_.page;
    return options_.no_page || options_.no_screen || options_.output.json ? "" : kDefaultPage;
  }
  // Found out before a minute of measuring rather than after it.
  [[nodiscard]] bool page_can_be_written() const {
    errno = 0;
    if (page().empty() || std::ofstream(page(), std::ios::app)) return true;
    print_error("cannot write the page " + page() + ": " + std::strerror(errno) +
                "; --page names another file, --no-page writes none");
    return false;
  }
  [[nodiscard]] bool write_page() const {
    if (page().empty()) return true;
    const std::string text = report::html_report({{.label = results_.started_at, .results = results_}});
    const Status written = measure::write_text_file(page(), text);
    if (!written) print_error(written.error().message);
    return written.has_value();
  }

  void begin() {
    results_.started_at = measure::utc_timestamp();
    results_.mode = options_.quick ? "quick" : "full";
    results_.version = measure::build_facts().version;
    results_.seed = options_.seed;
    results_.environment = measure::examine_environment();
    before_ = measure::take_system_snapshot();
    if (!results_.environment.fit_for(2)) {
      results_.marks.emplace_back("environment unfit for level 2");
      // The screen says so in its first line; whoever waits for it should know at once.
      const std::string warning = report::unfit_warning(results_.environment.reasons_against(2));
      if (options_.verbose && !options_.output.json) {
        print_line(warning);
      } else if (!options_.no_screen) {
        print_note(warning);
      }
    }
    if (options_.verbose && !options_.output.json) {
      print_text(report::print_environment(results_.environment, terminal_, false));
    }
  }

  void end() {
    results_.system = measure::take_system_snapshot() - before_;
    const measure::EnvironmentReport during{measure::run_findings(*results_.system)};
    if (during.exit_code() != 0 && options_.verbose && !options_.output.json) {
      print_line("\nWhile it ran:");
      print_text(report::print_environment(during, terminal_, false));
    }
    results_.environment.findings.insert(results_.environment.findings.end(), during.findings.begin(),
                                         during.findings.end());
    results_.seconds = elapsed();
    results_.fingerprint = measure::take_fingerprint(cipher_);
  }

  [[nodiscard]] std::vector<Scenario> scenarios() const {
    std::vector<Scenario> chosen;
    for (const std::string& backend : options_.backends) chosen.push_back(stream_scenario(backend));
    if (options_.copying) chosen.push_back(copying_scenario());
    for (const std::size_t bytes : options_.messages) {
      chosen.push_back(message_scenario(bytes, kMessagesUnderWay));
      chosen.push_back(message_scenario(bytes, 1));
    }
    return chosen;
  }

  Result<measure::Json> one_run(const Scenario& scenario, bool probed) const {
    PerfPairOptions pair;
    pair.server_program = pair.client_program = probed ? probed_program_ : plain_program_;
    pair.seconds = options_.seconds;
    pair.sender_core = options_.sender_core;
    pair.receiver_core = options_.receiver_core;
    pair.close_packet_seconds = 0.2;  // its figures are with the client already
    pair.server_arguments = {"--backend", scenario.backend, "--cipher", options_.cipher};
    pair.server_arguments.insert(pair.server_arguments.end(), scenario.both_arguments.begin(),
                                 scenario.both_arguments.end());
    if (probed) pair.server_arguments.emplace_back("--cost");
    pair.client_arguments = pair.server_arguments;
    pair.client_arguments.insert(pair.client_arguments.end(), scenario.client_arguments.begin(),
                                 scenario.client_arguments.end());
    return run_perf_pair(pair);
  }

  Result<Analysis> measure_scenario(const Scenario& scenario) {
    std::vector<AnalysisRound> rounds(static_cast<std::size_t>(options_.rounds));
    std::mt19937_64 random(options_.seed);
    for (AnalysisRound& round : rounds) {
      std::vector<std::pair<measure::Json*, bool>> runs = {{&round.plain, false}, {&round.probed, true}};
      std::shuffle(runs.begin(), runs.end(), random);
      for (const auto& [target, probed] : runs) {
        print_progress_text(progress_.update(runs_done_++, all_runs_, scenario.name, elapsed()));
        auto json = one_run(scenario, probed);
        if (!json) return std::unexpected(json.error());
        *target = std::move(*json);
      }
    }
    return analyze_rounds(scenario.name, rounds);
  }

  void add(const Scenario& scenario, const Analysis& analysis) {
    cipher_ = analysis.cipher;
    results_.breakdowns.push_back(analysis.sender.breakdown);
    results_.breakdowns.push_back(analysis.receiver.breakdown);
    measure::BenchmarkResult bench_case;
    bench_case.name = fmt::format("level2/analyze/{}", scenario.bench_case);
    bench_case.level = 2;
    bench_case.title = scenario.title;
    bench_case.parameters = {
        {"backend", analysis.backend}, {"cipher", analysis.cipher}, {measure::kBreakdownParameter, scenario.name}};
    if (scenario.is_messages()) {
      bench_case.parameters.emplace_back("message", std::to_string(scenario.message_bytes));
    } else {
      bench_case.parameters.emplace_back("datagram", "1200");
    }
    bench_case.unit = "bit/s";
    bench_case.better = measure::Better::kHigher;
    bench_case.samples = analysis.plain_goodput;
    measure::summarize_samples(bench_case);
    bench_case.metrics = {
        {"datagrams_per_send_call", analysis.datagrams_per_send_call},
        {"datagrams_per_receive_call", analysis.datagrams_per_receive_call},
        {"ack_packets_per_packet", analysis.ack_packets},
        {"sender_system_calls_per_packet", analysis.sender.breakdown.path->system_calls},
        {"receiver_system_calls_per_packet", analysis.receiver.breakdown.path->system_calls},
        {"sender_nanoseconds_of_waiting", analysis.sender.facts.wait_nanoseconds},
        {"receiver_nanoseconds_of_waiting", analysis.receiver.facts.wait_nanoseconds},
        {"sender_nanoseconds_plain", analysis.sender.facts.plain_nanoseconds},
        {"receiver_nanoseconds_plain", analysis.receiver.facts.plain_nanoseconds},
        {"sender_nanoseconds_probed", analysis.sender.facts.probed_nanoseconds},
        {"receiver_nanoseconds_probed", analysis.receiver.facts.probed_nanoseconds},
        {"sender_held_up_share", analysis.sender.facts.held_up_share},
        {"receiver_held_up_share", analysis.receiver.facts.held_up_share},
        {"bits_per_second_without_system_calls", limit_without_system_calls(analysis).bits_per_second}};
    bench_case.verified = analysis.delivered_bytes > 0;  // a run whose digests differ is an error
    bench_case.proof = scenario.is_messages() ? "every reply counted holds the bytes of its message"
                                              : "byte count and XXH3 of both processes agree";
    bench_case.evidence = {{"delivered_bytes", static_cast<double>(analysis.delivered_bytes)},
                           {"retransmissions", static_cast<double>(analysis.retransmitted_packets)},
                           {"drops", static_cast<double>(analysis.kernel_drops)}};
    if (!results_.environment.fit_for(2)) bench_case.marks.emplace_back("environment unfit");
    results_.benchmarks.push_back(std::move(bench_case));
  }

  [[nodiscard]] double elapsed() const { return static_cast<double>(watch_.elapsed().count()) * 1e-9; }

  const AnalyzeOptions& options_;
  report::TerminalOptions terminal_;
  report::ProgressPrinter progress_{report::terminal_options(STDERR_FILENO)};
  std::size_t runs_done_ = 0;
  std::size_t all_runs_ = 0;
  std::string plain_program_;
  std::string probed_program_;
  std::string cipher_;
  measure::Results results_;
  measure::SystemSnapshot before_;
  measure::Stopwatch watch_;
};

}  // namespace

void add_analyze_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<AnalyzeOptions>();
  CLI::App* const command = app.add_subcommand(
      "analyze", "Shows where a packet's time goes, step by step, in a sender and a receiver over loopback");
  command->add_option("-t,--time", options->seconds, "seconds of each run")
      ->check(check_seconds(0.05, 60))
      ->capture_default_str();
  command->add_option("--rounds", options->rounds, "rounds of two interleaved runs: without and with probes")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  command->add_flag("--quick", options->quick, "two short rounds");
  command->add_option("--backend", options->backends, "back ends to take apart (default: auto, then sendto)");
  command->add_flag("--copying", options->copying,
                    "a stream with a buffer for each step, as if nothing were done in place");
  command->add_option("--messages", options->messages, "sizes of messages to take apart (default: 64 and 1106 bytes)")
      ->check(check_message_size());
  command->add_option("--cipher", options->cipher, "implementation of AES-128-GCM")
      ->check(CLI::IsMember(cipher_names()))
      ->capture_default_str();
  command->add_option("--sender-core", options->sender_core, "processor of the sender; -1: not pinned")
      ->capture_default_str();
  command->add_option("--receiver-core", options->receiver_core, "processor of the receiver")->capture_default_str();
  command->add_option("--seed", options->seed, "of the order of the runs")->capture_default_str();
  command->add_flag("--strict", options->strict, "refuse to measure on a machine that is not fit for it");
  command->add_flag("-v,--verbose", options->verbose, "every step, system call and drop in front of the screen");
  command
      ->add_option("--page", options->page, fmt::format("the HTML page (default: {}; with --json none)", kDefaultPage))
      ->type_name("FILE");
  command->add_flag("--no-page", options->no_page, "write no HTML page")->excludes("--page");
  command->add_flag("--no-screen", options->no_screen)->group("");
  add_output_options(*command, options->output);
  command->callback([options, &exit_code] {
    if (options->quick) {
      options->rounds = 2;
      options->seconds = 0.25;
    }
    // What is named is taken apart alone.
    if (options->backends.empty() && options->messages.empty() && !options->copying) {
      options->backends = {"auto", "sendto"};
      options->copying = true;
      options->messages = {64, 1106};
    }
    exit_code = AnalyzeCommand(*options).run();
  });
}

}  // namespace godwit::cli
