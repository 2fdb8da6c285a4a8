#include "ticket/ticket.h"

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "ticket/bech32.h"

namespace godwit {
namespace {

constexpr std::string_view kName = "godwit";
constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kFlagExtended = 1;
constexpr std::size_t kFixedBytes = 1 + kPublicKeySize;

constexpr std::uint8_t kIpv4 = 1;
constexpr std::uint8_t kIpv6 = 2;
constexpr std::uint8_t kHost = 3;
constexpr std::uint8_t kRendezvous = 4;
// Without understanding an element of such a type nobody can use the ticket.
constexpr std::uint8_t kEssentialBit = 0x80;

constexpr std::size_t kIpv4Bytes = 4 + 2;
constexpr std::size_t kIpv6Bytes = 16 + 2;
constexpr std::size_t kLongestName = 253;

std::unexpected<Error> wrong(std::string text) {
  return failure(ErrorCode::kInvalidArgument, std::move(text));
}

bool is_name(std::string_view name) {
  if (name.empty() || name.size() > kLongestName) return false;
  return std::ranges::all_of(name, [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9') ||
           letter == '.' || letter == '-' || letter == '_';
  });
}

// Whether it means the same on another machine.
bool is_address_for_others(const SocketAddress& address) {
  return address.is_specified() && !address.is_wildcard() && !address.is_multicast() && !address.is_link_local() &&
         address.port() != 0;
}

void put_port(std::vector<std::uint8_t>& bytes, std::uint16_t port) {
  bytes.push_back(static_cast<std::uint8_t>(port >> 8));
  bytes.push_back(static_cast<std::uint8_t>(port));
}

std::uint16_t get_port(ByteView bytes) {
  return static_cast<std::uint16_t>(bytes[0] << 8 | bytes[1]);
}

void put_address(std::vector<std::uint8_t>& bytes, const SocketAddress& address) {
  const auto count = static_cast<std::ptrdiff_t>(address.is_ipv4() ? 4 : 16);
  bytes.insert(bytes.end(), address.octets().begin(), address.octets().begin() + count);
  put_port(bytes, address.port());
}

// Of kIpv4Bytes or kIpv6Bytes; nothing for what no peer can have.
std::optional<SocketAddress> get_address(ByteView bytes) {
  SocketAddress address;
  if (bytes.size() == kIpv4Bytes) {
    std::array<std::uint8_t, 4> octets{};
    std::copy_n(bytes.begin(), octets.size(), octets.begin());
    address = SocketAddress::ipv4(octets, get_port(bytes.last(2)));
  } else if (bytes.size() == kIpv6Bytes) {
    std::array<std::uint8_t, 16> octets{};
    std::copy_n(bytes.begin(), octets.size(), octets.begin());
    address = SocketAddress::ipv6(octets, get_port(bytes.last(2)));
    // A mapped address has a spelling of its own.
    if (!address.is_ipv6()) return std::nullopt;
  }
  return is_address_for_others(address) ? std::optional(address) : std::nullopt;
}

void put_element(std::vector<std::uint8_t>& bytes, std::uint8_t type, const std::vector<std::uint8_t>& value) {
  bytes.push_back(type);
  bytes.push_back(static_cast<std::uint8_t>(value.size()));
  bytes.insert(bytes.end(), value.begin(), value.end());
}

// Adds one element to the ticket. Errors: what is wrong with it.
Status take_element(Ticket& ticket, std::uint8_t type, ByteView value) {
  switch (type) {
    case kIpv4:
    case kIpv6: {
      const auto address = get_address(value);
      if (!address || address->is_ipv4() != (type == kIpv4)) return wrong("the ticket has an address that is none");
      ticket.addresses.push_back(*address);
      return {};
    }
    case kHost: {
      if (value.size() < 3) return wrong("the ticket has a host that is none");
      const ByteView name = value.subspan(2);
      TicketHost host{.name = std::string(name.begin(), name.end()), .port = get_port(value.first(2))};
      if (!is_name(host.name) || host.port == 0) return wrong("the ticket has a host that is none");
      ticket.hosts.push_back(std::move(host));
      return {};
    }
    case kRendezvous: {
      if (value.size() < kPublicKeySize) return wrong("the ticket has a rendezvous that is none");
      const auto address = get_address(value.subspan(kPublicKeySize));
      if (!address) return wrong("the ticket has a rendezvous that is none");
      ticket.rendezvous.push_back({.key = PublicKey(value.first<kPublicKeySize>()), .address = *address});
      return {};
    }
    default: break;
  }
  if ((type & kEssentialBit) == 0) return {};
  return failure(ErrorCode::kUnsupported, "the ticket needs something that this version of Godwit does not know");
}

Status check_counts(const Ticket& ticket) {
  if (ticket.addresses.size() > Ticket::kMaxAddresses || ticket.hosts.size() > Ticket::kMaxHosts ||
      ticket.rendezvous.size() > Ticket::kMaxRendezvous) {
    return failure(ErrorCode::kTooLarge, "a ticket has at most 16 addresses, 4 hosts and 4 rendezvous");
  }
  if (ticket.addresses.empty() && ticket.hosts.empty() && ticket.rendezvous.empty()) {
    return wrong("the ticket names no way to its peer");
  }
  return {};
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::unexpected<Error> describe(const DecodedBech32& decoded) {
  switch (*decoded.error) {
    case Bech32Error::kLetter:
      return wrong("letter " + std::to_string(decoded.place + 1) + " of the ticket is one that no ticket has");
    case Bech32Error::kShort: return wrong("the ticket is cut short");
    case Bech32Error::kChecksum: return wrong("the ticket is mistyped or cut short: its checksum does not fit");
    case Bech32Error::kNotOne: break;
  }
  return wrong("this is not a ticket: one begins with godwit1");
}

}  // namespace

bool looks_like_ticket(std::string_view text) {
  text = trimmed(text);
  if (text.size() < kTicketPrefix.size()) return false;
  return std::ranges::equal(text.substr(0, kTicketPrefix.size()), kTicketPrefix, [](char typed, char meant) {
    return typed == meant || (typed >= 'A' && typed <= 'Z' && typed - 'A' + 'a' == meant);
  });
}

Result<Ticket> parse_ticket(std::string_view text) {
  const DecodedBech32 decoded = decode_bech32(kName, trimmed(text));
  if (decoded.error) return describe(decoded);
  if (decoded.values.empty()) return wrong("the ticket is empty");
  // The checksum is the same for all versions, so that a later one is told from a mistake.
  if (decoded.values.front() > kVersion) {
    return failure(ErrorCode::kUnsupported, "the ticket is of a later version of Godwit than this one");
  }
  if (decoded.values.front() < kVersion) return wrong("the ticket has a version that never was");
  const auto bytes = from_five_bits(decoded.values.data() + 1, decoded.values.size() - 1);
  if (!bytes || bytes->size() < kFixedBytes) return wrong("the ticket has no key");
  Ticket ticket;
  ByteView rest(*bytes);
  ticket.requires_extended = (rest[0] & kFlagExtended) != 0;
  ticket.key = PublicKey(rest.subspan<1, kPublicKeySize>());
  rest = rest.subspan(kFixedBytes);
  while (!rest.empty()) {
    if (rest.size() < 2 || rest.size() - 2 < rest[1]) return wrong("the ticket has an element that is cut short");
    if (Status taken = take_element(ticket, rest[0], rest.subspan(2, rest[1])); !taken) {
      return std::unexpected(taken.error());
    }
    rest = rest.subspan(std::size_t{2} + rest[1]);
  }
  if (Status fine = check_counts(ticket); !fine) return wrong(std::move(fine.error().message));
  return ticket;
}

Result<std::string> format_ticket(const Ticket& ticket) {
  if (Status fine = check_counts(ticket); !fine) return std::unexpected(fine.error());
  std::vector<std::uint8_t> bytes = {ticket.requires_extended ? kFlagExtended : std::uint8_t{0}};
  bytes.insert(bytes.end(), ticket.key.bytes().begin(), ticket.key.bytes().end());
  for (const SocketAddress& address : ticket.addresses) {
    if (!is_address_for_others(address)) return wrong(address.to_string() + " is no address for a ticket");
    std::vector<std::uint8_t> value;
    put_address(value, address);
    put_element(bytes, address.is_ipv4() ? kIpv4 : kIpv6, value);
  }
  for (const TicketHost& host : ticket.hosts) {
    if (!is_name(host.name) || host.port == 0) return wrong("'" + host.name + "' is no host for a ticket");
    std::vector<std::uint8_t> value;
    put_port(value, host.port);
    value.insert(value.end(), host.name.begin(), host.name.end());
    if (value.size() > UINT8_MAX) return wrong("the name of the host is too long for a ticket");
    put_element(bytes, kHost, value);
  }
  for (const TicketRendezvous& each : ticket.rendezvous) {
    if (!is_address_for_others(each.address)) return wrong(each.address.to_string() + " is no address for a ticket");
    std::vector<std::uint8_t> value(each.key.bytes().begin(), each.key.bytes().end());
    put_address(value, each.address);
    put_element(bytes, kRendezvous, value);
  }
  std::vector<std::uint8_t> values = {kVersion};
  const std::vector<std::uint8_t> rest = to_five_bits(bytes);
  values.insert(values.end(), rest.begin(), rest.end());
  constexpr std::size_t kAround = kTicketPrefix.size() + 6;  // prefix, separator and checksum
  if (values.size() + kAround > kMaxBech32) return failure(ErrorCode::kTooLarge, "the ticket has too many letters");
  return encode_bech32(kName, values);
}

}  // namespace godwit
