// `godwit perf server`: serves one performance run after another.

#include "transfer/perf_server.h"

#include <fmt/format.h>

#include <atomic>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/json_output.h"
#include "cli/log_limit.h"
#include "cli/loop.h"
#include "cli/open_node.h"
#include "cli/perf_server_report.h"
#include "cli/perf_side.h"
#include "cli/process_options.h"
#include "cli/type_of_service.h"
#include "cli/values.h"
#include "runtime/clock.h"

namespace godwit::cli {
namespace {

struct PerfServerOptions {
  NetworkOptions network;
  OutputOptions output;
  TicketOptions ticket;
  std::string working_set = "64M";
  std::string max_time = "3600";
  bool once = false;
  std::size_t shards = 1;
  bool daemon = false;
  ProcessOptions process;
  std::optional<int> type_of_service;
};

class PerfServerCommand final : public LoopCommand, public PerfServer::Observer {
 public:
  // `shard` is absent where there is only one node, `instruments` are null for none. Everything that is referred to
  // outlives the command.
  PerfServerCommand(const PerfServerOptions& options, Node& node, std::optional<std::size_t> shard,
                    PerfServerReport& report, PerfInstruments* instruments)
      : options_(options),
        node_(node),
        shard_(shard),
        report_(report),
        meter_(node, options.network.idle, instruments),
        server_(node.endpoint(), node.random(),
                {.receive_buffer_bytes = node.backend().socket().receive_buffer_bytes(),
                 .window = options.network.window_bytes(),
                 .working_set_bytes = static_cast<std::size_t>(*parse_size(options.working_set)),
                 .max_time = parse_duration(options.max_time).value_or(std::chrono::hours(1)),
                 .rate_limit = options.network.rate_limit()},
                *this, cost_sink_of(instruments)) {
    grant_windows(node, options.network, 1, false);
  }

  void on_event(Instant now, ConnectionId connection, Event& event) override {
    const ConnectionId own = server_.run() != nullptr ? server_.run()->connection() : ended_;
    if (connection == own && std::holds_alternative<Closed>(event)) departed_ = connection;
    server_.on_event(now, connection, event);
  }
  void on_turn(Instant now) override {
    server_.on_turn(now);
    say_left_out(now, false);
  }

  void on_perf_running(Instant now, PerfRun& run) override {
    meter_.begin();
    remote_ = node_.endpoint().remote_address(run.connection()).value_or(SocketAddress());
    speaks_ = log_.allow(now, remote_, LogLimit::kLineBytes);
    note(fmt::format("run for {} begins", remote_.is_specified() ? remote_.to_string() : "a client that has left"));
  }
  std::string perf_details(Instant now, PerfRun& run) override { return to_json(meter_.end(now, run)).dump(); }

  void on_perf_ended(Instant now, PerfRun& run) override {
    ++runs_;
    ended_ = run.connection();
    std::optional<std::string> problem;
    if (run.state() == PerfRun::State::kFailed) {
      problem = "the run failed: " + run.failure();
    } else if (const auto disagreement = run.disagreement()) {
      problem = "the run ended without a result: " + *disagreement;
    }
    failed_ = problem.has_value();
    if (problem && speaks_) print_peer_error(*problem);
    report(now, run, problem);
  }

  // Its client has what it waits for once it has closed the connection.
  [[nodiscard]] bool done() const override { return options_.once && runs_ > 0 && departed_ == ended_; }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] std::optional<Instant> next_timeout() const override {
    return earliest(server_.next_timeout(), log_.next_timeout());
  }
  void say_left_out(Instant now, bool at_end) {
    if (const auto left_out = log_.poll_left_out(now, at_end)) print_note("godwit: " + describe(*left_out));
  }

 private:
  // Of the present run, unless its client has filled the log already; then its result is not listed either.
  void note(const std::string& line) const {
    if (speaks_) options_.output.json ? print_note(line) : print_line(line);
  }

  void report(Instant now, const PerfRun& run, const std::optional<std::string>& problem) {
    const PerfSide side = meter_.end(now, run);
    const auto rate = [](std::uint64_t bytes, double seconds) {
      return format_rate(seconds > 0 ? static_cast<double>(bytes) * 8 / seconds : 0);
    };
    if (run.receiver() != nullptr) {
      note(fmt::format("received {} in {:.2f} s, {}", format_bytes(side.received_bytes), side.receive_seconds,
                       rate(side.received_bytes, side.receive_seconds)));
    }
    if (run.sender() != nullptr) {
      note(fmt::format("sent {} in {:.2f} s, {}", format_bytes(side.sent_bytes), side.send_seconds,
                       rate(side.sent_bytes, side.send_seconds)));
    }
    report_.add(side, problem, shard_, speaks_);
  }

  // Runs, of which each has three lines or four.
  static constexpr LogLimit::Options kRunLimit{.prefix = Rate{.interval = 200ms, .tolerance = 20s},
                                               .network = Rate{.interval = 100ms, .tolerance = 20s},
                                               .all = Rate{.interval = 50ms, .tolerance = 20s}};

  const PerfServerOptions& options_;
  Node& node_;
  std::optional<std::size_t> shard_;
  PerfServerReport& report_;
  PerfSideMeter meter_;
  PerfServer server_;
  std::uint64_t runs_ = 0;
  ConnectionId ended_ = 0;     // of the last run
  ConnectionId departed_ = 0;  // closed last, of those that runs were on
  bool failed_ = false;
  LogLimit log_{kRunLimit};
  bool speaks_ = true;
  SocketAddress remote_;
};

int finish_perf_server(const PerfServerOptions& options, PerfServerReport& report, std::size_t shards,
                       const ShardLinkStatistics& link, bool finished, bool failed) {
  const bool interrupted = options.once && !finished;
  measure::Json error;
  if (interrupted) error = "interrupted";
  if (finished && failed) error = "the run failed";
  if (!report.finish(error, shards, link)) return kFailure;
  // A signal is how a server ends, but not one that waits for its one client.
  if (interrupted) return kInterrupted;
  return options.once && failed ? kFailure : kSuccess;
}

NodeConfig node_config(const PerfServerOptions& options, const PerfExtension* extension) {
  NodeConfig config = make_node_config(options.network);
  config.endpoint.streams.runs = true;
  if (extension != nullptr) extension->configure(config);
  return config;
}

int run_perf_server(const PerfServerOptions& options, const PerfExtension* extension, Daemon* daemon) {
  const std::unique_ptr<PerfInstruments> instruments = make_instruments(extension);
  auto opened = open_server(options.network, node_config(options, extension), cost_sink_of(instruments.get()));
  if (!opened) {
    print_error(opened.error().message);
    return exit_code_of(opened.error());
  }
  Node& node = *opened->node;
  if (const Status set = set_type_of_service(node, options.type_of_service); !set) {
    print_error(set.error().message);
    return kUsage;
  }
  PerfServerReport report(options.output);
  PerfServerCommand command(options, node, std::nullopt, report, instruments.get());
  Loop loop(node, command);
  print_listening(node, options.output, options.ticket, options.network.extended == "require");
  if (daemon != nullptr) daemon->ready(!options.process.log_file.empty());
  const bool finished = loop.run();
  loop.close_all("the server ends");
  command.say_left_out(boot_time_now(), true);
  return finish_perf_server(options, report, 1, {}, finished, command.failed());
}

// A Node for each processor on one port: every client belongs to one of them by its address, and each serves one run at
// a time.
int run_sharded_perf_server(const PerfServerOptions& options, const PerfExtension* extension, Daemon* daemon) {
  auto opened = open_shards(options.network, node_config(options, extension), options.shards);
  if (!opened) {
    print_error(opened.error().message);
    return exit_code_of(opened.error());
  }
  Shards& shards = *opened->shards;
  if (!shards.steering_error()) {
    print_note("datagrams are forwarded between shards: " + shards.steering_error().error().message);
  }
  PerfServerReport report(options.output);
  std::vector<std::unique_ptr<PerfInstruments>> instruments;
  std::vector<std::unique_ptr<PerfServerCommand>> commands;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    if (const Status set = set_type_of_service(*shards.node(i), options.type_of_service); !set) {
      print_error(set.error().message);
      return kUsage;
    }
    instruments.push_back(make_instruments(extension));
    commands.push_back(
        std::make_unique<PerfServerCommand>(options, *shards.node(i), i, report, instruments.back().get()));
  }
  print_listening(*shards.node(0), options.output, options.ticket, options.network.extended == "require");
  if (daemon != nullptr) daemon->ready(!options.process.log_file.empty());
  bool finished = false;
  {
    const InterruptWatch interrupt(*shards.node(0));
    const PromptOutput prompt;
    std::atomic<bool> done{false};
    shards.run([&](std::size_t shard) {
      const PerfServerCommand& command = *commands[shard];
      return std::make_unique<CommandHandler>(*commands[shard], [&shards, &interrupt, &done, &command] {
        if (command.done()) done = true;
        if (!done && !interrupt.requested()) return false;
        shards.stop();
        return true;
      });
    });
    finished = done;
  }
  bool failed = false;
  for (std::size_t i = 0; i < commands.size(); ++i) {
    Loop(*shards.node(i), *commands[i]).close_all("the server ends");
    commands[i]->say_left_out(boot_time_now(), true);
    failed = failed || commands[i]->failed();
  }
  return finish_perf_server(options, report, commands.size(), shards.statistics().link, finished, failed);
}

// What would be ignored, and what has to be in place before the socket.
Status prepare_perf_server(const PerfServerOptions& options) {
  const bool output_goes_on = !options.process.log_file.empty() || !options.output.json_file.empty();
  if (options.daemon && options.output.json && !output_goes_on) {
    return failure(ErrorCode::kInvalidArgument, "--daemon --json needs --logfile or --json-file");
  }
  if (options.network.congestion == "fixed" && options.network.rate.empty()) {
    return failure(ErrorCode::kInvalidArgument, "--congestion fixed needs --rate");
  }
  return apply(options.process);
}

int serve(const PerfServerOptions& options, const PerfExtension* extension) {
  if (const Status prepared = prepare_perf_server(options); !prepared) {
    print_error(prepared.error().message);
    return kUsage;
  }
  std::optional<Daemon> daemon;
  if (options.daemon) {
    daemon.emplace();
    if (const auto exit_code = daemon->parent_exit_code()) {
      note_json_written();  // by the other process
      return *exit_code;
    }
  }
  Daemon* const started = daemon ? &*daemon : nullptr;
  return options.shards == 1 ? run_perf_server(options, extension, started)
                             : run_sharded_perf_server(options, extension, started);
}

}  // namespace

void add_perf_server_command(CLI::App& app, int& exit_code, PerfExtension* extension) {
  auto options = std::make_shared<PerfServerOptions>();
  CLI::App* const command = app.add_subcommand("server", "Serves performance runs, one at a time");
  command->add_flag("--once", options->once, "end after the first client");
  CLI::Option* const shards =
      command->add_option("--shards", options->shards, "nodes on this port, a thread each; 0: one for each processor")
          ->check(CLI::Range(std::size_t{0}, Shards::kMaxShards))
          ->capture_default_str();
  command->add_option("--working-set", options->working_set, "bytes that data is sent from")
      ->check(check_positive_size())
      ->type_name("SIZE")
      ->capture_default_str();
  command->add_option("--max-time", options->max_time, "no run lasts longer; seconds, or 10m")
      ->check(check_duration())
      ->type_name("TIME")
      ->capture_default_str();
  command->add_flag("-D,--daemon", options->daemon, "go on in the background once it listens");
  add_ticket_options(*command, options->ticket);
  add_output_options(*command, options->output);
  add_process_options(*command, options->process);
  add_type_of_service_option(*command, options->type_of_service);
  command->get_option("--affinity")->excludes(shards);
  add_network_options(*command, options->network);
  if (extension != nullptr) extension->add_options(*command);
  command->callback([options, extension, &exit_code] { exit_code = serve(*options, extension); });
}

}  // namespace godwit::cli
