#include "cli/via.h"

#include <utility>

#include "cli/console.h"
#include "cli/ticket_output.h"
#include "runtime/clock.h"
#include "runtime/reachable_addresses.h"
#include "runtime/resolve.h"

namespace godwit::cli {
namespace {

constexpr Duration kClosePacket = 1s;
// For the router: both protocols, one after the other.
constexpr Duration kMappingPatience = 5s;

// Asks one, as a command of its own on the node.
class AskCommand final : public LoopCommand {
 public:
  AskCommand(Node& node, const RendezvousPlace& place, const PeerTarget& target)
      : seeker_(node.endpoint(), place, target.key, reachable_addresses(node.local_address()), true),
        give_up_at_(boot_time_now() + RendezvousSeeker::kPatience) {
    if (target.code.given()) seeker_.meet_by_code(make_exchange(target.code, node, place.key));
  }

  [[nodiscard]] Status start() { return seeker_.start(boot_time_now()); }
  void on_event(Instant now, ConnectionId connection, Event& event) override {
    seeker_.on_event(now, connection, event);
  }
  void on_turn(Instant now) override {
    now_ = now;
    seeker_.on_turn(now);
    if (CodeExchange* const exchange = seeker_.exchange()) {
      announce_code(*exchange);
      // An exchange has its own patience; the question comes after it.
      if (exchange->begun() && !exchange->finished()) give_up_at_ = now + RendezvousSeeker::kPatience;
    }
    if (!stopped_ && (seeker_.answer() || now >= give_up_at_)) {
      stopped_ = true;
      give_up_at_ = now + kClosePacket;
      seeker_.stop(now);
    }
  }
  [[nodiscard]] std::optional<Instant> next_timeout() const override {
    return earliest(seeker_.next_timeout(), give_up_at_);
  }
  // The connection to the rendezvous has ended, so that nothing of it reaches the command that comes next.
  [[nodiscard]] bool done() const override { return stopped_ && (seeker_.finished() || now_ >= give_up_at_); }

  [[nodiscard]] Result<RendezvousFound> answer() const {
    if (seeker_.answer()) return *seeker_.answer();
    return failure(ErrorCode::kNotFound, "the rendezvous does not answer");
  }
  [[nodiscard]] const PublicKey& wanted() const { return seeker_.wanted(); }

 private:
  RendezvousSeeker seeker_;
  Instant give_up_at_;
  Instant now_{};
  bool stopped_ = false;
};

}  // namespace

Result<RendezvousPlace> parse_via(const std::string& text) {
  const std::size_t at = text.find('@');
  auto target = at == std::string::npos ? find_peer(text, "") : find_peer(text.substr(at + 1), text.substr(0, at));
  if (!target) return std::unexpected(target.error());
  return RendezvousPlace{.key = target->key, .addresses = std::move(target->addresses)};
}

void add_via_option(CLI::App& app, TicketOptions& options) {
  app.add_option(
         "--via", options.via,
         "a rendezvous (HEX@ADDR:PORT, its ticket or its name) at which others find this side; part of the ticket")
      ->type_name("RENDEZVOUS");
}

void add_port_mapping_option(CLI::App& app, TicketOptions& options) {
  app.add_option("--port-mapping", options.port_mapping,
                 "auto: have the router pass a public port on to this socket, by PCP, NAT-PMP or UPnP, or by one of "
                 "them alone; part of the ticket")
      ->check(CLI::IsMember({"auto", "pcp", "nat-pmp", "upnp", "off"}))
      ->capture_default_str();
}

std::unique_ptr<PortMapper> map_port(Node& node, TicketOptions& options) {
  const auto way = parse_mapping_way(options.port_mapping);
  if (!way) return nullptr;
  const SocketAddress local = node.local_address();
  if (const auto why = why_not_mapped(local)) {
    print_note("godwit: no port is mapped: " + *why);
    return nullptr;
  }
  auto mapper = std::make_unique<PortMapper>(local.port(), node.random(), [&node] { node.wake(); }, *way);
  mapper->wait(kMappingPatience);
  const auto state = mapper->state();
  if (state && *state) {
    options.mapped = (*state)->address;
    print_note("godwit: the router passes " + (*state)->address.to_string() + " on to here, by " + (*state)->protocol);
  } else {
    print_note("godwit: no port is mapped: " + (state ? state->error().message : "the router has not answered yet"));
  }
  return mapper;
}

FindableCommand::FindableCommand(LoopCommand& command, Node& node, std::optional<RendezvousPlace> place)
    : command_(command), node_(node) {
  if (place) client_.emplace(node.endpoint(), std::move(*place), reachable_addresses(node.local_address()));
}

void FindableCommand::on_event(Instant now, ConnectionId connection, Event& event) {
  if (!client_ || !client_->on_event(now, connection, event)) command_.on_event(now, connection, event);
}

void FindableCommand::watch_port(const PortMapper* mapper, const TicketOptions& options) {
  mapper_ = mapper;
  // The rendezvous is to be told of the first one too; the user has been.
  mapped_ = options.mapped;
}

void FindableCommand::look_at_port(Instant now) {
  port_changes_ = mapper_->changes();
  const auto state = mapper_->state();
  const std::optional<SocketAddress> mapped = state && *state ? std::optional((*state)->address) : std::nullopt;
  if (mapped != mapped_) {
    print_note(mapped ? "godwit: the router passes " + mapped->to_string() + " on to here now"
                      : "godwit: the router passes no port on any more");
    mapped_ = mapped;
  }
  Candidates own = reachable_addresses(node_.local_address());
  if (mapped) own.insert(own.begin(), *mapped);
  if (client_) client_->set_candidates(now, std::move(own));
}

void FindableCommand::on_turn(Instant now) {
  if (mapper_ != nullptr && mapper_->changes() != port_changes_) look_at_port(now);
  if (client_) {
    client_->on_turn(now);
    while (const auto notice = client_->poll_notice()) print_note("godwit: " + *notice);
    if (client_->exchange() != nullptr) look_at_code();
  }
  command_.on_turn(now);
}

void FindableCommand::look_at_code() {
  CodeExchange& exchange = *client_->exchange();
  announce_code(exchange);
  if (exchange.failure() && !failure_) failure_ = exchange.failure();
  if (!exchange.peer() || std::exchange(admitted_, true)) return;
  print_note("godwit: the code was right: the peer is " + exchange.peer()->to_hex());
  command_.on_admitted(*exchange.peer());
}

std::optional<Instant> FindableCommand::next_timeout() const {
  return earliest(client_ ? client_->next_timeout() : std::nullopt, command_.next_timeout());
}

Result<std::unique_ptr<FindableCommand>> make_findable(LoopCommand& command, Node& node, const TicketOptions& options,
                                                       const PortMapper* mapper) {
  if (const Status possible = check_code(options.code, options.via); !possible) {
    return std::unexpected(possible.error());
  }
  std::optional<RendezvousPlace> place;
  if (!options.via.empty()) {
    auto parsed = parse_via(options.via);
    if (!parsed) return std::unexpected(parsed.error());
    place = std::move(*parsed);
  }
  const PublicKey key = place ? place->key : PublicKey();
  auto findable = std::make_unique<FindableCommand>(command, node, std::move(place));
  findable->watch_port(mapper, options);
  if (options.code.given()) findable->meet_by_code(make_exchange(options.code, node, key));
  return findable;
}

Status ask_rendezvous(Node& node, PeerTarget& target) {
  std::optional<Error> problem;
  for (const RendezvousPlace& place : target.rendezvous) {
    AskCommand command(node, place, target);
    if (const Status started = command.start(); !started) {
      problem = started.error();
      continue;
    }
    Loop loop(node, command);
    if (!loop.run()) {
      // Whoever is about to use the code need not wait for nobody.
      loop.close_all("interrupted");
      return failure(ErrorCode::kClosed, "interrupted");
    }
    const auto found = command.answer();
    if (!found) {
      problem = found.error();
      continue;
    }
    target.key = command.wanted();
    target.addresses = ways_to(*found, target.addresses);
    target.paths = paths_of(*found);
    return {};
  }
  if (!problem) return {};
  if (target.addresses.empty()) return std::unexpected(*problem);
  print_note("godwit: " + problem->message + "; trying the addresses that are known");
  return {};
}

}  // namespace godwit::cli
