// Tickets: how to reach a peer, in one word that people pass on (docs/tickets.md): its public key, its addresses, and
// what else a connection needs. A checksum finds every mistyped letter. `godwit listen --ticket` prints one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "godwit/types.h"

#pragma GCC visibility push(default)
namespace godwit::v1 {

// A server that knows how to reach the peer of a ticket. It stays as it is.
struct TicketRendezvous {
  // "192.0.2.7:31337", and 64 hexadecimal digits.
  std::string address;
  std::string public_key;
};

// What a ticket of the present version says; it stays as it is. Node::connect() takes it. An Endpoint, or a program of
// its own mind, connects to the addresses, once the hosts have been resolve()d, under the key.
struct Ticket {
  // 64 hexadecimal digits.
  std::string public_key;
  // The peer has extended sessions alone: connect with Options::extended "auto" or "require".
  bool requires_extended = false;
  // "192.0.2.7:31337", "[2001:db8::7]:31337", in order of preference; at most 16. None that means nothing on another
  // machine: wildcard, multicast, link-local, port 0.
  std::vector<std::string> addresses = {};
  // "host.example:31337": names that the user of the ticket looks up; at most 4.
  std::vector<std::string> hosts = {};
  // At most 4.
  std::vector<TicketRendezvous> rendezvous = {};
};

// Reads a ticket of either case, with or without white space around it. Errors, one line each: kInvalidArgument for
// what is no ticket, is mistyped, cut short or contradicts itself; kUnsupported for a ticket of a later version. From
// any thread.
[[nodiscard]] Result<Ticket> parse_ticket(std::string_view text);
// The text, in lower case. Errors: kInvalidArgument for a ticket that names no way to its peer, or a key, address or
// host that is none; kTooLarge for more of them than a ticket has. From any thread.
[[nodiscard]] Result<std::string> format_ticket(const Ticket& ticket);

}  // namespace godwit::v1
#pragma GCC visibility pop
