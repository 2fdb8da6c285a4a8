// `godwit perf client`: one performance run against a server, and its result.

#include "transfer/perf_client.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/json_output.h"
#include "cli/loop.h"
#include "cli/perf_client_options.h"
#include "cli/perf_report.h"
#include "cli/type_of_service.h"
#include "runtime/clock.h"

namespace godwit::cli {
namespace {

// For the results of a run that was interrupted; then its summary has this side's figures alone.
constexpr Duration kResultPatience = 3s;

void print_stream_event(std::string_view event, measure::Json data) {
  print_json_line({{"schema", "godwit-perf-event"},
                   {"schema_version", 2},
                   {"event", event},
                   {"error", event == "error" ? data : measure::Json()},
                   {"data", std::move(data)}});
}

class PerfClientCommand final : public LoopCommand, public PerfObserver {
 public:
  PerfClientCommand(const PerfClientOptions& options, const OpenedNode& opened, PerfInstruments* instruments)
      : options_(options),
        node_(*opened.node),
        meter_(node_, options.network.idle, instruments),
        intervals_(from_seconds(options.bulk() ? options.interval_seconds() : 0), from_seconds(options.omit_seconds)),
        client_(node_.endpoint(), node_.random(), make_perf_client(options, opened), *this, cost_sink_of(instruments)) {
    client_.set_echo(boot_time_now, [this](Duration latency) {
      latency_.record(static_cast<std::uint64_t>(std::max<Duration::rep>(latency.count(), 0)));
    });
  }

  [[nodiscard]] Status start() { return client_.start(boot_time_now()); }
  void stop() { client_.stop(boot_time_now()); }

  void on_event(Instant now, ConnectionId connection, Event& event) override {
    client_.on_event(now, connection, event);
  }
  void on_turn(Instant now) override {
    client_.on_turn(now);
    if (const auto row = intervals_.poll_row(now, client_.run())) say(*row);
  }

  void on_perf_running(Instant now, PerfRun& run) override {
    meter_.begin();
    intervals_.begin(now);
    if (options_.json_stream) print_stream_event("start", start_to_json(run));
  }
  std::string perf_details(Instant now, PerfRun& run) override {
    intervals_.end(now);
    side_ = meter_.end(now, run);
    return to_json(side_).dump();
  }

  [[nodiscard]] bool done() const override { return client_.ended(); }
  [[nodiscard]] std::optional<Instant> next_timeout() const override {
    return earliest(client_.next_timeout(), intervals_.next_timeout());
  }
  [[nodiscard]] const PerfClient& client() const { return client_; }

  // The last row, with what the results add to those before it.
  void finish_intervals() {
    const auto row = intervals_.finish(boot_time_now(), client_.run());
    if (row && options_.bulk() && options_.interval_seconds() > 0) say(*row);
  }

  // The result, or why there is none.
  [[nodiscard]] Result<PerfReport> report() const {
    const PerfRun& run = client_.run();
    if (run.state() != PerfRun::State::kDone) {
      return failure(ErrorCode::kSystem, run.ended() ? run.failure() : std::string("interrupted"));
    }
    if (const auto problem = run.disagreement()) return failure(ErrorCode::kProtocol, *problem);
    auto server = perf_side_from_json(run.peer_result()->details);
    if (!server) return failure(ErrorCode::kProtocol, "the server's figures cannot be read");
    // Which bytes arrived has been compared; the figures beside them are the server's word.
    server->received_bytes = run.peer_result()->received_bytes;
    server->sent_bytes = run.peer_result()->sent_bytes;
    PerfReport report{.client = side_, .server = std::move(*server)};
    report.digest = run.options().plan.digest;
    report.streams = run.options().plan.streams;
    report.rate = run.options().rate;
    report.sends = run.options().sends;
    report.receives = run.options().receives;
    if (run.sender() != nullptr) {
      report.sent_digest = run.sender()->digest();
      report.stream_sent_bytes = run.sender()->logical_bytes();
    }
    if (run.receiver() != nullptr) {
      report.received_digest = run.receiver()->digest();
      report.stream_received_bytes = run.receiver()->logical_bytes();
    }
    report.intervals = rows();
    report.omitted_sent = intervals_.omitted_sent();
    report.omitted_received = intervals_.omitted_received();
    if (const PingPong* const echo = client_.ping_pong()) {
      if (echo->answered() == 0) return failure(ErrorCode::kTimeout, "no echo was answered");
      report.ping_pong = PerfPingPong{.latency = latency_,
                                      .options = echo->options(),
                                      .elapsed = echo->elapsed(),
                                      .sent = echo->sent(),
                                      .answered = echo->answered(),
                                      .late = echo->late()};
    }
    return report;
  }
  // What is known of a run without a result.
  [[nodiscard]] measure::Json failure_to_json(const std::string& why) const {
    measure::Json intervals = measure::Json::array();
    for (const PerfInterval& row : rows()) intervals.push_back(to_json(row));
    return {{"schema", "godwit-perf"},
            {"schema_version", 2},
            {"error", why},
            {"results", measure::Json::array()},
            {"intervals", std::move(intervals)}};
  }

 private:
  [[nodiscard]] std::vector<PerfInterval> rows() const {
    return options_.interval_seconds() > 0 ? intervals_.rows() : std::vector<PerfInterval>();
  }
  [[nodiscard]] measure::Json start_to_json(const PerfRun& run) const {
    const auto remote = node_.endpoint().remote_address(run.connection());
    return {{"local", node_.local_address().to_string()},
            {"remote", remote ? measure::Json(remote->to_string()) : measure::Json()},
            {"sends", run.options().sends},
            {"receives", run.options().receives},
            {"streams", run.options().plan.streams},
            {"seconds", options_.seconds},
            {"omit_seconds", options_.omit_seconds},
            {"target_bytes", run.options().plan.target_bytes}};
  }
  void say(const PerfInterval& row) const {
    if (options_.json_stream) print_stream_event("interval", to_json(row));
    if (options_.speaks()) print_interval(row, options_.sends(), options_.receives());
  }

  const PerfClientOptions& options_;
  Node& node_;
  PerfSideMeter meter_;
  PerfIntervals intervals_;
  PerfClient client_;
  PerfSide side_;
  measure::Histogram latency_{10};
};

// Prints what there is, in the form that was asked for; the exit code.
int finish_perf_client(const PerfClientOptions& options, PerfClientCommand& command, bool interrupted) {
  command.finish_intervals();
  const auto report = command.report();
  const std::optional<std::string> why = !report       ? std::optional(report.error().message)
                                         : interrupted ? std::optional<std::string>("interrupted")
                                                       : std::nullopt;
  measure::Json json = report ? to_json(*report) : command.failure_to_json(*why);
  json["error"] = why ? measure::Json(*why) : measure::Json();
  if (report && options.speaks()) print_report(*report);
  if (why) print_error(*why);
  if (options.json_stream) {
    if (why) print_stream_event("error", *why);
    print_stream_event("end", json);
  }
  if (!write_json(std::move(json), options.output)) return kFailure;
  if (interrupted) return kInterrupted;
  if (report) return kSuccess;
  return command.client().connected() ? kFailure : kUnreachable;
}

int run_perf_client(const PerfClientOptions& options, const PerfExtension* extension) {
  if (const Status fine = check_perf_client_options(options); !fine) {
    print_error(fine.error().message);
    return kUsage;
  }
  if (const Status applied = apply(options.process); !applied) {
    print_error(applied.error().message);
    return kUsage;
  }
  const std::unique_ptr<PerfInstruments> instruments = make_instruments(extension);
  NodeConfig config = make_node_config(options.network);
  config.endpoint.streams.runs = true;
  if (extension != nullptr) extension->configure(config);
  auto opened = open_client(options.network, options.peer, std::move(config), cost_sink_of(instruments.get()));
  if (!opened) {
    print_error(opened.error().message);
    return exit_code_of(opened.error());
  }
  if (const Status set = set_type_of_service(*opened->node, options.type_of_service); !set) {
    print_error(set.error().message);
    return kUsage;
  }
  PerfClientCommand command(options, *opened, instruments.get());
  if (const Status started = command.start(); !started) {
    print_error(started.error().message);
    return kUnreachable;
  }
  Loop loop(*opened->node, command);
  const bool finished = loop.run();
  if (!finished) {
    command.stop();
    loop.finish(kResultPatience);
  }
  loop.close_all(finished ? "the run has ended" : "interrupted");
  return finish_perf_client(options, command, !finished);
}

}  // namespace

void add_perf_client_command(CLI::App& app, int& exit_code, PerfExtension* extension) {
  auto options = std::make_shared<PerfClientOptions>();
  CLI::App* const command = app.add_subcommand("client", "Runs one measurement against `godwit perf server`");
  add_perf_client_options(*command, *options);
  if (extension != nullptr) extension->add_options(*command);
  command->callback([options, extension, &exit_code] { exit_code = run_perf_client(*options, extension); });
}

}  // namespace godwit::cli
