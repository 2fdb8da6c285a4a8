// `godwit ping`: round trips of the transport's own Ping and Pong over the encrypted connection (wire spec 7). Every
// peer of the wire answers them, not only a Godwit.

#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <optional>
#include <string>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/json_output.h"
#include "cli/loop.h"
#include "cli/open_node.h"
#include "cli/values.h"
#include "runtime/clock.h"
#include "runtime/connector.h"
#include "support/histogram.h"

namespace godwit::cli {
namespace {

struct PingOptions {
  NetworkOptions network;
  PeerOptions peer;
  OutputOptions output;
  std::uint64_t count = 0;
  std::string interval = "1";
  std::string timeout = "2s";
  bool quiet = false;
};

class PingCommand final : public LoopCommand {
 public:
  PingCommand(const PingOptions& options, const OpenedNode& opened)
      : options_(options),
        node_(*opened.node),
        connector_(node_.endpoint(), opened.addresses, opened.peer_key),
        interval_(*parse_duration(options.interval)),
        timeout_(*parse_duration(options.timeout)) {}

  [[nodiscard]] Status start() { return connector_.start(boot_time_now()); }

  void on_event(Instant now, ConnectionId connection, Event& event) override {
    if (connector_.on_event(now, connection, event) || connection != connector_.connection()) return;
    if (const auto* connected = std::get_if<Connected>(&event)) {
      connection_ = connection;
      peer_ = connected->remote;
      authenticated_ = connected->peer_authenticated;
      form_ = connected->form;
      fallback_ = connected->fallback;
      next_ = now;
    } else if (std::get_if<PeerAuthenticated>(&event) != nullptr) {
      authenticated_ = true;
    } else if (const auto* moved = std::get_if<PeerMoved>(&event)) {
      peer_ = moved->remote;
    } else if (const auto* answer = std::get_if<PingAnswered>(&event)) {
      on_answer(*answer);
    } else if (auto* closed = std::get_if<Closed>(&event)) {
      closed_ = std::move(*closed);
      // Nobody is left to answer the ping that is on its way.
      waiting_since_.reset();
    }
  }

  void on_turn(Instant now) override {
    connector_.on_turn(now);
    if (connection_ == 0 || closed_) return;
    if (const auto state = node_.endpoint().path_state(connection_)) {
      path_ = path_reason_name(state->searches ? state->reason() : PathReason::kDirect);
    }
    if (waiting_since_ && now - *waiting_since_ >= timeout_) {
      waiting_since_.reset();
      if (!options_.quiet && !options_.output.json) print_line(fmt::format("no answer to ping {}", sent_));
    }
    if (waiting_since_ || now < next_ || all_sent()) return;
    if (!node_.endpoint().ping(now, connection_)) return;
    ++sent_;
    waiting_since_ = now;
    next_ = std::max(next_ + interval_, now);
  }

  [[nodiscard]] bool done() const override {
    return connector_.failure() || closed_.has_value() || (all_sent() && !waiting_since_) || output_lost();
  }
  [[nodiscard]] std::optional<Instant> next_timeout() const override {
    if (done()) return std::nullopt;
    if (connection_ == 0) return connector_.next_timeout();
    return waiting_since_ ? *waiting_since_ + timeout_ : next_;
  }
  [[nodiscard]] bool connected() const { return connection_ != 0; }
  // Why there is no connection.
  [[nodiscard]] const std::optional<Error>& failure() const { return connector_.failure(); }
  // The peer, or its silence, has ended the connection before the pings were over.
  [[nodiscard]] const std::optional<Closed>& closed() const { return closed_; }
  [[nodiscard]] std::uint64_t answered() const { return round_trips_.count(); }

  void print_summary() const {
    print_line(fmt::format("{} pings, {} answered, {:.1f} % lost", sent_, answered(), 100 * lost_share()));
    if (answered() == 0) return;
    print_line(fmt::format("round trip least {}, mean {}, p50 {}, p99 {}, largest {}, deviation {}", shown(smallest()),
                           shown(mean()), shown(percentile(50)), shown(percentile(99)), shown(largest()),
                           shown(deviation())));
  }
  [[nodiscard]] measure::Json to_json() const {
    const bool any = answered() > 0;
    const auto figure = [any](double seconds) { return any ? measure::Json(seconds) : measure::Json(); };
    return {{"schema", "godwit-ping"},
            {"schema_version", 1},
            {"peer_authenticated", authenticated_},
            {"session", session_form_name(form_)},
            {"session_fallback", fallback_reason_name(fallback_)},
            {"path", path_},
            {"sent", sent_},
            {"answered", answered()},
            {"lost_share", lost_share()},
            {"round_trip_seconds",
             {{"minimum", figure(smallest())},
              {"mean", figure(mean())},
              {"p50", figure(percentile(50))},
              {"p90", figure(percentile(90))},
              {"p99", figure(percentile(99))},
              {"maximum", figure(largest())},
              {"deviation", figure(deviation())}}}};
  }

 private:
  void on_answer(const PingAnswered& answer) {
    // Keep-alive pings are answered as well: only those that were asked for here count.
    if (!waiting_since_) return;
    waiting_since_.reset();
    const double seconds = to_seconds(answer.round_trip);
    round_trips_.record(static_cast<std::uint64_t>(std::max<Duration::rep>(answer.round_trip.count(), 0)));
    sum_ += seconds;
    sum_of_squares_ += seconds * seconds;
    if (options_.quiet || options_.output.json) return;
    print_line(
        fmt::format("answer from {}: ping {} in {}", peer_.to_string(), sent_, format_duration(answer.round_trip)));
  }

  [[nodiscard]] bool all_sent() const { return options_.count > 0 && sent_ >= options_.count; }
  [[nodiscard]] double lost_share() const {
    const std::uint64_t settled = sent_ - (waiting_since_ ? 1 : 0);
    return settled == 0 ? 0 : 1 - static_cast<double>(std::min(answered(), settled)) / static_cast<double>(settled);
  }
  [[nodiscard]] static std::string shown(double seconds) { return format_duration(from_seconds(seconds)); }
  [[nodiscard]] double smallest() const { return static_cast<double>(round_trips_.minimum()) * 1e-9; }
  [[nodiscard]] double largest() const { return static_cast<double>(round_trips_.maximum()) * 1e-9; }
  [[nodiscard]] double percentile(double value) const {
    return static_cast<double>(round_trips_.percentile(value)) * 1e-9;
  }
  [[nodiscard]] double mean() const { return answered() == 0 ? 0 : sum_ / static_cast<double>(answered()); }
  [[nodiscard]] double deviation() const {
    if (answered() < 2) return 0;
    const auto count = static_cast<double>(answered());
    return std::sqrt(std::max(0.0, sum_of_squares_ / count - mean() * mean()));
  }

  const PingOptions& options_;
  Node& node_;
  Connector connector_;
  SocketAddress peer_;  // the address that answered
  Duration interval_;
  Duration timeout_;
  ConnectionId connection_ = 0;
  bool authenticated_ = false;
  std::string_view path_ = path_reason_name(PathReason::kDirect);
  SessionForm form_ = SessionForm::kLegacy;
  FallbackReason fallback_ = FallbackReason::kNone;
  std::optional<Closed> closed_;
  Instant next_{};
  std::optional<Instant> waiting_since_;
  std::uint64_t sent_ = 0;
  measure::Histogram round_trips_{10};  // nanoseconds
  double sum_ = 0;
  double sum_of_squares_ = 0;
};

int run_ping(const PingOptions& options) {
  if (parse_duration(options.timeout) == Duration::zero()) {
    print_error("--timeout is more than 0");
    return kUsage;
  }
  auto opened = open_client(options.network, options.peer, make_node_config(options.network));
  if (!opened) {
    print_error(opened.error().message);
    return exit_code_of(opened.error());
  }
  Node& node = *opened->node;
  PingCommand command(options, *opened);
  if (const Status started = command.start(); !started) {
    print_error(started.error().message);
    return kUnreachable;
  }
  Loop loop(node, command);
  // Ctrl-C is how an endless ping ends.
  static_cast<void>(loop.run());
  // By the peer, or by its silence; close_all() ends it as well.
  const std::optional<Closed> lost = command.closed();
  const std::optional<Error> failure = command.failure();
  loop.close_all("done");
  if (!command.connected()) {
    print_error(failure ? failure->message : std::string("interrupted"));
    return failure ? kUnreachable : kInterrupted;
  }
  if (!options.output.json) command.print_summary();
  if (!write_json(command.to_json(), options.output)) return kFailure;
  if (lost) {
    print_error("the connection has ended: " + lost->text);
    return kFailure;
  }
  return command.answered() > 0 ? kSuccess : kFailure;
}

}  // namespace

void add_ping_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<PingOptions>();
  CLI::App* const command = app.add_subcommand("ping", "Measures round trips over an encrypted connection");
  add_peer_options(*command, options->peer);
  command->add_option("-c,--count", options->count, "pings to send; 0: until Ctrl-C")->capture_default_str();
  command->add_option("-i,--interval", options->interval, "time between pings")
      ->check(check_duration())
      ->type_name("TIME")
      ->capture_default_str();
  command->add_option("-W,--timeout", options->timeout, "a ping without an answer for this long is lost")
      ->check(check_duration())
      ->type_name("TIME")
      ->capture_default_str();
  command->add_flag("-q,--quiet", options->quiet, "print the summary only");
  add_output_options(*command, options->output);
  add_network_options(*command, options->network);
  command->remove_option(command->get_option("--window"));  // of streams, of which a ping has none
  command->callback([options, &exit_code] { exit_code = run_ping(*options); });
}

}  // namespace godwit::cli
