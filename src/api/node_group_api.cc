#include <fmt/format.h>

#include <utility>
#include <vector>

#include "api/node_implementation.h"
#include "api/trace_output.h"
#include "base/connect_target.h"
#include "godwit/node_group.h"
#include "runtime/metrics_text.h"
#include "runtime/shards.h"

namespace godwit::v1 {
namespace {

GroupStatistics to_public(const ShardsStatistics& from) {
  return {.connections = from.connections,
          .connections_opened = from.endpoint.connections_opened,
          .connections_closed = from.endpoint.connections_closed.total(),
          .datagrams_sent = from.backend.datagrams_sent,
          .bytes_sent = from.backend.bytes_sent,
          .datagrams_received = from.backend.datagrams_received,
          .bytes_received = from.backend.bytes_received,
          .kernel_drops = from.backend.kernel_drops,
          .forwarded_datagrams = from.link.forwarded_datagrams,
          .refused_datagrams = from.link.refused_datagrams,
          .unadmitted_peers = from.endpoint.peers_refused};
}

}  // namespace

class NodeGroup::Implementation {
 public:
  // The internal handler of one shard: passes events on with the shard's public face.
  class Face final : public ::godwit::Node::Handler {
   public:
    Face(Node::Implementation& node, const NodeGroup::Handler& handler) : node_(node) { node_.handler = &handler; }
    void on_event(::godwit::Node& node, ::godwit::ConnectionId connection, ::godwit::Event& event) override {
      node_.on_event(node, connection, event);
    }
    void on_turn(::godwit::Node& node) override { node_.on_turn(node); }

   private:
    Node::Implementation& node_;
  };

  std::vector<std::unique_ptr<trace::Sink>> traces;  // by shard; outlive the shards
  std::unique_ptr<Shards> shards;
  std::string public_key;
  std::vector<std::unique_ptr<Node>> faces;  // by shard
  std::vector<Node::Implementation*> inner;  // of the faces
};

NodeGroup::NodeGroup(std::unique_ptr<Implementation> implementation) : implementation_(std::move(implementation)) {}
NodeGroup::~NodeGroup() = default;

Result<std::unique_ptr<NodeGroup>> NodeGroup::open(const NodeGroupOptions& options, const SecretKey& key) {
  if (options.node.transport.trace) {
    return std::unexpected(
        Error{ErrorCode::kInvalidArgument, "the trace of a group is NodeGroupOptions::trace, which names the shard"});
  }
  auto config = to_node_config(options.node);
  if (!config) return std::unexpected(config.error());
  const auto keys = to_key_pair(key);
  if (!keys) return std::unexpected(keys.error());
  auto implementation = std::make_unique<Implementation>();
  const auto trace = [&](std::size_t shard) {
    implementation->traces.push_back(make_trace(options, shard));
    return implementation->traces.back().get();
  };
  auto shards =
      Shards::open(*config, *keys, {.count = options.shards, .pin_threads = options.pin_threads, .trace = trace});
  if (!shards) return to_public(shards.error());
  implementation->shards = std::move(*shards);
  implementation->public_key = keys->public_key().to_hex();
  for (std::size_t i = 0; i < implementation->shards->size(); ++i) {
    auto inner = std::make_unique<Node::Implementation>(*implementation->shards->node(i));
    implementation->inner.push_back(inner.get());
    implementation->faces.push_back(std::unique_ptr<Node>(new Node(std::move(inner))));
  }
  return std::unique_ptr<NodeGroup>(new NodeGroup(std::move(implementation)));
}

std::size_t NodeGroup::size() const {
  return implementation_->shards->size();
}
std::string NodeGroup::local_address() const {
  return implementation_->shards->local_address().to_string();
}
std::string NodeGroup::public_key() const {
  return implementation_->public_key;
}

Result<std::size_t> NodeGroup::shard_of(std::string_view address) const {
  const auto remote = to_socket_address(address);
  if (!remote) return std::unexpected(remote.error());
  const auto target = connect_target(*remote);
  if (!target) return v1::to_public(target.error());
  return implementation_->shards->shard_of(*target);
}

void NodeGroup::run(const Handler& handler) {
  implementation_->shards->run([this, &handler](std::size_t shard) {
    return std::make_unique<Implementation::Face>(*implementation_->inner[shard], handler);
  });
}

void NodeGroup::stop() {
  implementation_->shards->stop();
}

Result<void> NodeGroup::connect(std::string_view address, std::string_view public_key,
                                std::function<void(Node&, Result<ConnectionId>)> then) {
  const auto remote = to_socket_address(address);
  if (!remote) return std::unexpected(remote.error());
  const auto peer = to_public_key(public_key);
  if (!peer) return std::unexpected(peer.error());
  const auto target = connect_target(*remote);
  if (!target) return v1::to_public(target.error());
  const std::size_t shard = implementation_->shards->shard_of(*target);
  const bool posted = post(shard, [remote = *target, peer = *peer, then = std::move(then)](Node& node) {
    then(node, v1::to_public(node.implementation_->node->connect(remote, peer)));
  });
  if (!posted) return std::unexpected(Error{ErrorCode::kWouldBlock, "too many calls wait for the shard"});
  return {};
}

Result<void> NodeGroup::shut_down(Duration longest, std::string_view text) {
  for (std::size_t i = 0; i < size(); ++i) {
    const bool posted =
        implementation_->shards->post(i, [inner = implementation_->inner[i], longest,
                                          words = std::string(text)](::godwit::Node&) { inner->end(longest, words); });
    if (!posted && !implementation_->shards->has_ended(i)) {
      return std::unexpected(Error{ErrorCode::kWouldBlock, "too many calls wait for a shard"});
    }
  }
  return {};
}

bool NodeGroup::post(std::size_t shard, std::function<void(Node&)> call) {
  if (shard >= size()) return false;
  return implementation_->shards->post(
      shard, [face = implementation_->faces[shard].get(), call = std::move(call)](::godwit::Node&) { call(*face); });
}

bool NodeGroup::retire(std::size_t shard, std::string_view text) {
  return shard < size() && implementation_->shards->retire(shard, text);
}

void NodeGroup::collect(std::function<void(const GroupStatistics&)> then) const {
  implementation_->shards->collect([then = std::move(then)](const ShardsStatistics& sum) { then(to_public(sum)); });
}
void NodeGroup::collect_metrics(std::function<void(std::string text)> then) const {
  implementation_->shards->collect([then = std::move(then)](const ShardsStatistics& sum) { then(metrics_text(sum)); });
}

}  // namespace godwit::v1
