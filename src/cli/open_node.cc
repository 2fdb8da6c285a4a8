// From options to a node that is open (open_node.h): the key, the peer and the rendezvous that is asked where it is,
// the socket's address, the records and who may look at it.
#include "cli/open_node.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/key_file.h"
#include "cli/peer_target.h"
#include "cli/values.h"
#include "cli/via.h"
#include "runtime/resolve.h"
#include "transfer/credit_window.h"
#include "wire/limits.h"
#include "wire/printable.h"

namespace godwit::cli {
namespace {

// Connections to a client that others begin.
constexpr std::size_t kMostIncoming = 8;

enum class Role : std::uint8_t { kClient, kServer };

Result<LoadedKey> load_keys(const NetworkOptions& options, Role role) {
  SystemRandom random;
  const KeyFileTrust trust = options.insecure_key ? KeyFileTrust::kAnybody : KeyFileTrust::kOwnerOnly;
  // A server that had another key each time could not be found again.
  auto loaded = role == Role::kClient ? load_or_make_key(options.key_file, random, trust)
                                      : load_or_create_key(options.key_file, random, trust);
  // Not found is the peer's name alone: exit_code_of() tells them apart.
  if (!loaded) return failure(ErrorCode::kInvalidArgument, loaded.error().message);
  if (loaded->created) print_note("godwit: made a new key in " + loaded->path.string());
  if (!loaded->ephemeral_because.empty()) {
    print_note("godwit: with a key for this time only: " + loaded->ephemeral_because);
  }
  return loaded;
}

Status check_cipher(const NetworkOptions& options, const NodeConfig& config) {
  if (!config.endpoint.cipher || cipher_available(*config.endpoint.cipher)) return {};
  return failure(ErrorCode::kUnsupported, "the cipher " + options.cipher + " is not available on this machine");
}

// The node, and who may look at it from outside, over the records that there are.
Status start_node(OpenedNode& opened, const NetworkOptions& options, NodeConfig config, KeyPair keys,
                  trace::CostSink* cost) {
  config.endpoint.key_log = opened.records->key_log();
  auto node = Node::open(config, std::move(keys), opened.records->sink(), cost);
  if (!node) return std::unexpected(node.error());
  opened.node = std::move(*node);
  auto observation = observe(options.observation, *opened.node);
  if (!observation) return std::unexpected(observation.error());
  opened.observation = std::move(*observation);
  return {};
}

// The node with what may look at it.
Result<OpenedNode> open_observed(const NetworkOptions& options, NodeConfig config, KeyPair keys,
                                 trace::CostSink* cost) {
  OpenedNode opened;
  auto records = Records::open(options.records);
  if (!records) return std::unexpected(records.error());
  opened.records = std::move(*records);
  if (const Status done = start_node(opened, options, std::move(config), std::move(keys), cost); !done) {
    return std::unexpected(done.error());
  }
  return opened;
}

SocketAddress client_bind(const std::vector<SocketAddress>& addresses) {
  const auto ipv6 = static_cast<std::size_t>(std::ranges::count_if(addresses, &SocketAddress::is_ipv6));
  if (ipv6 == 0) return SocketAddress::ipv4({}, 0);
  return ipv6 == addresses.size() ? SocketAddress::ipv6({}, 0) : SocketAddress();
}

// With the rendezvous of --via, which is asked first.
Result<PeerTarget> find_target(const PeerOptions& peer) {
  if (const Status possible = check_code(peer.code, peer.via); !possible) return std::unexpected(possible.error());
  if (!peer.given()) {
    return failure(ErrorCode::kInvalidArgument,
                   "--to is required: it names the peer, unless --new-code or --code does");
  }
  if (peer.code.given()) {
    if (!peer.to.empty() || !peer.key.empty()) {
      return failure(ErrorCode::kInvalidArgument,
                     "a one-time code names the peer: --to and --peer-key would name another");
    }
    auto place = parse_via(peer.via);
    if (!place) return std::unexpected(place.error());
    return PeerTarget{.addresses = {}, .key = {}, .rendezvous = {std::move(*place)}, .code = peer.code};
  }
  if (peer.via.empty()) return find_peer(peer.to, peer.key);
  auto place = parse_via(peer.via);
  if (!place) return std::unexpected(place.error());
  const auto bare = PublicKey::from_hex(peer.to);
  auto target = bare ? Result<PeerTarget>(PeerTarget{.addresses = {}, .key = *bare, .rendezvous = {}})
                     : find_peer(peer.to, peer.key);
  if (target) target->rendezvous.insert(target->rendezvous.begin(), std::move(*place));
  return target;
}

// Every address that the socket is to reach.
std::vector<SocketAddress> all_addresses(const PeerTarget& target) {
  std::vector<SocketAddress> all = target.addresses;
  for (const RendezvousPlace& place : target.rendezvous) {
    all.insert(all.end(), place.addresses.begin(), place.addresses.end());
  }
  return all;
}

// Whether the peer, as the rendezvous sees it, has another port than on its own addresses: its translation does not
// keep ports, and may well choose another one for each destination.
bool changes_ports(const PeerTarget& target) {
  if (target.addresses.empty()) return false;
  const SocketAddress& seen = target.addresses.front();
  bool changes = false;
  for (const SocketAddress& each : target.addresses) {
    const auto same_host = [&each](const SocketAddress& other) { return each.is_same_host(other); };
    // A relay's ports are the rendezvous's.
    const bool relayed = std::ranges::any_of(target.rendezvous, [&](const RendezvousPlace& place) {
      return std::ranges::any_of(place.addresses, same_host);
    });
    if (same_host(seen) || relayed || each.is_ipv4() != seen.is_ipv4()) continue;
    if (each.port() == seen.port()) return false;
    changes = true;
  }
  return changes;
}

// Asks the rendezvous over the node. A peer that can only be met where it connects from is let in: the node makes place
// for one on the same port that accepts connections. Whoever is to be answered has to know this side's key; what a
// stranger begins all the same is nobody's business.
Status ask_over(OpenedNode& opened, const NetworkOptions& options, NodeConfig config, KeyPair keys,
                trace::CostSink* cost, PeerTarget& target) {
  if (const Status asked = ask_rendezvous(*opened.node, target); !asked || !changes_ports(target)) return asked;
  // A session that begins at the relay meets the peer there by itself.
  if (target.paths.relay && target.paths.pause > Duration::zero()) return {};
  config.socket.bind = opened.node->local_address();
  config.endpoint.accept_incoming = true;
  config.endpoint.max_connections = kMostIncoming;
  opened.observation.reset();
  opened.node.reset();
  if (const Status done = start_node(opened, options, std::move(config), std::move(keys), cost); !done) return done;
  opened.node->endpoint().know_paths(opened.node->now(), target.key, target.paths);
  return {};
}

}  // namespace

Status check_rendezvous(const NodeConfig& config, bool asks) {
  if (!asks || config.endpoint.handshake.extended != ExtendedPolicy::kOff) return {};
  return failure(ErrorCode::kInvalidArgument, "a rendezvous has extended sessions alone, and --extended is off");
}

Result<OpenedNode> open_client(const NetworkOptions& options, const PeerOptions& peer, NodeConfig config,
                               trace::CostSink* cost) {
  if (const Status usable = check_cipher(options, config); !usable) return std::unexpected(usable.error());
  auto target = find_target(peer);
  if (!target) return std::unexpected(target.error());
  const bool asks = !target->rendezvous.empty();
  if (const Status possible = check_rendezvous(config, asks); !possible) return std::unexpected(possible.error());
  std::vector<SocketAddress>* const addresses = &target->addresses;
  if (target->requires_extended) config.endpoint.handshake.extended = ExtendedPolicy::kRequire;
  if (peer.ipv4 || peer.ipv6) {
    std::erase_if(*addresses, [&](const SocketAddress& address) { return address.is_ipv4() != peer.ipv4; });
    if (addresses->empty() && !asks) {
      return failure(ErrorCode::kNotFound, "'" + peer.to + "' has no " + (peer.ipv4 ? "IPv4" : "IPv6") + " address");
    }
  }
  // This back end has one peer for good.
  if (config.backend == BackendKind::kConnected && addresses->size() > 1) {
    print_note(fmt::format("godwit: the back end 'connected' has one peer: of {} addresses of '{}' it tries {} alone",
                           addresses->size(), printable_text(peer.to, 80), addresses->front().to_string()));
    addresses->resize(1);
  }
  auto keys = load_keys(options, Role::kClient);
  if (!keys) return std::unexpected(keys.error());
  config.endpoint.accept_incoming = false;
  config.endpoint.handshake.require_authenticated_peer = !peer.allow_unauthenticated;
  if (const auto timeout = parse_duration(peer.connect_timeout)) config.endpoint.handshake.connect_timeout = *timeout;
  if (asks) {
    if (config.backend == BackendKind::kConnected) {
      return failure(ErrorCode::kInvalidArgument, "the back end 'connected' has one peer, and a rendezvous is another");
    }
  } else {
    config.backend_config.peer = addresses->front();
  }
  config.socket.bind = client_bind(all_addresses(*target));
  if (!options.bind.empty()) config.socket.bind = *parse_bind(options.bind);
  std::optional<KeyPair> again;  // for the node that may take the first one's place
  if (asks) {
    auto copy = KeyPair::from_secret(keys->keys.secret().bytes());
    if (!copy) return std::unexpected(copy.error());
    again = std::move(*copy);
  }
  auto opened = open_observed(options, config, std::move(keys->keys), cost);
  if (!opened) return opened;
  if (again) {
    const Status asked = ask_over(*opened, options, std::move(config), std::move(*again), cost, *target);
    if (!asked) return std::unexpected(asked.error());
  }
  opened->addresses = std::move(*addresses);
  opened->peer_key = target->key;
  return opened;
}

namespace {

// Completes a server's `config` and loads its keys.
Result<KeyPair> prepare_server(const NetworkOptions& options, NodeConfig& config) {
  if (const Status usable = check_cipher(options, config); !usable) return std::unexpected(usable.error());
  if (config.backend == BackendKind::kConnected) {
    return failure(ErrorCode::kInvalidArgument, "the back end 'connected' is for clients: it has one peer only");
  }
  auto keys = load_keys(options, Role::kServer);
  if (!keys) return std::unexpected(keys.error());
  config.socket.bind = SocketAddress().with_port(wire::kDefaultPort);
  if (!options.bind.empty()) config.socket.bind = *parse_bind(options.bind);
  return std::move(keys->keys);
}

}  // namespace

FlowWindows grant_windows(Node& node, const NetworkOptions& options, std::uint32_t overlapping, bool by_hand) {
  const FlowWindows windows =
      transfer_windows(node.backend().socket().receive_buffer_bytes(), overlapping, options.window_bytes(), by_hand);
  node.endpoint().set_flow_windows(windows);
  return windows;
}

Result<OpenedNode> open_server(const NetworkOptions& options, NodeConfig config, trace::CostSink* cost) {
  auto keys = prepare_server(options, config);
  if (!keys) return std::unexpected(keys.error());
  return open_observed(options, std::move(config), std::move(*keys), cost);
}

Result<OpenedNode> open_unlisted(const NetworkOptions& options, NodeConfig config,
                                 const std::vector<SocketAddress>& peers) {
  auto keys = load_keys(options, Role::kClient);
  if (!keys) return std::unexpected(keys.error());
  config.socket.bind = options.bind.empty() ? client_bind(peers) : *parse_bind(options.bind);
  return open_observed(options, config, std::move(keys->keys), nullptr);
}

Result<OpenedShards> open_shards(const NetworkOptions& options, NodeConfig config, std::size_t count) {
  if (const char* const option = options.records.single_threaded()) {
    return failure(ErrorCode::kInvalidArgument, std::string(option) + " is for one shard (--shards 1)");
  }
  auto keys = prepare_server(options, config);
  if (!keys) return std::unexpected(keys.error());
  auto records = Records::open(options.records);
  if (!records) return std::unexpected(records.error());
  config.endpoint.key_log = (*records)->key_log();
  auto shards = Shards::open(config, *keys, {.count = count, .pin_threads = true});
  if (!shards) return std::unexpected(shards.error());
  OpenedShards opened{.records = std::move(*records), .shards = std::move(*shards), .observation = nullptr};
  auto observation = observe(options.observation, *opened.shards);
  if (!observation) return std::unexpected(observation.error());
  opened.observation = std::move(*observation);
  return opened;
}

int exit_code_of(const Error& error) {
  if (error.code == ErrorCode::kClosed) return kInterrupted;
  return error.code == ErrorCode::kNotFound ? kUnreachable : kUsage;
}

void print_listening(const Node& node, const OutputOptions& output, const TicketOptions& ticket,
                     bool requires_extended) {
  const auto print = output.json ? print_note : print_line;
  print("listening on " + node.local_address().to_string());
  print("public key " + node.endpoint().public_key().to_hex());
  if (!ticket.wanted()) return;
  const auto made = make_ticket(node, ticket, requires_extended);
  const auto text = made ? format_ticket(*made) : Result<std::string>(std::unexpected(made.error()));
  if (!text) return print_warning("no ticket: " + text.error().message);
  print("ticket " + *text);
  if (!ticket.qr) return;
  auto picture = draw_qr_code(*text);
  if (!picture) return print_warning("no QR code: " + picture.error().message);
  while (!picture->empty()) {
    const std::size_t end = picture->find('\n');
    print(picture->substr(0, end));
    picture->erase(0, end + 1);
  }
}

}  // namespace godwit::cli
