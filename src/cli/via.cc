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

// Asks one, as a command of its own on the node.
class AskCommand final : public LoopCommand {
 public:
  AskCommand(Node& node, const RendezvousPlace& place, const PublicKey& wanted)
      : seeker_(node.endpoint(), place, wanted, reachable_addresses(node.local_address()), true),
        give_up_at_(boot_time_now() + RendezvousSeeker::kPatience) {}

  [[nodiscard]] Status start() { return seeker_.start(boot_time_now()); }
  void on_event(Instant now, ConnectionId connection, Event& event) override {
    seeker_.on_event(now, connection, event);
  }
  void on_turn(Instant now) override {
    now_ = now;
    seeker_.on_turn(now);
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

FindableCommand::FindableCommand(LoopCommand& command, Node& node, std::optional<RendezvousPlace> place)
    : command_(command) {
  if (place) client_.emplace(node.endpoint(), std::move(*place), reachable_addresses(node.local_address()));
}

void FindableCommand::on_event(Instant now, ConnectionId connection, Event& event) {
  if (!client_ || !client_->on_event(now, connection, event)) command_.on_event(now, connection, event);
}

void FindableCommand::on_turn(Instant now) {
  if (client_) {
    client_->on_turn(now);
    while (const auto notice = client_->poll_notice()) print_note("godwit: " + *notice);
  }
  command_.on_turn(now);
}

std::optional<Instant> FindableCommand::next_timeout() const {
  return earliest(client_ ? client_->next_timeout() : std::nullopt, command_.next_timeout());
}

Result<std::unique_ptr<FindableCommand>> make_findable(LoopCommand& command, Node& node, const TicketOptions& options) {
  if (options.via.empty()) return std::make_unique<FindableCommand>(command, node, std::nullopt);
  auto place = parse_via(options.via);
  if (!place) return std::unexpected(place.error());
  return std::make_unique<FindableCommand>(command, node, std::move(*place));
}

Status ask_rendezvous(Node& node, PeerTarget& target) {
  std::optional<Error> problem;
  for (const RendezvousPlace& place : target.rendezvous) {
    AskCommand command(node, place, target.key);
    if (const Status started = command.start(); !started) {
      problem = started.error();
      continue;
    }
    Loop loop(node, command);
    if (!loop.run()) return failure(ErrorCode::kClosed, "interrupted");
    const auto found = command.answer();
    if (!found) {
      problem = found.error();
      continue;
    }
    target.addresses = ways_to(*found, target.addresses);
    return {};
  }
  if (!problem) return {};
  if (target.addresses.empty()) return std::unexpected(*problem);
  print_note("godwit: " + problem->message + "; trying the addresses that are known");
  return {};
}

}  // namespace godwit::cli
