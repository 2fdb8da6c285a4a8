// `godwit forward`: TCP connections and UDP ports through an encrypted connection, as `ssh -L` and `-R`
// (docs/channels.md). The side that listens says what may be reached through it.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/channel_side.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/forward_spec.h"
#include "cli/forwarder.h"
#include "cli/json_output.h"
#include "cli/log_limit.h"
#include "cli/loop.h"
#include "cli/udp_forwarder.h"
#include "cli/udp_socket.h"
#include "cli/values.h"
#include "runtime/clock.h"
#include "runtime/resolve.h"

namespace godwit::cli {
namespace {

// Of each connection: 1 Gbit/s at a round trip of 8 ms. All together: as many as there may be connections.
constexpr std::uint64_t kWindow = std::uint64_t{1} << 20;
constexpr Duration kFirstPause = 1s;  // before connecting anew
constexpr Duration kLongestPause = 15s;
constexpr std::size_t kMostUdpListeners = 64;  // for others

struct ForwardOptions : ChannelSideOptions {
  std::vector<std::string> allow_targets;
  std::vector<std::string> allow_listen;
  std::vector<std::string> local;   // -L
  std::vector<std::string> remote;  // -R
  std::size_t max_connections = 256;
  std::string udp_timeout;
};

// A target with the addresses that its name has had at the start.
struct KnownTarget {
  TargetPattern pattern;
  std::vector<SocketAddress> addresses;  // any port where the pattern has none
};

Result<KnownTarget> resolve_target(const std::string& text) {
  KnownTarget target{.pattern = *parse_target(text), .addresses = {}};
  const bool bare = target.pattern.host.find(':') != std::string::npos;
  const std::string host = bare ? "[" + target.pattern.host + "]" : target.pattern.host;
  auto addresses = resolve_peer(host + ":" + std::to_string(target.pattern.port.value_or(1)));
  if (!addresses) return std::unexpected(addresses.error());
  target.addresses = std::move(*addresses);
  return target;
}

std::vector<SocketAddress> with_port(std::vector<SocketAddress> addresses, std::uint16_t port) {
  for (SocketAddress& address : addresses) address = address.with_port(port);
  return addresses;
}

// What the options say, looked up.
struct ForwardPlan {
  std::vector<KnownTarget> targets;        // of others' channels, at the listening side
  std::vector<ListenPlace> listen_places;  // for others, at the listening side
  struct Local {
    TcpSocket listener;
    std::string target;
    bool udp = false;
  };
  std::vector<Local> local;
  struct Remote {
    std::string place;   // at the other side
    KnownTarget target;  // here
  };
  std::vector<Remote> remote;
};

class ForwardCommand final : public LoopCommand {
 public:
  ForwardCommand(const ForwardOptions& options, OpenedNode& opened, DescriptorSet& descriptors, ForwardPlan plan)
      : options_(options),
        node_(*opened.node),
        plan_(std::move(plan)),
        forwarder_(node_.endpoint(), descriptors, options.max_connections, make_policy()),
        udp_(node_.endpoint(), descriptors, options.max_connections,
             parse_duration(options.udp_timeout).value_or(UdpForwarder::kDefaultIdle),
             {.destination = [this](const ChannelRequest& request) { return destination_of(request, true); },
              .on_event = [this](const ForwardEvent& event) { log(event); }}),
        side_(options, opened, "forward") {
    for (ForwardPlan::Local& each : plan_.local) {
      say("forwarding", local_address_of(each.listener).to_string() + (each.udp ? "/udp" : ""), each.target);
      each.udp ? udp_.add_listener(std::move(each.listener), each.target)
               : forwarder_.add_listener(std::move(each.listener), each.target);
    }
  }

  [[nodiscard]] ChannelSide& side() { return side_; }
  void on_admitted(const PublicKey& key) override { side_.admit(key); }

  void on_event(Instant now, ConnectionId connection, Event& event) override {
    now_ = now;
    if (side_.on_event(now, connection, event)) return;
    if (udp_.on_event(now, connection, event) || forwarder_.on_event(now, connection, event)) return;
    if (const auto* connected = std::get_if<Connected>(&event)) return on_connected(now, connection, *connected);
    if (std::holds_alternative<MessageReceived>(event)) side_.refuse_message(now, connection);
    if (const auto* closed = std::get_if<Closed>(&event)) on_closed(now, connection, *closed);
  }

  void on_turn(Instant now) override {
    now_ = now;
    if (Connector* const connector = side_.connector()) {
      connector->on_turn(now);
      if (connected_once_ && connector->failure() && !again_at_) retry(now, connector->failure()->message);
      if (again_at_ && now >= *again_at_) {
        again_at_.reset();
        // What fails at once is tried again like what fails later.
        static_cast<void>(connector->start(now));
      }
    }
    forwarder_.on_turn(now);
    udp_.on_turn(now);
    if (const auto left_out = log_.poll_left_out(now)) print_note("godwit: " + describe(*left_out));
  }
  [[nodiscard]] std::optional<Instant> next_timeout() const override {
    std::optional<Instant> next = earliest(forwarder_.next_timeout(), log_.next_timeout());
    next = earliest(next, udp_.next_timeout());
    if (const Connector* const connector = side_.connector()) next = earliest(next, connector->next_timeout());
    return earliest(next, again_at_);
  }
  [[nodiscard]] bool done() const override { return failed_ || failure(); }

  // Why there has never been a connection.
  [[nodiscard]] std::optional<Error> failure() const {
    return side_.connector() != nullptr && !connected_once_ ? side_.connector()->failure() : std::nullopt;
  }
  [[nodiscard]] std::size_t open_connections() const { return forwarder_.open_connections(); }
  // What has become of the datagrams, where there were any.
  void say_udp() const {
    const UdpStatistics udp = udp_.statistics();
    if (udp.associations + udp.refused + udp.dropped + udp.unknown == 0) return;
    if (options_.output.json) {
      return print_json_line({{"schema", "godwit-forward-event"},
                              {"schema_version", 1},
                              {"event", "udp"},
                              {"associations", udp.associations},
                              {"refused", udp.refused},
                              {"idle", udp.idle},
                              {"to_peer", udp.to_peer},
                              {"from_peer", udp.from_peer},
                              {"to_peer_bytes", udp.to_peer_bytes},
                              {"from_peer_bytes", udp.from_peer_bytes},
                              {"dropped", udp.dropped},
                              {"unknown", udp.unknown},
                              {"incomplete", udp.incomplete}});
    }
    print_note(fmt::format("godwit: UDP: {} associations, {} datagrams to the peer and {} from it, {} dropped",
                           udp.associations, udp.to_peer, udp.from_peer, udp.dropped + udp.unknown + udp.incomplete));
  }

 private:
  [[nodiscard]] Forwarder::Policy make_policy() {
    return {
        .destination = [this](const ChannelRequest& request) { return destination_of(request, false); },
        .listen_for_peer = [this](std::string_view text) { return listen_place(text); },
        .listen_udp = [this](ConnectionId connection, std::string_view text) { return listen_udp(connection, text); },
        .on_event = [this](const ForwardEvent& event) { log(event); },
        .on_listen_answer = [this](const ListenAnswer& answer) { on_listen_answer(answer); }};
  }

  // The listening side lets others reach what it names, the connecting side what it has asked to be sent.
  // What may be reached by TCP says nothing about UDP.
  [[nodiscard]] Destination destination_of(const ChannelRequest& request, bool udp) const {
    if (split_protocol(request.text).udp != udp) return {};
    if (request.kind == ChannelKind::kArrival) {
      const auto found = std::ranges::find(plan_.remote, request.text, &ForwardPlan::Remote::place);
      if (found == plan_.remote.end()) return {};
      return {.addresses = found->target.addresses};
    }
    const auto wanted = request.kind == ChannelKind::kTarget ? parse_target(request.text) : std::nullopt;
    if (!wanted) return {.addresses = {}, .code = ChannelCode::kUnknownKind};
    const auto known = std::ranges::find_if(
        plan_.targets, [&wanted](const KnownTarget& target) { return matches(target.pattern, *wanted); });
    if (known == plan_.targets.end()) return {};
    return {.addresses = with_port(known->addresses, *wanted->port)};
  }

  [[nodiscard]] std::optional<SocketAddress> listen_place(std::string_view text) const {
    const auto wanted = parse_listen_place(text);
    if (!wanted || std::ranges::find(plan_.listen_places, *wanted) == plan_.listen_places.end()) return std::nullopt;
    return wanted->address;
  }
  // Errors: kPermission where it is not allowed.
  [[nodiscard]] Result<SocketAddress> listen_udp(ConnectionId connection, std::string_view text) {
    const auto address = listen_place(text);
    if (!address) return godwit::failure(ErrorCode::kPermission, "");
    if (udp_.listeners() >= kMostUdpListeners) return godwit::failure(ErrorCode::kTooLarge, "too many ports");
    auto socket = bind_udp(*address);
    if (!socket) return godwit::failure(ErrorCode::kSystem, socket.error().message);
    const SocketAddress at = local_address_of(*socket);
    udp_.add_listener(std::move(*socket), std::string(text), ChannelKind::kArrival, connection);
    return at;
  }

  void on_connected(Instant now, ConnectionId connection, const Connected& connected) {
    if (!side_.admits(now, connection, connected)) {
      if (allowed_to_say(connected.remote)) print_note("godwit: refused " + connected.remote.to_string());
      return;
    }
    remotes_[connection] = connected.remote;
    if (side_.connector() == nullptr) return;
    if (connected_once_) print_note("godwit: connected again");
    connected_once_ = true;
    pause_ = kFirstPause;
    forwarder_.set_connection(connection);
    udp_.set_connection(connection);
    for (std::size_t i = 0; i < plan_.remote.size(); ++i) {
      forwarder_.mux().send_listen_request(now, connection,
                                           {.request = static_cast<std::uint32_t>(i), .text = plan_.remote[i].place});
    }
  }

  void on_closed(Instant now, ConnectionId connection, const Closed& closed) {
    remotes_.erase(connection);
    if (side_.connector() == nullptr || connection != side_.connector()->connection() || failed_) return;
    if (closed.reason == CloseReason::kLocal) return;
    // To be told so again would help nobody.
    if (closed.code != 0) {
      print_error("the connection has ended: " + closed.text);
      failed_ = true;
      return;
    }
    retry(now, closed.text);
  }

  void retry(Instant now, const std::string& why) {
    print_warning(fmt::format("the connection is lost, trying again in {}: {}", format_duration(pause_), why));
    again_at_ = now + pause_;
    pause_ = std::min(pause_ * 2, kLongestPause);
  }

  void on_listen_answer(const ListenAnswer& answer) {
    if (answer.request >= plan_.remote.size()) return;
    const ForwardPlan::Remote& remote = plan_.remote[answer.request];
    if (answer.code == ChannelCode::kNone) {
      return say("forwarding from the peer's", std::string(answer.text), target_text(remote.target));
    }
    std::string why(channel_code_text(answer.code));
    if (!answer.text.empty()) why = answer.text;
    print_error("the peer does not listen at " + remote.place + ": " + why);
    failed_ = true;
  }

  [[nodiscard]] static std::string target_text(const KnownTarget& target) {
    const bool bare = target.pattern.host.find(':') != std::string::npos;
    return fmt::format("{}{}{}:{}{}", bare ? "[" : "", target.pattern.host, bare ? "]" : "",
                       target.pattern.port.value_or(0), target.pattern.udp ? "/udp" : "");
  }

  void say(const char* what, const std::string& from, const std::string& to) const {
    if (options_.output.json) {
      print_json_line({{"schema", "godwit-forward-event"},
                       {"schema_version", 1},
                       {"event", "forwarding"},
                       {"listen", printable_text(from)},
                       {"target", to}});
    } else {
      print_line(fmt::format("{} {} to {}", what, printable_text(from), to));
    }
  }

  [[nodiscard]] bool allowed_to_say(const SocketAddress& remote) {
    return log_.allow(now_, remote, LogLimit::kLineBytes);
  }

  void log(const ForwardEvent& event) {
    const auto found = remotes_.find(event.connection);
    const SocketAddress remote = found == remotes_.end() ? SocketAddress() : found->second;
    if (!options_.output.json && event.kind == ForwardEvent::Kind::kEnded) return;
    if (!allowed_to_say(remote)) return;
    const bool refused = event.kind != ForwardEvent::Kind::kEnded;
    if (options_.output.json) {
      print_json_line({{"schema", "godwit-forward-event"},
                       {"schema_version", 1},
                       {"event", refused ? "refused" : "ended"},
                       {"peer", remote.to_string()},
                       {"target", printable_text(event.target)},
                       {"complete", event.complete},
                       {"to_peer_bytes", event.to_channel},
                       {"from_peer_bytes", event.from_channel},
                       {"reason", event.complete ? measure::Json() : measure::Json(printable_text(event.reason))}});
      return;
    }
    print_note(fmt::format("godwit: {} {}: {}", refused ? "no connection to" : "ended:", printable_text(event.target),
                           printable_text(event.reason)));
  }

  const ForwardOptions& options_;
  Node& node_;
  ForwardPlan plan_;
  Forwarder forwarder_;
  UdpForwarder udp_;
  ChannelSide side_;
  std::map<ConnectionId, SocketAddress> remotes_;
  LogLimit log_;
  Instant now_ = boot_time_now();
  std::optional<Instant> again_at_;
  Duration pause_ = kFirstPause;
  bool connected_once_ = false;
  bool failed_ = false;
};

Status check(const ForwardOptions& options) {
  const auto wrong = [](const char* what) { return failure(ErrorCode::kInvalidArgument, what); };
  if (const Status fine = check_side(options); !fine) return fine;
  const bool allows = !options.allow_targets.empty() || !options.allow_listen.empty();
  const bool forwards = !options.local.empty() || !options.remote.empty();
  if (!options.listen) {
    if (allows) return wrong("--allow-target and --allow-listen are for --listen");
    if (!forwards) return wrong("nothing to forward: -L or -R says what");
    return {};
  }
  if (forwards) return wrong("-L and -R are for the side that connects");
  if (!allows) {
    return wrong("--listen needs --allow-target HOST:PORT or --allow-listen PORT: nothing may be reached otherwise");
  }
  return {};
}

Result<ForwardPlan> make_plan(const ForwardOptions& options) {
  ForwardPlan plan;
  for (const std::string& text : options.allow_targets) {
    auto target = resolve_target(text);
    if (!target) return std::unexpected(target.error());
    plan.targets.push_back(std::move(*target));
  }
  for (const std::string& text : options.allow_listen) plan.listen_places.push_back(*parse_listen_place(text));
  for (const std::string& text : options.local) {
    ForwardSpec spec = *parse_forward(text);
    auto listener = spec.udp ? bind_udp(spec.listen) : listen_tcp(spec.listen);
    if (!listener) return std::unexpected(listener.error());
    plan.local.push_back({.listener = std::move(*listener), .target = std::move(spec.target), .udp = spec.udp});
  }
  for (const std::string& text : options.remote) {
    const ForwardSpec spec = *parse_forward(text);
    auto target = resolve_target(spec.target);
    if (!target) return std::unexpected(target.error());
    plan.remote.push_back({.place = spec.listen.to_string() + (spec.udp ? "/udp" : ""), .target = std::move(*target)});
  }
  return plan;
}

void say_listening(const Node& node, const ForwardOptions& options, const TicketOptions& ticket) {
  print_listening(node, options.output, ticket, true);
  if (!options.output.json) return;
  print_json_line({{"schema", "godwit-forward-event"},
                   {"schema_version", 1},
                   {"event", "listening"},
                   {"address", node.local_address().to_string()},
                   {"public_key", node.endpoint().public_key().to_hex()}});
}

int run_forward(const ForwardOptions& options) {
  if (const Status fine = check(options); !fine) {
    print_error(fine.error().message);
    return kUsage;
  }
  auto plan = make_plan(options);
  if (!plan) {
    print_error(plan.error().message);
    return exit_code_of(plan.error());
  }
  int exit_code = kSuccess;
  auto side = open_side(options, kWindow, options.max_connections, exit_code);
  if (!side) return exit_code;
  Node& node = *side->opened.node;
  if (options.listen) say_listening(node, options, side->ticket);
  ForwardCommand command(options, side->opened, *side->descriptors, std::move(*plan));
  const auto findable = start_side(command.side(), command, *side, exit_code);
  if (!findable) return exit_code;
  Loop loop(node, *findable, side->descriptors.get());
  const bool finished = loop.run();
  // A signal is how it ends; but connections that were open are cut off by it.
  const bool cut_off = command.open_connections() > 0;
  command.say_udp();
  const std::optional<Error> failure = findable->failure() ? findable->failure() : command.failure();
  loop.close_all(finished ? "the forwarding ends" : "interrupted");
  if (failure) {
    print_error(failure->message);
    return kUnreachable;
  }
  if (finished) return kFailure;
  return cut_off ? kInterrupted : kSuccess;
}

}  // namespace

void add_forward_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ForwardOptions>();
  CLI::App* const command =
      app.add_subcommand("forward", "Forwards TCP connections and UDP ports to and from another machine");
  const auto several = [command](const char* name, std::vector<std::string>& values, const char* text) {
    return command->add_option(name, values, text)->allow_extra_args(false);
  };
  several("-L,--local", options->local, "connections to PORT here go to HOST:PORT there; with /udp datagrams do")
      ->check(check_forward())
      ->type_name("[BIND:]PORT:HOST:PORT[/udp]");
  several("-R,--remote", options->remote, "connections to PORT there come to HOST:PORT here; with /udp datagrams do")
      ->check(check_forward())
      ->type_name("[BIND:]PORT:HOST:PORT[/udp]");
  command->add_flag("--listen", options->listen, "wait for the other side, which says what is forwarded");
  several("--allow-target", options->allow_targets, "with --listen: this may be reached; HOST:* for any port")
      ->check(check_target_pattern())
      ->type_name("HOST:PORT[/udp]");
  several("--allow-listen", options->allow_listen, "with --listen: peers may have this port listened at")
      ->check(check_listen_address())
      ->type_name("[ADDR:]PORT[/udp]");
  command
      ->add_option("--max-connections", options->max_connections,
                   "TCP connections at a time; those beyond it wait, or are refused; and as many UDP associations")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command
      ->add_option("--udp-timeout", options->udp_timeout,
                   "a UDP association ends after so long a silence; default 60 s")
      ->check(check_duration())
      ->type_name("TIME");
  command->add_flag("--json", options->output.json, "print a JSON object a line for what happens (docs/json.md)");
  add_side_options(*command, *options, "bytes of each connection that may wait on either side; default 1M");
  command->callback([options, &exit_code] {
    finish_side_options(*options);
    exit_code = run_forward(*options);
  });
}

}  // namespace godwit::cli
