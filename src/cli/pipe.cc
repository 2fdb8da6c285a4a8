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
#include "cli/channel_side.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/json_output.h"
#include "cli/local_end.h"
#include "cli/loop.h"
#include "runtime/clock.h"

namespace godwit::cli {
namespace {

// What may wait on either side: the window of a path of 1 Gbit/s and 130 ms.
constexpr std::uint64_t kWindow = std::uint64_t{16} << 20;
// One pipe, and those that are told that it is taken.
constexpr std::size_t kMaxChannels = 4;
constexpr std::uint64_t kToken = 1;

struct StandardEnds {
  ByteEnd input;
  ByteEnd output;
};

class PipeCommand final : public LoopCommand, public ChannelMux::Observer {
 public:
  // `opened` and the others outlive it. A listener has no peer to connect to.
  PipeCommand(const ChannelSideOptions& options, OpenedNode& opened, DescriptorSet& descriptors, StandardEnds ends)
      : options_(options),
        node_(*opened.node),
        descriptors_(descriptors),
        ends_(std::move(ends)),
        mux_(node_.endpoint(), *this, kMaxChannels),
        side_(options, opened, "pipe") {}

  [[nodiscard]] ChannelSide& side() { return side_; }
  void on_admitted(const PublicKey& key) override { side_.admit(key); }

  void on_event(Instant now, ConnectionId connection, Event& event) override {
    if (side_.on_event(now, connection, event)) return;
    if (mux_.on_event(now, connection, event)) return;
    if (const auto* connected = std::get_if<Connected>(&event)) return on_connected(now, connection, *connected);
    if (std::holds_alternative<MessageReceived>(event)) side_.refuse_message(now, connection);
    const auto* closed = std::get_if<Closed>(&event);
    const bool ours = side_.connector() != nullptr && connection == side_.connector()->connection();
    if (closed != nullptr && ours && !finished_) {
      fail("the connection has ended: " + closed->text, kFailure);
    }
  }

  void on_turn(Instant now) override {
    if (Connector* const connector = side_.connector()) connector->on_turn(now);
    mux_.on_turn(now);
    if (!end_ || finished_) return;
    for (const DescriptorSet::Ready& ready : descriptors_.ready()) {
      if (!ready.broken || ready.readable) continue;
      if (const auto failed = end_->on_broken(ready.descriptor)) return on_end_failure(now, *failed);
    }
    if (const auto failed = end_->pump(now)) on_end_failure(now, *failed);
  }
  [[nodiscard]] std::optional<Instant> next_timeout() const override {
    const Connector* const connector = side_.connector();
    return earliest(mux_.next_timeout(), connector != nullptr ? connector->next_timeout() : std::nullopt);
  }
  [[nodiscard]] bool done() const override { return finished_ || failure(); }

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
  [[nodiscard]] std::optional<Error> failure() const {
    return side_.connector() != nullptr ? side_.connector()->failure() : std::nullopt;
  }

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
    if (!side_.admits(now, connection, connected) || side_.connector() == nullptr) return;
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

  const ChannelSideOptions& options_;
  Node& node_;
  DescriptorSet& descriptors_;
  StandardEnds ends_;
  ChannelMux mux_;
  ChannelSide side_;
  std::optional<LocalEnd> end_;
  ChannelId channel_ = 0;
  SocketAddress peer_;
  std::optional<Instant> started_;
  Instant ended_{};
  bool finished_ = false;
  bool complete_ = false;
  int exit_code_ = kFailure;
};

Result<StandardEnds> take_standard_ends() {
  auto input = ByteEnd::take_standard(0);
  if (!input) return std::unexpected(input.error());
  auto output = ByteEnd::take_standard(1);
  if (!output) return std::unexpected(output.error());
  return StandardEnds{.input = std::move(*input), .output = std::move(*output)};
}

int run_pipe(const ChannelSideOptions& options) {
  if (const Status fine = check_side(options); !fine) {
    print_error(fine.error().message);
    return kUsage;
  }
  int exit_code = kSuccess;
  auto side = open_side(options, kWindow, kMaxChannels, exit_code);
  if (!side) return exit_code;
  auto ends = take_standard_ends();
  if (!ends) {
    print_error(ends.error().message);
    return kFailure;
  }
  Node& node = *side->opened.node;
  PipeCommand command(options, side->opened, *side->descriptors, std::move(*ends));
  const auto findable = start_side(command.side(), command, *side, exit_code);
  if (!findable) return exit_code;
  Loop loop(node, *findable, side->descriptors.get());
  if (options.listen) print_listening(node, {.json = true, .json_file = {}}, side->ticket, true);
  if (!loop.run()) command.interrupt(boot_time_now());
  exit_code = command.exit_code();
  const std::optional<Error> nobody = findable->failure() ? findable->failure() : command.failure();
  if (nobody) {
    print_error(nobody->message);
    exit_code = kUnreachable;
  }
  loop.close_all(exit_code == kSuccess ? "done" : "the pipe ends");
  if (!write_json(command.to_json(), options.output)) return kFailure;
  return exit_code;
}

}  // namespace

void add_pipe_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<ChannelSideOptions>();
  CLI::App* const command =
      app.add_subcommand("pipe", "Joins standard input and output of two machines, until both inputs have ended");
  command->add_flag("--listen", options->listen, "wait for the other side, which connects here");
  add_side_options(*command, *options, "bytes that may wait on either side for its reader; default 16M");
  // Standard output is for the other side's bytes.
  command->add_option("--json-file", options->output.json_file, "write a JSON object about it to this file")
      ->check(check_writable_file())
      ->type_name("FILE");
  command->callback([options, &exit_code] {
    finish_side_options(*options);
    exit_code = run_pipe(*options);
  });
}

}  // namespace godwit::cli
