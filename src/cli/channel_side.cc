#include "cli/channel_side.h"

#include <string>
#include <utility>

#include "channel/channel_codec.h"
#include "cli/channel_config.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "runtime/clock.h"

namespace godwit::cli {

void add_side_options(CLI::App& app, ChannelSideOptions& options, const char* window) {
  add_admission_options(app, options.admission);
  add_ticket_options(app, options.ticket);
  add_port_mapping_option(app, options.ticket);
  add_peer_options(app, options.peer);
  app.get_option("--via")->description("a rendezvous (HEX@ADDR:PORT, ticket or name) at which both sides meet");
  app.remove_option(app.get_option("--allow-unauthenticated"));  // both sides prove their keys
  add_network_options(app, options.network);
  adapt_network_options(app, window);
}

void finish_side_options(ChannelSideOptions& options) {
  if (!options.listen) return;
  options.ticket.via = options.peer.via;
  options.ticket.code = options.peer.code;
}

Status check_side(const ChannelSideOptions& options) {
  const auto wrong = [](const char* what) { return failure(ErrorCode::kInvalidArgument, what); };
  if (!options.listen) {
    if (!options.peer.given()) return wrong("name the other side (--to), or wait for it (--listen)");
    if (options.admission.given() || options.ticket.wanted()) {
      return wrong("--allow, --anyone and tickets are for --listen");
    }
    if (options.ticket.port_mapping != "off") {
      return wrong("--port-mapping is for --listen");
    }
    return {};
  }
  if (!options.peer.to.empty() || !options.peer.key.empty()) {
    return wrong("--to names a peer to connect to, and --listen waits for one");
  }
  if (options.admission.anyone && options.peer.code.given()) {
    return wrong("a one-time code is for one peer, and --anyone lets all others in");
  }
  if (!options.admission.given() && !options.peer.code.given()) {
    return wrong("--listen needs --allow HEX, a one-time code, or --anyone");
  }
  return {};
}

std::optional<OpenedSide> open_side(const ChannelSideOptions& options, std::uint64_t window, std::size_t channels,
                                    int& exit_code) {
  NodeConfig config = make_channel_config(options.network, options.network.window_bytes().value_or(window), channels);
  auto opened = options.listen ? open_server(options.network, std::move(config))
                               : open_client(options.network, options.peer, std::move(config));
  if (!opened) {
    print_error(opened.error().message);
    exit_code = exit_code_of(opened.error());
    return std::nullopt;
  }
  auto descriptors = DescriptorSet::open(*opened->node);
  if (!descriptors) {
    print_error(descriptors.error().message);
    exit_code = kFailure;
    return std::nullopt;
  }
  OpenedSide side{.opened = std::move(*opened),
                  .descriptors = std::move(*descriptors),
                  .ticket = options.ticket,
                  .mapper = nullptr};
  if (options.listen) side.mapper = map_port(*side.opened.node, side.ticket);
  return side;
}

ChannelSide::ChannelSide(const ChannelSideOptions& options, OpenedNode& opened, const char* name)
    : options_(options), endpoint_(opened.node->endpoint()), name_(name) {
  if (!options.listen) connector_.emplace(endpoint_, opened.addresses, opened.peer_key);
}

Status ChannelSide::start() {
  return connector_ ? connector_->start(boot_time_now()) : Status();
}

void ChannelSide::refuse_message(Instant now, ConnectionId connection) {
  endpoint_.close(now, connection, std::string("this is 'godwit ") + name_ + "', which has no use for messages",
                  static_cast<std::uint64_t>(ChannelCode::kUnknownKind));
}

bool ChannelSide::admits(Instant now, ConnectionId connection, const Connected& connected) {
  const bool by_code = admitted_ && connected.peer->key == admitted_;
  if (connector_ || by_code || options_.admission.admits(connected)) return true;
  endpoint_.close(now, connection, "this peer is not among those that may connect",
                  static_cast<std::uint64_t>(ChannelCode::kNotAllowed));
  return false;
}

std::unique_ptr<FindableCommand> start_side(ChannelSide& side, LoopCommand& command, const OpenedSide& opened,
                                            int& exit_code) {
  if (const Status started = side.start(); !started) {
    print_error(started.error().message);
    exit_code = kUnreachable;
    return nullptr;
  }
  auto findable = make_findable(command, *opened.opened.node, opened.ticket, opened.mapper.get());
  if (!findable) {
    print_error(findable.error().message);
    exit_code = exit_code_of(findable.error());
    return nullptr;
  }
  return std::move(*findable);
}

}  // namespace godwit::cli
