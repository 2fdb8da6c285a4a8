// Runs a Node for a command: turns until its work is done or a signal asks for the end; then connections are closed and
// the last words sent. The command says in its next_timeout() when it is to be called again.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <utility>

#include "cli/console.h"
#include "cli/descriptor_set.h"
#include "cli/interrupt.h"
#include "runtime/node.h"

namespace godwit::cli {

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
  // The peer with this key, which it has proved, may connect to a listening command, as a one-time code has it.
  virtual void on_admitted(const PublicKey&) {}
};

// Feeds a Node's events and turns to a command; `over` is asked after each of its turns and ends the Node's sleep.
class CommandHandler final : public Node::Handler {
 public:
  // `command` outlives it.
  CommandHandler(LoopCommand& command, std::function<bool()> over) : command_(command), over_(std::move(over)) {}

  void on_event(Node& node, ConnectionId connection, Event& event) override;
  void on_turn(Node& node) override;

 private:
  LoopCommand& command_;
  std::function<bool()> over_;
  std::uint64_t last_turn_ = 0;  // in which on_turn() was called
};

class Loop {
 public:
  // All outlive the loop. `descriptors`: what the command waits for beside the node, if anything.
  Loop(Node& node, LoopCommand& command, DescriptorSet* descriptors = nullptr)
      : node_(node),
        command_(command),
        descriptors_(descriptors),
        interrupt_(node, descriptors),
        handler_(command, [this] { return over(); }) {}

  // Turns until the command is done; false when a signal came first.
  [[nodiscard]] bool run();
  // After a signal: turns until the command is done, or for `patience` at most.
  void finish(Duration patience);
  // Gives what is queued and on its way a moment to arrive, then closes every connection. What is printed after it
  // waits for whoever reads it.
  void close_all(std::string_view text);

 private:
  [[nodiscard]] bool over() const { return command_.done() || (!finishing_ && interrupt_.requested()); }
  [[nodiscard]] std::uint64_t bytes_in_flight() const;
  void turn(std::optional<Duration> longest_wait = std::nullopt);

  Node& node_;
  LoopCommand& command_;
  DescriptorSet* descriptors_;
  InterruptWatch interrupt_;
  std::optional<PromptOutput> prompt_{std::in_place};  // until close_all()
  bool finishing_ = false;
  CommandHandler handler_;
};

}  // namespace godwit::cli
