// Tickets of the public API: texts in place of addresses and keys (include/godwit/ticket.h).

#include <charconv>
#include <optional>
#include <utility>

#include "api/convert.h"
#include "godwit/ticket.h"
#include "ticket/ticket.h"

namespace godwit::v1 {
namespace {

std::unexpected<Error> wrong(std::string text) {
  return std::unexpected<Error>(Error{.code = ErrorCode::kInvalidArgument, .message = std::move(text)});
}

std::string text_of(const TicketHost& host) {
  return host.name + ":" + std::to_string(host.port);
}

std::optional<TicketHost> parse_host(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [read, error] = std::from_chars(text.data() + colon + 1, end, port);
  if (error != std::errc{} || read != end) return std::nullopt;
  return TicketHost{.name = std::string(text.substr(0, colon)), .port = port};
}

}  // namespace

Result<Ticket> parse_ticket(std::string_view text) {
  const auto parsed = ::godwit::parse_ticket(text);
  if (!parsed) return to_public(parsed.error());
  Ticket ticket{.public_key = parsed->key.to_hex(), .requires_extended = parsed->requires_extended};
  for (const SocketAddress& address : parsed->addresses) ticket.addresses.push_back(address.to_string());
  for (const TicketHost& host : parsed->hosts) ticket.hosts.push_back(text_of(host));
  for (const ::godwit::TicketRendezvous& each : parsed->rendezvous) {
    ticket.rendezvous.push_back({.address = each.address.to_string(), .public_key = each.key.to_hex()});
  }
  return ticket;
}

Result<std::string> format_ticket(const Ticket& ticket) {
  const auto key = PublicKey::from_hex(ticket.public_key);
  if (!key) return wrong("'" + ticket.public_key + "' is no public key");
  ::godwit::Ticket plain{.key = *key, .requires_extended = ticket.requires_extended};
  for (const std::string& text : ticket.addresses) {
    const auto address = SocketAddress::parse(text);
    if (!address) return wrong("'" + text + "' is no address");
    plain.addresses.push_back(*address);
  }
  for (const std::string& text : ticket.hosts) {
    auto host = parse_host(text);
    if (!host) return wrong("'" + text + "' is no host with a port");
    plain.hosts.push_back(std::move(*host));
  }
  for (const TicketRendezvous& each : ticket.rendezvous) {
    const auto address = SocketAddress::parse(each.address);
    const auto their_key = PublicKey::from_hex(each.public_key);
    if (!address || !their_key) return wrong("'" + each.address + "' is no rendezvous with its key");
    plain.rendezvous.push_back({.key = *their_key, .address = *address});
  }
  auto text = ::godwit::format_ticket(plain);
  if (!text) return to_public(text.error());
  return std::move(*text);
}

}  // namespace godwit::v1
