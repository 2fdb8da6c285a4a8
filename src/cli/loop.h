// Runs a Node for a command: turns until its work is done or a signal asks for the end; then connections are closed and
// the last words sent. The command says in its on_turn() when it is to be called again: Loop::on_turn() passes that on.
#pragma once

#include <optional>
#include <string_view>

#include "cli/interrupt.h"
#include "runtime/node.h"

namespace godwit::cli {

// Earliest of two optional deadlines.
[[nodiscard]] inline std::optional<Instant> earliest(std::optional<Instant> one, std::optional<Instant> other) {
  if (!one) return other;
  return other && *other < *one ? other : one;
}

// A command's side of the loop.
class LoopCommand {
 public:
  virtual ~LoopCommand() = default;
  // As Node::Handler.
  virtual void on_event(Instant now, ConnectionId connection, Event& event) = 0;
  virtual void on_turn(Instant now) = 0;
  // When on_turn() has something to do without an event; asked after on_turn().
  [[nodiscard]] virtual std::optional<Instant> next_timeout() const = 0;
  [[nodiscard]] virtual bool done() const = 0;
};

class Loop final : private Node::Handler {
 public:
  // Both outlive the loop.
  Loop(Node& node, LoopCommand& command) : node_(node), command_(command), interrupt_(node) {}

  // Turns until the command is done; false when a signal came first.
  [[nodiscard]] bool run();
  // Gives what is queued and on its way a moment to arrive, then closes every connection.
  void close_all(std::string_view text);

 private:
  [[nodiscard]] std::uint64_t bytes_in_flight() const;
  void on_event(Node& node, ConnectionId connection, Event& event) override;
  void on_turn(Node& node) override;

  Node& node_;
  LoopCommand& command_;
  InterruptWatch interrupt_;
  std::uint64_t last_turn_ = 0;  // in which on_turn() was called
};

}  // namespace godwit::cli
