// Tickets of the C interface (include/godwit/godwit_c.h).

#include <algorithm>
#include <cstring>
#include <iterator>
#include <string>
#include <vector>

#include "api/c_api_support.h"
#include "godwit/ticket.h"

namespace godwit::v1::c_api {
namespace {

// A program may have forgotten the zero.
template <std::size_t kSize>
std::string text_of(const char (&from)[kSize]) {
  return {from, ::strnlen(from, kSize)};
}

godwit_ticket c_ticket(const Ticket& ticket) {
  godwit_ticket result{};
  result.size = sizeof result;
  copy_text(ticket.public_key, result.public_key);
  result.requires_extended = ticket.requires_extended;
  // Never more than a ticket may have.
  result.addresses_count = static_cast<std::uint32_t>(ticket.addresses.size());
  for (std::size_t i = 0; i < ticket.addresses.size(); ++i) copy_text(ticket.addresses[i], result.addresses[i]);
  result.hosts_count = static_cast<std::uint32_t>(ticket.hosts.size());
  for (std::size_t i = 0; i < ticket.hosts.size(); ++i) copy_text(ticket.hosts[i], result.hosts[i]);
  result.rendezvous_count = static_cast<std::uint32_t>(ticket.rendezvous.size());
  for (std::size_t i = 0; i < ticket.rendezvous.size(); ++i) {
    copy_text(ticket.rendezvous[i].address, result.rendezvous_addresses[i]);
    copy_text(ticket.rendezvous[i].public_key, result.rendezvous_keys[i]);
  }
  return result;
}

}  // namespace

Result<Ticket> to_ticket(const godwit_ticket& given) {
  // A program may have been compiled for a shorter one.
  godwit_ticket ticket{};
  std::memcpy(static_cast<void*>(&ticket), &given, std::min(given.size, sizeof ticket));
  if (ticket.addresses_count > std::size(ticket.addresses) || ticket.hosts_count > std::size(ticket.hosts) ||
      ticket.rendezvous_count > std::size(ticket.rendezvous_keys)) {
    return std::unexpected(Error{.code = ErrorCode::kTooLarge, .message = "more than a ticket has"});
  }
  Ticket result{.public_key = text_of(ticket.public_key), .requires_extended = ticket.requires_extended};
  for (std::uint32_t i = 0; i < ticket.addresses_count; ++i) result.addresses.push_back(text_of(ticket.addresses[i]));
  for (std::uint32_t i = 0; i < ticket.hosts_count; ++i) result.hosts.push_back(text_of(ticket.hosts[i]));
  for (std::uint32_t i = 0; i < ticket.rendezvous_count; ++i) {
    result.rendezvous.push_back(
        {.address = text_of(ticket.rendezvous_addresses[i]), .public_key = text_of(ticket.rendezvous_keys[i])});
  }
  return result;
}

}  // namespace godwit::v1::c_api

using namespace godwit::v1;
using namespace godwit::v1::c_api;

godwit_status godwit_ticket_parse(const char* text, godwit_ticket* ticket) {
  return guarded([&] {
    const auto parsed = parse_ticket(text);
    if (!parsed) return fail(parsed.error());
    write_known_part(c_ticket(*parsed), ticket);
    return GODWIT_OK;
  });
}

godwit_status godwit_ticket_format(const godwit_ticket* ticket, char* text, size_t capacity) {
  return guarded([&] {
    const auto plain = to_ticket(*ticket);
    if (!plain) return fail(plain.error());
    const auto formatted = format_ticket(*plain);
    if (!formatted) return fail(formatted.error());
    return copy_text(*formatted, text, capacity);
  });
}
