// `godwit peers`: names for tickets, which stand wherever a ticket does.

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/json_output.h"
#include "cli/network_options.h"
#include "cli/peer_book.h"
#include "cli/ticket_output.h"
#include "cli/values.h"
#include "ticket/ticket.h"

namespace godwit::cli {
namespace {

struct PeersOptions {
  OutputOptions output;
  std::string name;
  std::string peer;
  std::string key;
};

int usage(const Error& error) {
  print_error(error.message);
  return kUsage;
}

Result<PeerBook> load_book() {
  const auto path = PeerBook::default_path();
  return path ? PeerBook::load(*path) : Result<PeerBook>(std::unexpected(path.error()));
}

// The ticket itself, or one that says what was given instead.
Result<std::string> ticket_of(const PeersOptions& options) {
  if (looks_like_ticket(options.peer)) {
    if (!options.key.empty()) return failure(ErrorCode::kInvalidArgument, "a ticket has the key already");
    const auto parsed = parse_ticket(options.peer);
    if (!parsed) return std::unexpected(parsed.error());
    return format_ticket(*parsed);
  }
  // HEX@ADDR:PORT, as --via takes it, or ADDR:PORT and the key behind it.
  const auto at = options.peer.find('@');
  const bool in_one = at != std::string::npos && options.key.empty();
  const std::string address = in_one ? options.peer.substr(at + 1) : options.peer;
  const auto key = PublicKey::from_hex(in_one ? options.peer.substr(0, at) : options.key);
  if (!key) {
    return failure(ErrorCode::kInvalidArgument,
                   "'" + options.peer + "' is neither a ticket nor HEX@ADDR:PORT, and no public key stands behind it");
  }
  Ticket ticket{.key = *key};
  if (!add_advertised(ticket, address)) {
    return failure(ErrorCode::kInvalidArgument, "'" + address + "' is no ADDR:PORT");
  }
  return format_ticket(ticket);
}

int run_add(const PeersOptions& options) {
  if (!is_peer_name(options.name)) {
    print_error("a name has 1 to 63 letters, digits, '-' and '_', and begins with a letter");
    return kUsage;
  }
  auto ticket = ticket_of(options);
  if (!ticket) return usage(ticket.error());
  auto book = load_book();
  if (!book) return usage(book.error());
  const bool known = book->find(options.name) != nullptr;
  if (!book->set({.name = options.name, .ticket = std::move(*ticket)})) {
    print_error("there are too many names already");
    return kFailure;
  }
  if (const Status saved = book->save(); !saved) {
    print_error(saved.error().message);
    return kFailure;
  }
  print_line((known ? "changed " : "added ") + options.name);
  return kSuccess;
}

int run_remove(const PeersOptions& options) {
  auto book = load_book();
  if (!book) return usage(book.error());
  if (!book->remove(options.name)) {
    print_error("there is no peer named '" + printable_text(options.name, 80) + "'");
    return kFailure;
  }
  if (const Status saved = book->save(); !saved) {
    print_error(saved.error().message);
    return kFailure;
  }
  print_line("removed " + options.name);
  return kSuccess;
}

std::vector<std::string> ways_of(const Ticket& ticket) {
  std::vector<std::string> ways;
  for (const SocketAddress& address : ticket.addresses) ways.push_back(address.to_string());
  for (const TicketHost& host : ticket.hosts) ways.push_back(host.name + ":" + std::to_string(host.port));
  return ways;
}

int run_list(const PeersOptions& options) {
  const auto book = load_book();
  if (!book) return usage(book.error());
  measure::Json peers = measure::Json::array();
  for (const KnownPeer& peer : book->peers()) {
    const auto ticket = parse_ticket(peer.ticket);
    const std::vector<std::string> ways = ticket ? ways_of(*ticket) : std::vector<std::string>();
    peers.push_back({{"name", peer.name},
                     {"ticket", printable_text(peer.ticket, 1100)},
                     {"public_key", ticket ? measure::Json(ticket->key.to_hex()) : measure::Json()},
                     {"addresses", ways},
                     {"problem", ticket ? measure::Json() : measure::Json(ticket.error().message)}});
    if (options.output.json) continue;
    std::string line = peer.name;
    if (ticket) {
      line += "  " + ticket->key.to_hex();
      for (const std::string& way : ways) line += "  " + way;
    } else {
      line += "  unusable: " + ticket.error().message;
    }
    print_line(line);
  }
  const bool written =
      write_json({{"schema", "godwit-peers"}, {"schema_version", 1}, {"peers", std::move(peers)}}, options.output);
  return written ? kSuccess : kFailure;
}

}  // namespace

void add_peers_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<PeersOptions>();
  CLI::App* const command = app.add_subcommand("peers", "Keeps names for tickets, to be used wherever a ticket is");
  command->require_subcommand(1);
  CLI::App* const add = command->add_subcommand("add", "Gives a ticket a name, or a name another ticket");
  add->add_option("NAME", options->name, "letters, digits, '-' and '_'")->required();
  add->add_option("PEER", options->peer, "a ticket, HEX@ADDR:PORT, or ADDR:PORT with the key behind it")->required();
  add->add_option("KEY", options->key, "the peer's public key, where PEER is an address")->check(check_public_key());
  add->callback([options, &exit_code] { exit_code = run_add(*options); });
  CLI::App* const list = command->add_subcommand("list", "Prints all names, with their keys and addresses");
  add_output_options(*list, options->output);
  list->callback([options, &exit_code] { exit_code = run_list(*options); });
  CLI::App* const remove = command->add_subcommand("remove", "Forgets a name");
  remove->add_option("NAME", options->name, "the name")->required();
  remove->callback([options, &exit_code] { exit_code = run_remove(*options); });
}

}  // namespace godwit::cli
