#include "cli/ticket_output.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "cli/via.h"
#include "runtime/reachable_addresses.h"

#if GODWIT_WITH_QRENCODE
#include <qrencode.h>
#endif

namespace godwit::cli {
namespace {

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

Result<Ticket> make_ticket(const Node& node, const TicketOptions& options, bool requires_extended) {
  Ticket ticket{.key = node.endpoint().public_key(), .requires_extended = requires_extended};
  for (const std::string& text : options.advertise) {
    static_cast<void>(add_advertised(ticket, text));  // has been checked
  }
  if (options.mapped) ticket.addresses.push_back(*options.mapped);
  if (!options.via.empty()) {
    const auto place = parse_via(options.via);
    if (!place) return std::unexpected(place.error());
    ticket.rendezvous.push_back({.key = place->key, .address = place->addresses.front()});
  }
  const std::vector<SocketAddress> own = reachable_addresses(node.local_address());
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
