// The ticket that a listening command prints, as a word and as a QR code for a camera.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/code_options.h"
#include "runtime/node.h"
#include "ticket/ticket.h"

namespace godwit::cli {

struct TicketOptions {
  bool ticket = false;
  bool qr = false;                        // as well
  std::vector<std::string> advertise;     // "ADDR:PORT" or "NAME:PORT"
  std::string via;                        // a rendezvous, or nothing (via.h)
  CodeOptions code;                       // for one peer, who comes to that rendezvous
  std::string port_mapping = "off";       // or "auto"
  std::optional<SocketAddress> mapped{};  // the router's port, once there is one (via.h)

  [[nodiscard]] bool wanted() const { return ticket || qr || !advertise.empty(); }
};

// Adds "ADDR:PORT", or "NAME:PORT", which is looked up by whoever uses the ticket. False for what is neither.
[[nodiscard]] bool add_advertised(Ticket& ticket, const std::string& text);

void add_ticket_options(CLI::App& app, TicketOptions& options);

// How `node` is reached, from what it is bound to, the addresses of this machine's interfaces and what is advertised
// besides, which comes first. Errors: kInvalidArgument for what cannot be advertised; nothing to reach it at.
[[nodiscard]] Result<Ticket> make_ticket(const Node& node, const TicketOptions& options, bool requires_extended);

// Lines of half blocks, light on dark as terminals mostly are, with the margin that cameras need. kUnsupported where
// this program was built without libqrencode, kTooLarge for what fits no code.
[[nodiscard]] Result<std::string> draw_qr_code(std::string_view text);

}  // namespace godwit::cli
