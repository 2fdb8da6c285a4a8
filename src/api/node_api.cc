#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "api/node_implementation.h"
#include "api/trace_output.h"
#include "base/connect_target.h"
#include "runtime/metrics_text.h"
#include "runtime/resolve.h"

namespace godwit::v1 {

namespace {

Result<RendezvousPlace> to_rendezvous_place(const TicketRendezvous& rendezvous) {
  const auto key = to_public_key(rendezvous.public_key);
  if (!key) return std::unexpected(key.error());
  const auto address = to_socket_address(rendezvous.address);
  if (!address) return std::unexpected(address.error());
  return RendezvousPlace{.key = *key, .addresses = {*address}};
}

// A shard gets no answers from another one's peers, and a rendezvous brings together whoever it likes.
std::unexpected<Error> not_for_shards() {
  return std::unexpected(
      Error{ErrorCode::kUnsupported, "one of several shards uses no rendezvous: open a Node for it"});
}

// Of a peer that this node is to connect to.
Result<SocketAddress> to_peer_address(const ::godwit::Node& node, std::string_view text) {
  const auto remote = to_socket_address(text);
  if (!remote) return remote;
  const auto target = connect_target(*remote);
  if (!target) return v1::to_public(target.error());
  if (node.serves(*target)) return remote;
  return std::unexpected(Error{ErrorCode::kInvalidArgument, target->to_string() + " is another shard's peer"});
}

bool has_extended_sessions(const ::godwit::Node& node) {
  return node.endpoint().extended_policy() != ExtendedPolicy::kOff;
}

}  // namespace

Node::Node(std::unique_ptr<Implementation> implementation) : implementation_(std::move(implementation)) {
  implementation_->owner = this;
}

Node::~Node() = default;

Result<NodeConfig> to_node_config(const NodeOptions& options) {
  auto config = to_config(options.transport);
  if (!config) return std::unexpected(config.error());
  const auto bind = to_socket_address(options.bind);
  if (!bind) return std::unexpected(bind.error());
  const auto backend = parse_backend_kind(options.backend);
  if (!backend)
    return std::unexpected(Error{ErrorCode::kInvalidArgument, fmt::format("no back end '{}'", options.backend)});
  if (options.receive_buffer_bytes == 0) {
    return std::unexpected(Error{ErrorCode::kInvalidArgument, "a receive buffer has at least one byte"});
  }
  NodeConfig node_config;
  node_config.endpoint = *config;
  node_config.socket.bind = *bind;
  node_config.socket.receive_buffer_bytes = options.receive_buffer_bytes;
  node_config.backend = *backend;
  const auto idle = parse_idle_strategy(options.idle);
  if (!idle)
    return std::unexpected(Error{ErrorCode::kInvalidArgument, fmt::format("no idle strategy '{}'", options.idle)});
  node_config.idle = *idle;
  node_config.threads = options.threads;
  return node_config;
}

Result<std::unique_ptr<Node>> Node::open(const NodeOptions& options, const SecretKey& key) {
  const auto config = to_node_config(options);
  if (!config) return std::unexpected(config.error());
  auto keys = to_key_pair(key);
  if (!keys) return std::unexpected(keys.error());
  auto sink = make_trace(options.transport);
  auto node = ::godwit::Node::open(*config, std::move(*keys), sink.get());
  if (!node) return to_public(node.error());
  return std::unique_ptr<Node>(new Node(std::make_unique<Implementation>(std::move(*node), std::move(sink))));
}

std::string Node::local_address() const {
  return implementation_->node->local_address().to_string();
}
std::string Node::public_key() const {
  return implementation_->node->endpoint().public_key().to_hex();
}

Result<ConnectionId> Node::connect(std::string_view address, std::string_view public_key) {
  const auto remote = to_socket_address(address);
  if (!remote) return std::unexpected(remote.error());
  const auto peer = to_public_key(public_key);
  if (!peer) return std::unexpected(peer.error());
  return to_public(implementation_->node->connect(*remote, *peer));
}

Result<void> Node::connect(std::span<const std::string> addresses, std::string_view public_key,
                           std::function<void(Node&, Result<ConnectionId>)> then) {
  std::vector<SocketAddress> remotes;
  for (const std::string& address : addresses) {
    const auto remote = to_peer_address(*implementation_->node, address);
    if (!remote) return std::unexpected(remote.error());
    remotes.push_back(*remote);
  }
  if (remotes.empty()) return std::unexpected(Error{ErrorCode::kInvalidArgument, "there is no address to connect to"});
  const auto peer = to_public_key(public_key);
  if (!peer) return std::unexpected(peer.error());
  return implementation_->connect({.key = *peer, .addresses = std::move(remotes), .rendezvous = {}}, std::move(then));
}

Result<void> Node::connect(const Ticket& ticket, std::function<void(Node&, Result<ConnectionId>)> then) {
  const auto peer = to_public_key(ticket.public_key);
  if (!peer) return std::unexpected(peer.error());
  PeerPlace place{.key = *peer, .addresses = {}, .rendezvous = {}};
  for (const std::string& address : ticket.addresses) {
    const auto remote = to_peer_address(*implementation_->node, address);
    if (!remote) return std::unexpected(remote.error());
    place.addresses.push_back(*remote);
  }
  for (const TicketRendezvous& each : ticket.rendezvous) {
    auto rendezvous = to_rendezvous_place(each);
    if (!rendezvous) return std::unexpected(rendezvous.error());
    place.rendezvous.push_back(std::move(*rendezvous));
  }
  if (place.addresses.empty() && place.rendezvous.empty()) {
    return std::unexpected(Error{ErrorCode::kInvalidArgument, "the ticket names no address and no rendezvous"});
  }
  if (!place.rendezvous.empty() && implementation_->node->is_shard()) return not_for_shards();
  if ((ticket.requires_extended || !place.rendezvous.empty()) && !has_extended_sessions(*implementation_->node)) {
    return std::unexpected(Error{ErrorCode::kUnsupported, "the ticket needs extended sessions, which are off"});
  }
  return implementation_->connect(std::move(place), std::move(then));
}

namespace {

// What register_at() and the functions of one-time codes need.
Result<RendezvousPlace> usable_rendezvous(const ::godwit::Node& node, const TicketRendezvous& rendezvous) {
  auto place = to_rendezvous_place(rendezvous);
  if (!place) return place;
  if (node.is_shard()) return not_for_shards();
  if (!has_extended_sessions(node)) {
    return std::unexpected(Error{ErrorCode::kUnsupported, "a rendezvous needs extended sessions, which are off"});
  }
  return place;
}

}  // namespace

Result<void> Node::register_at(const TicketRendezvous& rendezvous,
                               std::function<void(Node&, std::string_view)> notice) {
  auto place = usable_rendezvous(*implementation_->node, rendezvous);
  if (!place) return std::unexpected(place.error());
  implementation_->register_at(std::move(*place), std::move(notice));
  return {};
}

Result<void> Node::connect_by_code(const TicketRendezvous& rendezvous, std::string_view code, CodeNotice new_code,
                                   std::function<void(Node&, Result<ConnectionId>)> then) {
  auto place = usable_rendezvous(*implementation_->node, rendezvous);
  if (!place) return std::unexpected(place.error());
  auto exchange = implementation_->make_exchange(code, place->key);
  if (!exchange) return std::unexpected(exchange.error());
  return implementation_->connect_by_code(std::move(*place), std::move(*exchange), std::move(new_code),
                                          std::move(then));
}

Result<void> Node::listen_by_code(const TicketRendezvous& rendezvous, std::string_view code, CodeNotice new_code,
                                  std::function<void(Node&, Result<std::string>)> then) {
  auto place = usable_rendezvous(*implementation_->node, rendezvous);
  if (!place) return std::unexpected(place.error());
  auto exchange = implementation_->make_exchange(code, place->key);
  if (!exchange) return std::unexpected(exchange.error());
  implementation_->listen_by_code(std::move(*place), std::move(*exchange), std::move(new_code), std::move(then));
  return {};
}

Result<void> Node::map_port(std::string_view way, std::function<void(Node&, Result<std::string>)> changed) {
  if (implementation_->node->is_shard()) return not_for_shards();
  return implementation_->map_port(way, std::move(changed));
}

Result<MessageId> Node::send(ConnectionId connection, ByteView bytes, const SendOptions& options) {
  return send_pieces(connection, {&bytes, 1}, options);
}
Result<MessageId> Node::send(ConnectionId connection, std::vector<std::uint8_t>&& bytes, const SendOptions& options) {
  implementation_->node->check_process();
  return implementation_->calls.send(implementation_->node->now(), connection, std::move(bytes), options);
}
Result<MessageId> Node::send_pieces(ConnectionId connection, std::span<const ByteView> pieces,
                                    const SendOptions& options) {
  implementation_->node->check_process();
  return implementation_->calls.send_pieces(implementation_->node->now(), connection, pieces, options);
}
Result<MessageId> Node::send_borrowed(ConnectionId connection, ByteView bytes, const SendOptions& options) {
  implementation_->node->check_process();
  return implementation_->calls.send_borrowed(implementation_->node->now(), connection, bytes, options);
}

Result<MessageId> Node::open_stream(ConnectionId connection, const SendOptions& options) {
  implementation_->node->check_process();
  return implementation_->calls.open_stream(implementation_->node->now(), connection, options);
}
Result<void> Node::append(ConnectionId connection, MessageId stream, ByteView bytes) {
  implementation_->node->check_process();
  return implementation_->calls.append(connection, stream, bytes);
}
bool Node::finish(ConnectionId connection, MessageId stream) {
  return implementation_->node->endpoint().finish(connection, stream);
}

bool Node::extend_send_limit(ConnectionId connection, MessageId message, std::uint64_t limit_bytes) {
  return implementation_->node->endpoint().extend_send_limit(implementation_->node->now(), connection, message,
                                                             limit_bytes);
}
bool Node::cancel(ConnectionId connection, MessageId message, std::uint64_t code) {
  return implementation_->node->endpoint().cancel(implementation_->node->now(), connection, message, code);
}
std::uint32_t Node::stream_of(ConnectionId connection, MessageId message) const {
  return implementation_->node->endpoint().stream_id(connection, message);
}
bool Node::keep_alive(ConnectionId connection, std::uint32_t stream) {
  return implementation_->node->endpoint().keep_stream_alive(implementation_->node->now(), connection, stream);
}
bool Node::stop_receiving(ConnectionId connection, std::uint32_t stream, std::uint64_t code) {
  return implementation_->node->endpoint().stop_receiving(connection, stream, code);
}
void Node::consume(ConnectionId connection, std::uint32_t stream, std::uint64_t bytes) {
  implementation_->node->endpoint().consume(connection, stream, bytes);
}
bool Node::pause(ConnectionId connection, std::uint32_t stream) {
  return implementation_->node->endpoint().set_paused(connection, stream, true);
}
bool Node::resume(ConnectionId connection, std::uint32_t stream) {
  return implementation_->node->endpoint().set_paused(connection, stream, false);
}
Result<void> Node::ping(ConnectionId connection) {
  return to_public(implementation_->node->endpoint().ping(implementation_->node->now(), connection));
}
Result<void> Node::reconnect(ConnectionId connection) {
  return to_public(implementation_->node->endpoint().reconnect(implementation_->node->now(), connection));
}
void Node::close(ConnectionId connection, std::string_view text, std::uint64_t code) {
  implementation_->node->close(connection, text, code);
}
Result<void> Node::close_when_sent(ConnectionId connection, Duration longest, std::string_view text,
                                   std::uint64_t code) {
  return implementation_->close_when_sent(connection, longest, text, code);
}
Result<void> Node::set_congestion(ConnectionId connection, std::string_view name) {
  return implementation_->calls.set_congestion(implementation_->node->now(), connection, name);
}
Result<void> Node::set_rate_limit(ConnectionId connection, std::uint64_t bits_per_second) {
  return implementation_->calls.set_rate_limit(implementation_->node->now(), connection, bits_per_second);
}
Result<void> Node::set_user_data(ConnectionId connection, std::uint64_t user_data) {
  return implementation_->calls.set_user_data(connection, user_data);
}

std::vector<ConnectionId> Node::connections() const {
  return implementation_->node->endpoint().connections();
}
std::string Node::remote_address(ConnectionId connection) const {
  const auto found = implementation_->node->endpoint().remote_address(connection);
  return found ? found->to_string() : std::string();
}
std::shared_ptr<const Statistics> Node::statistics(ConnectionId connection) const {
  return implementation_->calls.statistics(connection);
}
std::shared_ptr<const EndpointStatistics> Node::statistics() const {
  return implementation_->calls.statistics();
}
std::string Node::metrics() const {
  return metrics_text(*implementation_->node);
}
Liveness Node::liveness(ConnectionId connection) const {
  return implementation_->calls.liveness(connection);
}

Result<Path> Node::path(ConnectionId connection) const {
  if (!implementation_->calls.is_open(connection)) {
    return std::unexpected(Error{ErrorCode::kNotFound, "the connection has ended"});
  }
  return implementation_->calls.path(connection);
}

void Node::run(const Handler& handler) {
  implementation_->handler = &handler;
  implementation_->node->run(*implementation_);
}
void Node::turn(const Handler& handler, Duration longest_wait) {
  implementation_->turn(handler, longest_wait);
}
int Node::descriptor() const {
  return implementation_->descriptor();
}
std::optional<Duration> Node::next_timeout() const {
  const auto deadline = implementation_->node->next_timeout();
  if (!deadline) return std::nullopt;
  return std::max(*deadline - implementation_->node->now(), Duration::zero());
}
void Node::shut_down(const Handler& handler, Duration longest, std::string_view text) {
  implementation_->shut_down(handler, longest, text);
}

void Node::stop() noexcept {
  implementation_->node->stop();
  implementation_->wake_foreign_loop();
}
void Node::wake() noexcept {
  implementation_->node->wake();
  implementation_->wake_foreign_loop();
}
bool Node::post(std::function<void(Node&)> call) {
  const bool posted = implementation_->node->post(
      [owner = implementation_->owner, call = std::move(call)](::godwit::Node&) { call(*owner); });
  implementation_->wake_foreign_loop();
  return posted;
}

Result<std::vector<std::string>> resolve(std::string_view name_and_port) {
  const auto found = resolve_peer(std::string(name_and_port));
  if (!found) return to_public(found.error());
  std::vector<std::string> addresses;
  for (const SocketAddress& address : *found) addresses.push_back(address.to_string());
  return addresses;
}

}  // namespace godwit::v1
