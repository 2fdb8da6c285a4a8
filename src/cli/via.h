// A rendezvous on the command line (docs/rendezvous.md): --via of what listens, which keeps it findable, and of what
// connects, which asks before it does.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/loop.h"
#include "cli/peer_target.h"
#include "cli/ticket_output.h"
#include "port_mapping/port_mapper.h"
#include "rendezvous/rendezvous_client.h"

namespace godwit::cli {

// "HEX@ADDR:PORT", a ticket, or a name of `peers`. Errors: kInvalidArgument, kNotFound, one line.
[[nodiscard]] Result<RendezvousPlace> parse_via(const std::string& text);

// --via of a command that listens.
void add_via_option(CLI::App& app, TicketOptions& options);

// --port-mapping of a command that listens.
void add_port_mapping_option(CLI::App& app, TicketOptions& options);
// Asks the router for a port of the node, where --port-mapping says so, and waits a moment for the answer, which
// becomes a part of `options`; what comes of it is said. Null where nothing is to be mapped. `node` outlives it.
[[nodiscard]] std::unique_ptr<PortMapper> map_port(Node& node, TicketOptions& options);

// A listening command that is registered at a rendezvous besides; both outlive it.
// Without a rendezvous it is the command alone.
class FindableCommand final : public LoopCommand {
 public:
  FindableCommand(LoopCommand& command, Node& node, std::optional<RendezvousPlace> place);
  // Tells the rendezvous of a port of the router, and the user where it has become another one. Outlives it; or null.
  void watch_port(const PortMapper* mapper, const TicketOptions& options);

  void on_event(Instant now, ConnectionId connection, Event& event) override;
  void on_turn(Instant now) override;
  [[nodiscard]] std::optional<Instant> next_timeout() const override;
  // The command is done, or has nobody to wait for.
  [[nodiscard]] bool done() const override { return failure_.has_value() || command_.done(); }

  // Before the first turn: lets in whoever has the other half of a one-time code. There is a rendezvous.
  void meet_by_code(CodeExchange exchange) { client_->meet_by_code(std::move(exchange)); }
  // The code has come to nothing: one line.
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }

 private:
  void look_at_code();
  void look_at_port(Instant now);

  LoopCommand& command_;
  Node& node_;
  const PortMapper* mapper_ = nullptr;
  std::uint64_t port_changes_ = 0;  // that have been looked at
  std::optional<SocketAddress> mapped_;
  std::optional<RendezvousClient> client_;
  bool admitted_ = false;  // the other half of the code
  std::optional<Error> failure_;
};
// Errors: those of parse_via() and check_code().
[[nodiscard]] Result<std::unique_ptr<FindableCommand>> make_findable(LoopCommand& command, Node& node,
                                                                     const TicketOptions& options,
                                                                     const PortMapper* mapper = nullptr);

// Asks each rendezvous in turn for the peer, over the node that is to connect to it, and adds where it can be found:
// what the rendezvous sees first, then the addresses that were known, then the relay. Errors: kNotFound when nobody
// knows of an address. Meets a target that a one-time code names, first: the user is told a code that is made here, and
// what is wrong with one is an error of kNotFound.
[[nodiscard]] Status ask_rendezvous(Node& node, PeerTarget& target);

}  // namespace godwit::cli
