// `godwit rendezvous`: tells peers their public address, introduces them to one another, and relays for those that find
// no direct way (docs/rendezvous.md).

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "cli/admission_options.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/json_output.h"
#include "cli/loop.h"
#include "cli/open_node.h"
#include "cli/relay_ports.h"
#include "rendezvous/rendezvous_server.h"
#include "runtime/clock.h"
#include "runtime/reachable_addresses.h"
#include "runtime/resolve.h"

namespace godwit::cli {
namespace {

struct RendezvousOptions {
  NetworkOptions network;
  AdmissionOptions admission;
  TicketOptions ticket;
  OutputOptions output;
  std::size_t relay_pairs = 64;
  std::string relay_host;
  std::size_t registrations = RendezvousLimits{}.registrations;
  std::size_t codes = CodeLimits{}.codes;
};

class RendezvousCommand final : public LoopCommand {
 public:
  RendezvousCommand(const RendezvousOptions& options, Node& node, RelaySockets* relay)
      : relay_(relay), server_(node.endpoint(), relay, limits_of(options), admits_of(options)) {}

  void on_event(Instant now, ConnectionId connection, Event& event) override {
    server_.on_event(now, connection, event);
  }
  void on_turn(Instant now) override {
    if (relay_ != nullptr) relay_->on_turn(now);
  }
  [[nodiscard]] std::optional<Instant> next_timeout() const override {
    return relay_ != nullptr ? relay_->next_timeout() : std::nullopt;
  }
  [[nodiscard]] bool done() const override { return false; }

  [[nodiscard]] measure::Json to_json() const {
    const RendezvousStatistics& served = server_.statistics();
    const CodeStatistics& codes = server_.codes().statistics();
    const RelayStatistics relayed = relay_ != nullptr ? relay_->statistics() : RelayStatistics();
    return {{"schema", "godwit-rendezvous"},
            {"schema_version", 1},
            {"registered", served.registered},
            {"introductions", served.introductions},
            {"unknown", served.unknown},
            {"refused", served.refused},
            {"ignored", served.ignored},
            {"codes",
             {{"opened", codes.opened},
              {"joined", codes.joined},
              {"matched", codes.matched},
              {"wrong", codes.wrong},
              {"expired", codes.expired},
              {"unknown", codes.unknown},
              {"refused", codes.refused},
              {"ignored", codes.ignored}}},
            {"relay",
             {{"pairs", relayed.pairs},
              {"datagrams", relayed.datagrams},
              {"bytes", relayed.bytes},
              {"strangers", relayed.strangers},
              {"dropped", relayed.dropped},
              {"held", relayed.held}}}};
  }
  void print_summary() const {
    const RendezvousStatistics& served = server_.statistics();
    print_line(fmt::format("{} registrations, {} introductions, {} relayed", served.registered, served.introductions,
                           relay_ != nullptr ? relay_->statistics().pairs : 0));
  }

 private:
  static RendezvousLimits limits_of(const RendezvousOptions& options) {
    RendezvousLimits limits;
    limits.registrations = options.registrations;
    limits.codes.codes = options.codes;
    return limits;
  }
  static RendezvousServer::Admits admits_of(const RendezvousOptions& options) {
    if (options.admission.anyone) return {};
    return [&options](const PublicKey& key) { return options.admission.allows(key); };
  }

  RelaySockets* relay_;
  RendezvousServer server_;
};

// The address of the relay's ports as peers reach them.
Result<SocketAddress> relay_host(const RendezvousOptions& options, const Node& node) {
  if (!options.relay_host.empty()) {
    const auto found = resolve_peer(options.relay_host + (options.relay_host.contains(':') ? "" : ":1"));
    return found ? Result<SocketAddress>(found->front()) : std::unexpected(found.error());
  }
  const auto own = reachable_addresses(node.local_address());
  if (own.empty()) return failure(ErrorCode::kNotFound, "this machine has no address for the relay: --relay-host");
  return own.front();
}

int run_rendezvous(const RendezvousOptions& options) {
  if (!options.admission.given()) {
    print_error("a rendezvous needs --allow HEX, or --anyone");
    return kUsage;
  }
  NodeConfig config = make_node_config(options.network);
  config.endpoint.handshake.extended = ExtendedPolicy::kRequire;
  auto opened = open_server(options.network, std::move(config));
  if (!opened) {
    print_error(opened.error().message);
    return exit_code_of(opened.error());
  }
  Node& node = *opened->node;
  auto descriptors = DescriptorSet::open(node);
  if (!descriptors) {
    print_error(descriptors.error().message);
    return kFailure;
  }
  std::optional<RelaySockets> relay;
  if (options.relay_pairs > 0) {
    const auto host = relay_host(options, node);
    if (!host) {
      print_error(host.error().message);
      return kUsage;
    }
    relay.emplace(**descriptors, node.local_address(), *host, options.relay_pairs);
  }
  RendezvousCommand command(options, node, relay ? &*relay : nullptr);
  Loop loop(node, command, descriptors->get());
  print_listening(node, options.output, options.ticket, true);
  // A signal is how it ends.
  static_cast<void>(loop.run());
  loop.close_all("the rendezvous ends");
  if (!options.output.json) command.print_summary();
  return write_json(command.to_json(), options.output) ? kSuccess : kFailure;
}

}  // namespace

void add_rendezvous_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<RendezvousOptions>();
  CLI::App* const command =
      app.add_subcommand("rendezvous", "Introduces peers that cannot find each other, and relays for them");
  add_admission_options(*command, options->admission);
  command
      ->add_option("--relay-pairs", options->relay_pairs, "pairs of peers that are relayed for at a time; 0: no relay")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command->add_option("--relay-host", options->relay_host, "address of the relay's ports, where it is another one")
      ->type_name("ADDR");
  command->add_option("--max-registrations", options->registrations, "peers that can be found at a time")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  command->add_option("--max-codes", options->codes, "one-time codes at a time; 0: none")
      ->check(CLI::Range(0, 9999))
      ->capture_default_str();
  add_ticket_options(*command, options->ticket);
  add_output_options(*command, options->output);
  add_network_options(*command, options->network);
  command->remove_option(command->get_option("--extended"));  // there are no others
  command->remove_option(command->get_option("--window"));    // of streams, of which it has none
  command->callback([options, &exit_code] { exit_code = run_rendezvous(*options); });
}

}  // namespace godwit::cli
