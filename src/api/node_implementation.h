// What a public Node holds: a Node of its own, or one shard of a group. Used by api/ alone.
#pragma once

#include <memory>
#include <utility>

#include "api/convert.h"
#include "godwit/node.h"
#include "runtime/node.h"

namespace godwit::v1 {

class Node::Implementation final : public ::godwit::Node::Handler {
 public:
  explicit Implementation(std::unique_ptr<::godwit::Node> opened) : node(opened.get()), owned(std::move(opened)) {}
  explicit Implementation(::godwit::Node& shard) : node(&shard) {}

  void on_event(::godwit::Node&, ::godwit::ConnectionId connection, ::godwit::Event& event) override {
    if (const auto happened = to_public(connection, event)) (*handler)(*owner, *happened);
  }

  ::godwit::Node* node;
  std::unique_ptr<::godwit::Node> owned;  // null for a shard
  Node* owner = nullptr;
  const Node::Handler* handler = nullptr;  // while the loop runs
};

// Everything of `options` but the transport's, which to_config() reads.
[[nodiscard]] Result<NodeConfig> to_node_config(const NodeOptions& options);

}  // namespace godwit::v1
