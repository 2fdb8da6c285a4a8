// `godwit pipe`: standard input of either side becomes standard output of the other, byte for byte, until both have
// ended (docs/channels.md).

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "channel/channel_mux.h"
#include "cli/admission_options.h"
#include "cli/channel_config.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/json_output.h"
#include "cli/local_end.h"
#include "cli/loop.h"
#include "cli/network_options.h"
#include "cli/via.h"
#include "runtime/clock.h"
#include "runtime/connector.h"

namespace godwit::cli {
namespace {

// What may wait on either side: the window of a path of 1 Gbit/s and 130 ms.
constexpr std::uint64_t kWindow = std::uint64_t{16} << 20;
// One pipe, and those that are told that it is taken.
constexpr std::size_t kMaxChannels = 4;
constexpr std::uint64_t kToken = 1;

struct PipeOptions {
  NetworkOptions network;
  PeerOptions peer;
  AdmissionOptions admission;
  TicketOptions ticket;
  OutputOptions output;  // its file alone: standard output is for the other side's bytes
  bool listen = false;
};

struct StandardEnds {
  ByteEnd input;
  ByteEnd output;
};

class PipeCommand final : public LoopCommand, public ChannelMux::Observer {
 public:
  // `opened` and the others outlive it. A listener has no peer to connect to.
  PipeCommand(const PipeOptions& options, OpenedNode& opened, DescriptorSet& descriptors, StandardEnds ends)
      : options_(options),
        node_(*opened.node),
        descriptors_(descriptors),
        ends_(std::move(ends)),
        mux_(node_.endpoint(), *this, kMaxChannels) {
    if (!options.listen) connector_.emplace(node_.endpoint(), opened.addresses, opened.peer_key);
  }

  [[nodiscard]] Status start() { return connector_ ? connector_->start(boot_time_now()) : Status(); }

  void on_event(Instant now, ConnectionId connection, Event& event) override {
    if (connector_ && connector_->on_event(now, connection, event)) return;
    if (mux_.on_event(now, connection, event)) return;
    if (const auto* connected = std::get_if<Connected>(&event)) return on_connected(now, connection, *connected);
    // A peer that sends files or measures has taken this for something else.
    if (std::holds_alternative<MessageReceived>(event)) {
      node_.endpoint().close(now, connection, "this is 'godwit pipe', which takes the other side of a pipe alone",
                             static_cast<std::uint64_t>(ChannelCode::kUnknownKind));
    }
    const auto* closed = std::get_if<Closed>(&event);
    if (closed != nullptr && connector_ && connection == connector_->connection() && !finished_) {
      fail("the connection has ended: " + closed->text, kFailure);
    }
  }

  void on_turn(Instant now) override {
    if (connector_) connector_->on_turn(now);
    mux_.on_turn(now);
    if (!end_ || finished_) return;
    for (const DescriptorSet::Ready& ready : descriptors_.ready()) {
      if (!ready.broken || ready.readable) continue;
      if (const auto failed = end_->on_broken(ready.descriptor)) return on_end_failure(now, *failed);
    }
    if (const auto failed = end_->pump(now)) on_end_failure(now, *failed);
  }
  [[nodiscard]] std::optional<Instant> next_timeout() const override {
    return earliest(mux_.next_timeout(), connector_ ? connector_->next_timeout() : std::nullopt);
  }
  [[nodiscard]] bool done() const override { return finished_ || (connector_ && connector_->failure()); }

  void on_channel(Instant now, const ChannelRequest& request) override {
    if (!options_.listen || request.kind != ChannelKind::kPipe) {
      return mux_.refuse(now, request.channel, ChannelCode::kUnknownKind);
    }
    if (channel_ != 0) return mux_.refuse(now, request.channel, ChannelCode::kTooMany, "this pipe has its other side");
    if (!mux_.accept(now, request.channel)) return;
    peer_ = node_.endpoint().remote_address(request.connection).value_or(SocketAddress());
    begin(request.channel);
  }
  void on_accepted(Instant, ChannelId) override {}
  void on_bytes(Instant, ChannelId channel, ByteView bytes) override {
    if (channel == channel_) end_->on_bytes(bytes);
  }
  void on_end(Instant, ChannelId channel) override {
    if (channel == channel_) end_->on_end();
  }
  void on_channel_closed(Instant, ChannelId channel, const ChannelEnd& end) override {
    if (channel != channel_ || finished_) return;
    if (end.complete) {
      complete_ = true;
      finish(kSuccess);
    } else {
      fail("the pipe was cut off: " + end.text, kFailure);
    }
  }
  void on_writable(Instant, ConnectionId) override {}  // every turn tries
  void on_listen_request(Instant, ConnectionId, const ListenRequest&) override {}
  void on_listen_answer(Instant, ConnectionId, const ListenAnswer&) override {}

  void interrupt(Instant now) {
    if (channel_ != 0) mux_.reset(now, channel_, ChannelCode::kInterrupted);
    finish(kInterrupted);
  }
  [[nodiscard]] int exit_code() const { return exit_code_; }
  // Why there is no connection.
  [[nodiscard]] const std::optional<Error>* failure() const { return connector_ ? &connector_->failure() : nullptr; }

  [[nodiscard]] measure::Json to_json() const {
    return {{"schema", "godwit-pipe"},
            {"schema_version", 1},
            {"peer", peer_.is_specified() ? measure::Json(peer_.to_string()) : measure::Json()},
            {"complete", complete_},
            {"sent_bytes", end_ ? end_->bytes_in() : 0},
            {"received_bytes", end_ ? end_->bytes_out() : 0},
            {"seconds", started_ ? to_seconds(ended_ - *started_) : 0}};
  }

 private:
  void on_connected(Instant now, ConnectionId connection, const Connected& connected) {
    if (!connector_) {
      if (!options_.admission.admits(connected)) {
        node_.endpoint().close(now, connection, "this peer is not among those that may connect",
                               static_cast<std::uint64_t>(ChannelCode::kNotAllowed));
      }
      return;
    }
    const auto channel = mux_.open(now, connection, ChannelKind::kPipe, {});
    if (!channel) return fail("the peer has no pipes: " + channel.error().message, kFailure);
    peer_ = connected.remote;
    begin(*channel);
  }

  void begin(ChannelId channel) {
    channel_ = channel;
    started_ = boot_time_now();
    end_.emplace(mux_, descriptors_, channel, kToken);
    end_->attach(std::move(ends_.input), std::move(ends_.output));
  }

  void on_end_failure(Instant now, const EndFailure& failure) {
    mux_.reset(now, channel_, failure.code);
    // Nobody is told of a reader that has gone, as `| head` has.
    if (failure.output && failure.error == EPIPE) return finish(kOutputLost);
    const std::string why = std::strerror(failure.error);
    if (failure.output) return fail("cannot write to standard output: " + why, kOutputLost);
    fail("cannot read standard input: " + why, kFailure);
  }

  void fail(const std::string& why, int code) {
    print_error(why);
    finish(code);
  }
  void finish(int code) {
    if (finished_) return;
    finished_ = true;
    exit_code_ = code;
    ended_ = boot_time_now();
    // What is printed or read from here on is not this command's; and nothing is waited for any more.
    if (end_) end_->abort();
  }

  const PipeOptions& options_;
  Node& node_;
  DescriptorSet& descriptors_;
  StandardEnds ends_;
  ChannelMux mux_;
  std::optional<Connector> connector_;
  std::optional<LocalEnd> end_;
  ChannelId channel_ = 0;
  SocketAddress peer_;
  std::optional<Instant> started_;
  Instant ended_{};
  bool finished_ = false;
  bool complete_ = false;
  int exit_code_ = kFailure;
};

Status check(const PipeOptions& options) {
  const auto wrong = [](const char* what) { return failure(ErrorCode::kInvalidArgument, what); };
  const bool names_peer = !options.peer.to.empty() || !options.peer.key.empty();
  if (!options.listen && options.peer.to.empty()) {
    return wrong("name the other side (--to), or wait for it (--listen)");
  }
  if (!options.listen && (options.admission.given() || options.ticket.wanted())) {
    return wrong("--allow, --anyone and tickets are for --listen");
  }
  if (!options.listen) return {};
  if (names_peer) return wrong("--to names a peer to connect to, and --listen waits for one");
  if (!options.admission.given()) return wrong("--listen needs --allow HEX, or --anyone");
  return {};
}

Result<OpenedNode> open_node(const PipeOptions& options) {
  NodeConfig config =
      make_channel_config(options.network, options.network.window_bytes().value_or(kWindow), kMaxChannels);
  if (options.listen) return open_server(options.network, std::move(config));
  return open_client(options.network, options.peer, std::move(config));
}

Result<StandardEnds> take_standard_ends() {
  auto input = ByteEnd::take_standard(0);
  if (!input) return std::unexpected(input.error());
  auto output = ByteEnd::take_standard(1);
  if (!output) return std::unexpected(output.error());
  return StandardEnds{.input = std::move(*input), .output = std::move(*output)};
}

int run_pipe(const PipeOptions& options) {
  if (const Status fine = check(options); !fine) {
    print_error(fine.error().message);
    return kUsage;
  }
  auto opened = open_node(options);
  if (!opened) {
    print_error(opened.error().message);
    return exit_code_of(opened.error());
  }
  auto descriptors = DescriptorSet::open(*opened->node);
  auto ends = take_standard_ends();
  if (!descriptors || !ends) {
    print_error(descriptors ? ends.error().message : descriptors.error().message);
    return kFailure;
  }
  PipeCommand command(options, *opened, **descriptors, std::move(*ends));
  if (const Status started = command.start(); !started) {
    print_error(started.error().message);
    return kUnreachable;
  }
  auto findable = make_findable(command, *opened->node, options.ticket);
  if (!findable) {
    print_error(findable.error().message);
    return exit_code_of(findable.error());
  }
  Loop loop(*opened->node, **findable, descriptors->get());
  if (options.listen) print_listening(*opened->node, {.json = true, .json_file = {}}, options.ticket, true);
  if (!loop.run()) command.interrupt(boot_time_now());
  int exit_code = command.exit_code();
  if (const auto* failure = command.failure(); failure != nullptr && *failure) {
    print_error((*failure)->message);
    exit_code = kUnreachable;
  }
  loop.close_all(exit_code == kSuccess ? "done" : "the pipe ends");
  if (!write_json(command.to_json(), options.output)) return kFailure;
  return exit_code;
}

}  // namespace

void add_pipe_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<PipeOptions>();
  CLI::App* const command =
      app.add_subcommand("pipe", "Joins standard input and output of two machines, until both inputs have ended");
  command->add_flag("--listen", options->listen, "wait for the other side, which connects here");
  add_admission_options(*command, options->admission);
  add_ticket_options(*command, options->ticket);
  add_peer_options(*command, options->peer);
  command->get_option("--to")->required(false);
  command->get_option("--via")->description("a rendezvous (HEX@ADDR:PORT, ticket or name) at which both sides meet");
  command->remove_option(command->get_option("--allow-unauthenticated"));  // both sides prove their keys
  command->add_option("--json-file", options->output.json_file, "write a JSON object about it to this file")
      ->check(check_writable_file())
      ->type_name("FILE");
  add_network_options(*command, options->network);
  adapt_network_options(*command, "bytes that may wait on either side for its reader; default 16M");
  command->callback([options, &exit_code] {
    if (options->listen) options->ticket.via = options->peer.via;
    exit_code = run_pipe(*options);
  });
}

}  // namespace godwit::cli
