// `godwit perf client`: one performance run against a server, and its result.

#include "transfer/perf_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/json_output.h"
#include "cli/loop.h"
#include "cli/network_options.h"
#include "cli/perf_report.h"
#include "cli/values.h"
#include "measure/stopwatch.h"
#include "runtime/clock.h"
#include "transfer/credit_window.h"

namespace godwit::cli {
namespace {

struct PerfClientOptions {
  NetworkOptions network;
  PeerOptions peer;
  OutputOptions output;
  double seconds = 10;
  std::uint16_t streams = 1;
  CLI::Option* streams_option = nullptr;
  bool reverse = false;
  bool bidirectional = false;
  double interval = 0;
  std::string target;
  std::string stream_bytes = "16M";
  std::string working_set = "64M";
  bool no_digest = false;
  bool cost = false;
  bool ping_pong = false;
  std::size_t size = 64;
  std::string ping_interval;
  std::size_t outstanding = 1;

  // Bulk data runs beside an echo only when streams are asked for.
  [[nodiscard]] bool bulk() const {
    return !ping_pong || streams_option->count() > 0 || reverse || bidirectional || !target.empty();
  }
};

// A stream sent at a given rate lasts this long at most, so that the finish after the last second is short.
constexpr double kLongestStreamSeconds = 0.25;
constexpr std::uint64_t kLeastStreamBytes = std::uint64_t{16} << 10;

PerfClient::Options make_client_options(const PerfClientOptions& options, const OpenedNode& opened) {
  PerfClient::Options client{.server = opened.peer, .server_key = opened.peer_key};
  PerfRun::Options& run = client.run;
  const bool bulk = options.bulk();
  run.sends = bulk && !options.reverse;
  run.receives = bulk && (options.reverse || options.bidirectional);
  run.plan.streams = bulk ? options.streams : std::uint16_t{0};
  run.plan.duration = from_seconds(options.seconds);
  run.plan.target_bytes = parse_size(options.target).value_or(0);
  run.plan.digest = !options.no_digest;
  run.plan.stream_bytes = std::clamp<std::uint64_t>(*parse_size(options.stream_bytes), 1, kDataStreamBytes);
  run.rate = options.network.rate_limit();
  if (run.rate) {
    const double bytes = static_cast<double>(run.rate->bytes_per_second()) * kLongestStreamSeconds /
                         std::max<double>(options.streams, 1);
    run.plan.stream_bytes =
        std::min(run.plan.stream_bytes, std::max(kLeastStreamBytes, static_cast<std::uint64_t>(bytes)));
  }
  run.congestion = static_cast<std::uint8_t>(1 + static_cast<unsigned>(*options.network.congestion_kind()));
  const std::size_t buffer = opened.node->backend().socket().receive_buffer_bytes();
  run.window = options.network.window_bytes().value_or(credit_window(buffer, options.streams));
  if (run.sends) {
    run.bytes = std::make_shared<const WorkingSet>(static_cast<std::size_t>(*parse_size(options.working_set)),
                                                   opened.node->random());
  }
  if (options.ping_pong) {
    client.ping_pong = PingPong::Options{
        .bytes = options.size, .interval = parse_duration(options.ping_interval), .outstanding = options.outstanding};
    client.ping_pong_for = run.plan.duration;
  }
  return client;
}

class PerfClientCommand final : public LoopCommand, public PerfObserver {
 public:
  PerfClientCommand(const PerfClientOptions& options, const OpenedNode& opened, measure::CostProbe* cost)
      : options_(options),
        node_(*opened.node),
        meter_(node_, options.network.idle, cost),
        client_(node_.endpoint(), node_.random(), make_client_options(options, opened), *this, cost) {
    client_.set_echo(boot_time_now, [this](Duration latency) {
      latency_.record(static_cast<std::uint64_t>(std::max<Duration::rep>(latency.count(), 0)));
    });
  }

  [[nodiscard]] Status start() { return client_.start(boot_time_now()); }

  void on_event(Instant now, ConnectionId connection, Event& event) override {
    client_.on_event(now, connection, event);
  }
  void on_turn(Instant now) override {
    client_.on_turn(now);
    if (next_interval_ && now >= *next_interval_) end_interval(now);
  }

  void on_perf_running(Instant now, PerfRun& run) override {
    static_cast<void>(run);
    meter_.begin();
    began_ = interval_began_ = now;
    if (options_.interval > 0) next_interval_ = now + from_seconds(options_.interval);
  }
  std::string perf_details(Instant now, PerfRun& run) override {
    if (next_interval_ && now - interval_began_ > from_seconds(options_.interval / 10)) end_interval(now);
    next_interval_.reset();
    side_ = meter_.end(now, run);
    return to_json(side_).dump();
  }

  [[nodiscard]] bool done() const override { return client_.ended(); }
  [[nodiscard]] std::optional<Instant> next_timeout() const override {
    return earliest(client_.next_timeout(), next_interval_);
  }
  [[nodiscard]] const PerfClient& client() const { return client_; }

  // The result, or why there is none.
  [[nodiscard]] Result<PerfReport> report() const {
    const PerfRun& run = client_.run();
    if (run.state() != PerfRun::State::kDone) return failure(ErrorCode::kSystem, run.failure());
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
    if (run.sender() != nullptr) report.sent_digest = run.sender()->digest();
    if (run.receiver() != nullptr) report.received_digest = run.receiver()->digest();
    report.intervals = intervals_;
    if (report.sends && report.server.receive_seconds <= 0) {
      return failure(ErrorCode::kProtocol, "the server reports no time for what it received");
    }
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

 private:
  void end_interval(Instant now) {
    const PerfRun& run = client_.run();
    const std::uint64_t sent = run.sender() != nullptr ? run.sender()->handed_out() : 0;
    const std::uint64_t received = run.receiver() != nullptr ? run.receiver()->bytes() : 0;
    const ConnectionStatistics path = run.statistics();
    const PerfInterval interval{.start_seconds = to_seconds(interval_began_ - began_),
                                .end_seconds = to_seconds(now - began_),
                                .sent_bytes = sent - sent_before_,
                                .received_bytes = received - received_before_,
                                .retransmitted_packets = path.packets_retransmitted - retransmitted_before_,
                                .window_bytes = path.window_bytes,
                                .round_trip = path.smoothed_round_trip};
    sent_before_ = sent;
    received_before_ = received;
    retransmitted_before_ = path.packets_retransmitted;
    interval_began_ = now;
    next_interval_ = now + from_seconds(options_.interval);
    if (intervals_.size() < kMostIntervals) intervals_.push_back(interval);
    if (!options_.output.json) print_interval(interval, run.options().sends, run.options().receives);
  }

  static constexpr std::size_t kMostIntervals = 100'000;

  const PerfClientOptions& options_;
  Node& node_;
  PerfSideMeter meter_;
  PerfClient client_;
  PerfSide side_;
  measure::Histogram latency_{10};
  std::vector<PerfInterval> intervals_;
  Instant began_{};
  Instant interval_began_{};
  std::optional<Instant> next_interval_;
  std::uint64_t sent_before_ = 0;
  std::uint64_t received_before_ = 0;
  std::uint64_t retransmitted_before_ = 0;
};

int run_perf_client(const PerfClientOptions& options) {
  std::optional<measure::CostProbe> probe;
  if (options.cost) probe.emplace(measure::TickClock::calibrate());
  measure::CostProbe* const cost = probe ? &*probe : nullptr;
  auto opened = open_client(options.network, options.peer, make_node_config(options.network), cost);
  if (!opened) {
    print_error(opened.error().message);
    return exit_code_of(opened.error());
  }
  PerfClientCommand command(options, *opened, cost);
  if (const Status dialled = command.start(); !dialled) {
    print_error(dialled.error().message);
    return kUnreachable;
  }
  Loop loop(*opened->node, command);
  const bool finished = loop.run();
  loop.close_all(finished ? "the run has ended" : "interrupted");
  if (!finished) {
    print_error("interrupted");
    return kInterrupted;
  }
  const auto report = command.report();
  if (!report) {
    print_error(report.error().message);
    return command.client().connected() ? kFailure : kUnreachable;
  }
  if (!options.output.json) print_report(*report);
  return write_json(to_json(*report), options.output) ? kSuccess : kFailure;
}

}  // namespace

void add_perf_client_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<PerfClientOptions>();
  CLI::App* const command = app.add_subcommand("client", "Runs one measurement against `godwit perf server`");
  add_peer_options(*command, options->peer);
  command->add_option("-t,--time", options->seconds, "seconds to send for; streams begun by then are finished")
      ->check(CLI::Range(0.01, 86400.0))
      ->capture_default_str();
  options->streams_option = command->add_option("-P,--parallel", options->streams, "streams a direction")
                                ->check(CLI::Range(1, 256))
                                ->capture_default_str();
  command->add_flag("-R,--reverse", options->reverse, "the server sends");
  command->add_flag("--bidir", options->bidirectional, "both send at once")->excludes("--reverse");
  command->add_option("-i,--report-interval", options->interval, "seconds between lines on the way; 0: none")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  command->add_option("-n,--bytes", options->target, "send so many bytes a direction instead of for a time")
      ->check(check_size())
      ->type_name("SIZE");
  command->add_option("--stream-bytes", options->stream_bytes, "length of the streams that follow one another")
      ->check(check_size())
      ->type_name("SIZE")
      ->capture_default_str();
  command->add_option("--working-set", options->working_set, "bytes that data is sent from: more than the caches hold")
      ->check(check_size())
      ->type_name("SIZE")
      ->capture_default_str();
  command->add_flag("--no-digest", options->no_digest, "do not compare what was sent and received: for profiling only");
  command->add_flag("--ping-pong", options->ping_pong,
                    "measure the latency of short messages and their replies; beside bulk data when -P is given");
  command->add_option("--size", options->size, "bytes of a ping-pong message")
      ->check(check_message_size())
      ->capture_default_str();
  command->add_option("--outstanding", options->outstanding, "ping-pong messages under way at any time")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command->add_option("--interval", options->ping_interval, "ping-pong on a schedule, whatever the answers do (1ms)")
      ->check(check_duration())
      ->type_name("TIME");
  command->add_flag("--cost", options->cost, "report where the time goes; figures only in godwit-marked");
  add_output_options(*command, options->output);
  add_network_options(*command, options->network);
  command->callback([options, &exit_code] { exit_code = run_perf_client(*options); });
}

}  // namespace godwit::cli
