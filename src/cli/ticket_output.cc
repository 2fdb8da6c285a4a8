#include "cli/ticket_output.h"

#include <ifaddrs.h>
#include <net/if.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "cli/via.h"
#include "udp/sockaddr.h"

#if GODWIT_WITH_QRENCODE
#include <qrencode.h>
#endif

namespace godwit::cli {
namespace {

// Of this machine's own: more make a word that nobody wants to pass on.
constexpr std::size_t kMostInterfaceAddresses = 6;

bool is_private(const SocketAddress& address) {
  const auto& octets = address.octets();
  if (address.is_ipv6()) return (octets[0] & 0xfe) == 0xfc;
  return octets[0] == 10 || (octets[0] == 172 && (octets[1] & 0xf0) == 16) || (octets[0] == 192 && octets[1] == 168) ||
         (octets[0] == 100 && (octets[1] & 0xc0) == 64) || (octets[0] == 169 && octets[1] == 254);
}

bool is_loopback(const SocketAddress& address) {
  return address.is_ipv4()
             ? address.octets()[0] == 127
             : address == SocketAddress::ipv6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, address.port());
}

// Where others are most likely to reach it first: public, private, this machine alone.
int rank(const SocketAddress& address) {
  return is_loopback(address) ? 2 : is_private(address) ? 1 : 0;
}

std::vector<SocketAddress> interface_addresses(std::uint16_t port, bool ipv4_alone) {
  std::vector<SocketAddress> addresses;
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return addresses;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(first, ::freeifaddrs);
  for (const ifaddrs* entry = first; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || (entry->ifa_flags & IFF_UP) == 0) continue;
    const int family = entry->ifa_addr->sa_family;
    if (family != AF_INET && (family != AF_INET6 || ipv4_alone)) continue;
    const auto size = static_cast<socklen_t>(family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    const auto address = from_kernel(entry->ifa_addr, size);
    if (address && !address->is_link_local()) addresses.push_back(address->with_port(port));
  }
  std::ranges::stable_sort(addresses, {}, rank);
  const bool any_other = !addresses.empty() && rank(addresses.front()) < 2;
  if (any_other) std::erase_if(addresses, is_loopback);
  if (addresses.size() > kMostInterfaceAddresses) addresses.resize(kMostInterfaceAddresses);
  return addresses;
}

std::string check_advertised(const std::string& text) {
  Ticket ticket;
  if (add_advertised(ticket, text) && format_ticket(ticket)) return {};
  return "'" + text + "' is nothing that a ticket could name (ADDR:PORT or NAME:PORT)";
}

}  // namespace

bool add_advertised(Ticket& ticket, const std::string& text) {
  if (const auto address = SocketAddress::parse(text)) {
    ticket.addresses.push_back(*address);
    return true;
  }
  const std::size_t colon = text.rfind(':');
  const std::string port = colon == std::string::npos ? "" : text.substr(colon + 1);
  const bool number = !port.empty() && port.size() <= 5 && port.find_first_not_of("0123456789") == std::string::npos;
  const unsigned long value = number ? std::stoul(port) : 0;
  if (value == 0 || value > UINT16_MAX) return false;
  ticket.hosts.push_back({.name = text.substr(0, colon), .port = static_cast<std::uint16_t>(value)});
  return true;
}

void add_ticket_options(CLI::App& app, TicketOptions& options) {
  app.add_flag("--ticket", options.ticket, "print a ticket too: all that others need to connect, in one word");
  app.add_flag("--qr", options.qr, "print the ticket as a QR code as well");
  app.add_option("--advertise", options.advertise, "an address or name for the ticket, as of a forwarded port")
      ->allow_extra_args(false)
      ->check(CLI::Validator(check_advertised, ""))
      ->type_name("ADDR:PORT");
}

std::vector<SocketAddress> reachable_addresses(const Node& node) {
  const SocketAddress& local = node.local_address();
  return local.is_wildcard() ? interface_addresses(local.port(), local.is_ipv4()) : std::vector<SocketAddress>{local};
}

Result<Ticket> make_ticket(const Node& node, const TicketOptions& options, bool requires_extended) {
  Ticket ticket{.key = node.endpoint().public_key(), .requires_extended = requires_extended};
  for (const std::string& text : options.advertise) {
    static_cast<void>(add_advertised(ticket, text));  // has been checked
  }
  if (!options.via.empty()) {
    const auto place = parse_via(options.via);
    if (!place) return std::unexpected(place.error());
    ticket.rendezvous.push_back({.key = place->key, .address = place->addresses.front()});
  }
  const std::vector<SocketAddress> own = reachable_addresses(node);
  for (const SocketAddress& address : own) {
    if (ticket.addresses.size() < Ticket::kMaxAddresses && !address.is_link_local())
      ticket.addresses.push_back(address);
  }
  return ticket;
}

#if GODWIT_WITH_QRENCODE

Result<std::string> draw_qr_code(std::string_view text) {
  // In capitals, which take fewer bits than letters of either case.
  std::string capitals(text);
  std::ranges::transform(capitals, capitals.begin(), [](char letter) {
    return letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
  });
  const std::unique_ptr<QRcode, void (*)(QRcode*)> code(
      ::QRcode_encodeString(capitals.c_str(), 0, QR_ECLEVEL_L, QR_MODE_8, 1), ::QRcode_free);
  if (code == nullptr) return failure(ErrorCode::kTooLarge, "the ticket fits no QR code");
  constexpr int kMargin = 2;
  const int width = code->width;
  const auto light = [&](int x, int y) {
    if (x < 0 || y < 0 || x >= width || y >= width) return true;
    return (code->data[y * width + x] & 1) == 0;
  };
  std::string picture;
  for (int y = -kMargin; y < width + kMargin; y += 2) {
    for (int x = -kMargin; x < width + kMargin; ++x) {
      const bool above = light(x, y);
      const bool below = y + 1 < width + kMargin && light(x, y + 1);
      picture += above && below ? "█" : above ? "▀" : below ? "▄" : " ";
    }
    picture += '\n';
  }
  return picture;
}

#else

Result<std::string> draw_qr_code(std::string_view) {
  return failure(ErrorCode::kUnsupported, "this program was built without libqrencode, and draws no QR codes");
}

#endif

}  // namespace godwit::cli
