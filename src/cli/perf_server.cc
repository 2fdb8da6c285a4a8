// `godwit perf server`: serves one performance run after another.

#include "transfer/perf_server.h"

#include <fmt/format.h>

#include <memory>
#include <optional>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/json_output.h"
#include "cli/loop.h"
#include "cli/network_options.h"
#include "cli/perf_report.h"
#include "cli/perf_side.h"
#include "cli/repeated_marks.h"
#include "cli/values.h"
#include "measure/stopwatch.h"

namespace godwit::cli {
namespace {

struct PerfServerOptions {
  NetworkOptions network;
  OutputOptions output;
  std::string working_set = "64M";
  bool once = false;
  bool cost = false;
  int mark_times = 1;
};

class PerfServerCommand final : public LoopCommand, public PerfServer::Observer {
 public:
  PerfServerCommand(const PerfServerOptions& options, Node& node, measure::CostProbe* probe, trace::CostSink* marks)
      : options_(options),
        node_(node),
        meter_(node, options.network.idle, probe),
        server_(node.endpoint(), node.random(),
                {.receive_buffer_bytes = node.backend().socket().receive_buffer_bytes(),
                 .window = options.network.window_bytes(),
                 .working_set_bytes = static_cast<std::size_t>(*parse_size(options.working_set))},
                *this, marks) {}

  void on_event(Instant now, ConnectionId connection, Event& event) override {
    const ConnectionId own = server_.run() != nullptr ? server_.run()->connection() : ended_;
    if (connection == own && std::holds_alternative<Closed>(event)) departed_ = connection;
    server_.on_event(now, connection, event);
  }
  void on_turn(Instant now) override { server_.on_turn(now); }

  void on_perf_running(Instant now, PerfRun& run) override {
    static_cast<void>(now);
    meter_.begin();
    const auto remote = node_.endpoint().remote_address(run.connection());
    note(fmt::format("run for {} begins", remote ? remote->to_string() : "a client that has left"));
  }
  std::string perf_details(Instant now, PerfRun& run) override { return to_json(meter_.end(now, run)).dump(); }

  void on_perf_ended(Instant now, PerfRun& run) override {
    ++runs_;
    ended_ = run.connection();
    failed_ = run.state() == PerfRun::State::kFailed;
    if (!failed_) {
      if (const auto problem = run.disagreement()) {
        failed_ = true;
        print_error("the run ended without a result: " + *problem);
      }
    } else {
      print_error("the run failed: " + run.failure());
    }
    report(now, run);
  }

  // Its client has what it waits for once it has closed the connection.
  [[nodiscard]] bool done() const override { return options_.once && runs_ > 0 && departed_ == ended_; }
  [[nodiscard]] bool failed() const { return failed_; }
  [[nodiscard]] std::optional<Instant> next_timeout() const override { return server_.next_timeout(); }
  [[nodiscard]] const measure::Json& results() const { return results_; }

 private:
  void note(const std::string& line) const { options_.output.json ? print_note(line) : print_line(line); }

  void report(Instant now, const PerfRun& run) {
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
    measure::Json entry = to_json(side);
    entry["failed"] = failed_;
    if (results_.size() < kMostResults) results_.push_back(std::move(entry));
  }

  static constexpr std::size_t kMostResults = 1000;

  const PerfServerOptions& options_;
  Node& node_;
  PerfSideMeter meter_;
  PerfServer server_;
  std::uint64_t runs_ = 0;
  ConnectionId ended_ = 0;     // of the last run
  ConnectionId departed_ = 0;  // closed last, of those that runs were on
  bool failed_ = false;
  measure::Json results_ = measure::Json::array();
};

int run_perf_server(const PerfServerOptions& options) {
  std::optional<measure::CostProbe> probe;
  if (options.cost) probe.emplace(measure::TickClock::calibrate());
  measure::CostProbe* const cost = probe ? &*probe : nullptr;
  RepeatedMarks marks(cost, options.mark_times);
  auto opened = open_server(options.network, make_node_config(options.network), marks.sink());
  if (!opened) {
    print_error(opened.error().message);
    return exit_code_of(opened.error());
  }
  Node& node = *opened->node;
  PerfServerCommand command(options, node, cost, marks.sink());
  Loop loop(node, command);
  print_listening(node, options.output);
  const bool finished = loop.run();
  loop.close_all("the server ends");
  const measure::Json result = {
      {"schema", "godwit-perf-server"}, {"schema_version", 1}, {"results", command.results()}};
  if (!write_json(result, options.output)) return kFailure;
  // A signal is how a server ends, but not one that waits for its one client.
  if (options.once && !finished) return kInterrupted;
  return options.once && command.failed() ? kFailure : kSuccess;
}

}  // namespace

void add_perf_server_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<PerfServerOptions>();
  CLI::App* const command = app.add_subcommand("server", "Serves performance runs, one at a time");
  command->add_flag("--once", options->once, "end after the first client");
  command->add_option("--working-set", options->working_set, "bytes that data is sent from")
      ->check(check_size())
      ->type_name("SIZE")
      ->capture_default_str();
  command->add_flag("--cost", options->cost, "report where the time goes; figures only in godwit-marked");
  command->add_option("--mark-times", options->mark_times, "take each mark so often: shows what a mark costs")
      ->check(CLI::Range(1, 16))
      ->capture_default_str();
  add_output_options(*command, options->output);
  add_network_options(*command, options->network);
  command->callback([options, &exit_code] { exit_code = run_perf_server(*options); });
}

}  // namespace godwit::cli
