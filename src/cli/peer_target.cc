#include "cli/peer_target.h"

#include <utility>

#include "cli/peer_book.h"
#include "runtime/connector.h"
#include "runtime/resolve.h"
#include "ticket/ticket.h"

namespace godwit::cli {
namespace {

Result<PeerTarget> from_ticket(const std::string& text, const std::string& key) {
  const auto ticket = parse_ticket(text);
  if (!ticket) return std::unexpected(ticket.error());
  if (!key.empty() && PublicKey::from_hex(key) != ticket->key) {
    return failure(ErrorCode::kInvalidArgument, "the ticket is of another peer than --peer-key names");
  }
  PeerTarget target{.addresses = ticket->addresses,
                    .key = ticket->key,
                    .requires_extended = ticket->requires_extended,
                    .rendezvous = {}};
  Error lookup{.code = ErrorCode::kUnsupported, .message = "the ticket has no direct address"};
  for (const TicketHost& host : ticket->hosts) {
    const auto found = resolve_peer(host.name + ":" + std::to_string(host.port));
    if (!found) lookup = found.error();
    if (found) target.addresses.insert(target.addresses.end(), found->begin(), found->end());
  }
  for (const TicketRendezvous& each : ticket->rendezvous) {
    target.rendezvous.push_back({.key = each.key, .addresses = {each.address}});
  }
  if (target.addresses.empty() && target.rendezvous.empty()) return std::unexpected(lookup);
  target.addresses = interleave_families(target.addresses);
  return target;
}

Result<PeerTarget> from_name(const std::string& name) {
  const Error unknown{
      .code = ErrorCode::kInvalidArgument,
      .message = "--peer-key is missing, and '" + name + "' is neither a ticket nor a name that 'godwit peers' knows"};
  if (!is_peer_name(name)) return std::unexpected(unknown);
  const auto path = PeerBook::default_path();
  if (!path) return std::unexpected(unknown);
  const auto book = PeerBook::load(*path);
  if (!book) return std::unexpected(book.error());
  const std::string* const ticket = book->find(name);
  return ticket == nullptr ? Result<PeerTarget>(std::unexpected(unknown)) : from_ticket(*ticket, "");
}

}  // namespace

Result<PeerTarget> find_peer(const std::string& to, const std::string& key) {
  if (looks_like_ticket(to)) return from_ticket(to, key);
  if (key.empty()) return from_name(to);
  auto addresses = resolve_peer(to);
  if (!addresses) return std::unexpected(addresses.error());
  const auto parsed = PublicKey::from_hex(key);
  if (!parsed) return failure(ErrorCode::kInvalidArgument, "'" + key + "' is not a public key");
  return PeerTarget{.addresses = std::move(*addresses), .key = *parsed, .rendezvous = {}};
}

}  // namespace godwit::cli
