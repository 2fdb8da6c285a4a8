// What a public Node holds: a Node of its own, or one shard of a group. Used by api/ alone.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/connection_calls.h"
#include "godwit/node.h"
#include "port_mapping/port_mapper.h"
#include "rendezvous/code_exchange.h"
#include "rendezvous/peer_search.h"
#include "runtime/foreign_loop.h"
#include "runtime/node.h"

namespace godwit::v1 {

class Node::Implementation final : public ::godwit::Node::Handler {
 public:
  Implementation(std::unique_ptr<::godwit::Node> opened, std::unique_ptr<trace::Sink> sink)
      : trace(std::move(sink)), node(opened.get()), owned(std::move(opened)), calls(node->endpoint()) {}
  explicit Implementation(::godwit::Node& shard) : node(&shard), calls(shard.endpoint()) {}

  void on_event(::godwit::Node& from, ::godwit::ConnectionId connection, ::godwit::Event& event) override;
  void on_turn(::godwit::Node& from) override;

  void turn(const Node::Handler& with, Duration longest_wait);
  void shut_down(const Node::Handler& with, Duration longest, std::string_view text);
  // Of a shard: closes all connections, and stops its loop when every peer has answered or `longest` has passed.
  void end(Duration longest, std::string_view text);
  // -1 when the system has no descriptors left.
  [[nodiscard]] int descriptor();
  // From any thread and from signal handlers.
  void wake_foreign_loop() noexcept;

  [[nodiscard]] Result<void> connect(PeerPlace place, std::function<void(Node&, Result<ConnectionId>)> then);
  void register_at(RendezvousPlace place, std::function<void(Node&, std::string_view)> notice);
  // By a one-time code; empty: one is made. Errors: kInvalidArgument, kUnsupported.
  [[nodiscard]] Result<CodeExchange> make_exchange(std::string_view code, const PublicKey& rendezvous);
  [[nodiscard]] Result<void> connect_by_code(RendezvousPlace place, CodeExchange exchange, CodeNotice new_code,
                                             std::function<void(Node&, Result<ConnectionId>)> then);
  void listen_by_code(RendezvousPlace place, CodeExchange exchange, CodeNotice new_code,
                      std::function<void(Node&, Result<std::string>)> then);
  [[nodiscard]] Result<void> map_port(std::string_view way, std::function<void(Node&, Result<std::string>)> changed);
  [[nodiscard]] Result<void> close_when_sent(ConnectionId connection, Duration longest, std::string_view text,
                                             std::uint64_t code);

  std::unique_ptr<trace::Sink> trace;  // null unless one was asked for; outlives the node
  ::godwit::Node* node;
  std::unique_ptr<::godwit::Node> owned;  // null for a shard
  ConnectionCalls calls;
  Node* owner = nullptr;
  const Node::Handler* handler = nullptr;  // while the loop runs

 private:
  // The search for a peer with several addresses, or of a ticket.
  struct Race {
    std::unique_ptr<PeerSearch> search;
    std::function<void(Node&, Result<ConnectionId>)> then;  // empty once it has been called
    CodeNotice new_code{};                                  // the same
  };
  // A connection to be closed when its messages have been acknowledged.
  struct Closing {
    ConnectionId connection = 0;
    Instant deadline{};
    std::string text;
    std::uint64_t code = 0;
  };

  // True when the event belongs to an attempt or to a rendezvous, of which the application hears nothing.
  [[nodiscard]] bool give_to_races(ConnectionId connection, const ::godwit::Event& event);
  void report(Race& race);
  void tend_registration(Instant now);
  void tend_code();
  void tend_port(Instant now);
  [[nodiscard]] Candidates own_addresses() const;
  void tend_end(Instant now);

  // Null until descriptor() is asked for; read by threads that wake the loop.
  std::unique_ptr<ForeignLoop> foreign_loop_owner_;
  std::atomic<ForeignLoop*> foreign_loop_ = nullptr;
  bool shutting_down_ = false;
  std::optional<Instant> ends_by_;  // end() was called
  std::vector<Race> races_;
  std::unique_ptr<RendezvousClient> registration_;  // null: nowhere
  std::function<void(Node&, std::string_view)> registration_notice_;
  std::vector<Closing> closing_;
  // Of the registration.
  CodeNotice new_code_;
  std::function<void(Node&, Result<std::string>)> code_then_;
  std::function<void(Node&, Result<std::string>)> port_changed_;
  std::uint64_t port_changes_ = 0;  // that have been looked at
  std::optional<SocketAddress> mapped_;
  std::unique_ptr<PortMapper> mapper_;  // last: its thread wakes the node
};

// Everything of `options` but the transport's, which to_config() reads.
[[nodiscard]] Result<NodeConfig> to_node_config(const NodeOptions& options);

}  // namespace godwit::v1
