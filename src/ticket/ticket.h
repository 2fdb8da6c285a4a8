// Tickets: how to reach a peer, in one word that people pass on (docs/tickets.md): its key, its addresses, and what
// else a connection needs. A checksum finds every mistyped letter. Values <-> text; no address is looked up here.
// Invariant: parsing is total: any text yields a ticket or the reason why not, and what format_ticket() makes parses to
// the same ticket.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "crypto/keypair.h"

namespace godwit {

// A name that is looked up by whoever uses the ticket.
struct TicketHost {
  std::string name;
  std::uint16_t port = 0;
  friend bool operator==(const TicketHost&, const TicketHost&) = default;
};

// A server that knows how to reach the peer.
struct TicketRendezvous {
  PublicKey key;
  SocketAddress address;
  friend bool operator==(const TicketRendezvous&, const TicketRendezvous&) = default;
};

struct Ticket {
  static constexpr std::size_t kMaxAddresses = 16;
  static constexpr std::size_t kMaxHosts = 4;
  static constexpr std::size_t kMaxRendezvous = 4;

  PublicKey key;
  bool requires_extended = false;        // the peer has no other sessions
  std::vector<SocketAddress> addresses;  // direct ones, in order of preference
  std::vector<TicketHost> hosts;
  std::vector<TicketRendezvous> rendezvous;
  friend bool operator==(const Ticket&, const Ticket&) = default;
};

inline constexpr std::string_view kTicketPrefix = "godwit1";

// Whether the text means to be a ticket: it begins like one, in whatever case.
[[nodiscard]] bool looks_like_ticket(std::string_view text);
// White space around the text is ignored. Errors, one line each: kInvalidArgument for what is no ticket, is cut short,
// mistyped or contradicts itself; kUnsupported for a ticket of a later version.
[[nodiscard]] Result<Ticket> parse_ticket(std::string_view text);
// In lower case. Errors: kInvalidArgument: no way to reach the peer, an address that means nothing elsewhere (wildcard,
// multicast, link-local, port 0), a name that is none; kTooLarge: more than the limits above.
[[nodiscard]] Result<std::string> format_ticket(const Ticket& ticket);

}  // namespace godwit
