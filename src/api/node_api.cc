#include <fmt/format.h>

#include <utility>

#include "api/node_implementation.h"

namespace godwit::v1 {

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
  return node_config;
}

Result<std::unique_ptr<Node>> Node::open(const NodeOptions& options, const SecretKey& key) {
  const auto config = to_node_config(options);
  if (!config) return std::unexpected(config.error());
  auto keys = to_key_pair(key);
  if (!keys) return std::unexpected(keys.error());
  auto node = ::godwit::Node::open(*config, std::move(*keys));
  if (!node) return to_public(node.error());
  return std::unique_ptr<Node>(new Node(std::make_unique<Implementation>(std::move(*node))));
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

Result<MessageId> Node::send(ConnectionId connection, ByteView bytes) {
  std::vector<std::uint8_t> copy(bytes.begin(), bytes.end());
  return send(connection, std::move(copy));
}
Result<MessageId> Node::send(ConnectionId connection, std::vector<std::uint8_t>&& bytes) {
  Body body = Body::owned(std::move(bytes));
  auto sent = implementation_->node->send(connection, std::move(body));
  // A refused message is still the caller's, who may try again.
  if (!sent) bytes = body.take_owned();
  return to_public(std::move(sent));
}
Result<MessageId> Node::send_borrowed(ConnectionId connection, ByteView bytes) {
  return to_public(implementation_->node->send(connection, Body::borrowed(bytes)));
}

void Node::ping(ConnectionId connection) {
  static_cast<void>(implementation_->node->endpoint().ping(implementation_->node->now(), connection));
}
void Node::close(ConnectionId connection, std::string_view text) {
  implementation_->node->close(connection, text);
}

std::optional<Statistics> Node::statistics(ConnectionId connection) const {
  const auto found = implementation_->node->endpoint().statistics(connection);
  if (!found) return std::nullopt;
  return to_public(*found);
}

void Node::run(const Handler& handler) {
  implementation_->handler = &handler;
  implementation_->node->run(*implementation_);
}
void Node::turn(const Handler& handler, Duration longest_wait) {
  implementation_->handler = &handler;
  implementation_->node->turn(*implementation_, longest_wait);
}
void Node::stop() noexcept {
  implementation_->node->stop();
}
void Node::wake() noexcept {
  implementation_->node->wake();
}
bool Node::post(std::function<void(Node&)> call) {
  return implementation_->node->post([this, call = std::move(call)](::godwit::Node&) { call(*this); });
}

}  // namespace godwit::v1
