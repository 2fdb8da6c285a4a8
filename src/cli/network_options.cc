#include "cli/network_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/json_output.h"
#include "cli/peer_target.h"
#include "cli/values.h"
#include "cli/via.h"
#include "runtime/resolve.h"
#include "transfer/credit_window.h"
#include "wire/limits.h"

namespace godwit::cli {
namespace {

constexpr const char* kNetworkGroup = "Network";
constexpr const char* kFaultGroup = "Faults injected into what this process sends";

// A stream of a transfer may stand still for as long as its receiver's disk needs, and lasts as long as the path takes.
constexpr std::uint64_t kSlowestRate = 16;  // bytes per second
// Two Godwits hand streams on as they arrive: the memory that a deployed receiver charges for them is not used.
constexpr std::uint64_t kMaxStreamCharge = std::uint64_t{64} << 30;
// How late a sender with a rate limit may be without losing rate. With eight processors and more Linux lets a program
// that is ready wait for 24 ms (sched_latency of kernel/sched/fair.c); what is sent after it is within the window
// still.
constexpr Duration kDescheduled = 25ms;

// In the form that CLI11 takes.
std::vector<std::string> words(std::span<const std::string_view> names) {
  return {names.begin(), names.end()};
}

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

}  // namespace

std::vector<std::string> cipher_names() {
  std::vector<std::string> names = {"auto"};
  for (const CipherKind kind : kAllCipherKinds) names.emplace_back(cipher_name(kind));
  return names;
}

std::optional<Bandwidth> NetworkOptions::rate_limit() const {
  return parse_rate(rate);
}
std::optional<std::uint64_t> NetworkOptions::window_bytes() const {
  return parse_size(window);
}

namespace {

void add_fault_options(CLI::App& app, NetworkOptions& options) {
  const auto fault = [&app](const char* name, std::string& value, const char* text) {
    return app.add_option(name, value, text)->group(kFaultGroup);
  };
  fault("--drop", options.drop, "share of datagrams lost (0.01 or 1%)")->check(check_probability())->type_name("P");
  fault("--reorder", options.reorder, "share of datagrams overtaken by later ones")
      ->check(check_probability())
      ->type_name("P");
  fault("--duplicate", options.duplicate, "share of datagrams sent twice")->check(check_probability())->type_name("P");
  fault("--corrupt", options.corrupt, "share of datagrams with a flipped bit")
      ->check(check_probability())
      ->type_name("P");
  fault("--delay", options.delay, "everything leaves this much later (25ms)")
      ->check(check_duration())
      ->type_name("TIME");
  app.add_option("--fault-seed", options.fault_seed, "equal seeds strike equal datagrams")
      ->group(kFaultGroup)
      ->capture_default_str();
}

}  // namespace

void add_network_options(CLI::App& app, NetworkOptions& options) {
  const auto add = [&app](const char* name, auto& value, const char* text) {
    return app.add_option(name, value, text)->group(kNetworkGroup);
  };
  add("--bind", options.bind, "address and port of the socket")->check(check_bind())->type_name("ADDR:PORT");
  add("--key", options.key_file, "file of this side's secret key; default ~/.config/godwit/key, made on first use")
      ->type_name("FILE");
  app.add_flag("--insecure-key", options.insecure_key, "use a key file that others may read or change")
      ->group(kNetworkGroup);
  add("--backend", options.backend, "how datagrams reach the kernel")
      ->check(CLI::IsMember(words(backend_names())))
      ->capture_default_str();
  add("--cipher", options.cipher, "implementation of AES-128-GCM")
      ->check(CLI::IsMember(cipher_names()))
      ->capture_default_str();
  add("--congestion", options.congestion, "congestion controller")
      ->check(CLI::IsMember(words(congestion_names())))
      ->capture_default_str();
  add("--extended", options.extended,
      "extended sessions between two Godwits: forward secrecy, both sides authenticated (docs/extended_sessions.md)")
      ->check(CLI::IsMember({"auto", "require", "off"}))
      ->capture_default_str();
  add("--max-datagram", options.max_datagram,
      "largest datagram of extended sessions, where path and peer carry it; 1200: none is larger")
      ->check(CLI::Range(wire::kMaxDatagram, wire::kMaxLargeDatagram))
      ->type_name("BYTES")
      ->capture_default_str();
  add("--ecn", options.ecn, "explicit congestion notification in extended sessions, where path and peer carry it")
      ->check(CLI::IsMember({"on", "off"}))
      ->capture_default_str();
  add("--rate", options.rate, "most application bits per second (100M); the rate itself with --congestion fixed")
      ->check(check_rate())
      ->type_name("BITS");
  add("--idle", options.idle, "what the loop does without work: block, poll through pauses below 50 us, spin")
      ->check(CLI::IsMember({"block", "spin-block", "spin"}))
      ->capture_default_str();
  add("--threads", options.threads, "threads that seal and send, the loop's included; 1: the loop alone")
      ->check(CLI::Range(std::size_t{1}, TransmitWorkers::kMostThreads))
      ->type_name("COUNT")
      ->capture_default_str();
  add("--receive-buffer", options.receive_buffer,
      "bytes of the socket's receive buffer; default 16M, as far as granted")
      ->check(check_size())
      ->type_name("SIZE");
  add("--send-buffer", options.send_buffer, "bytes of the socket's send buffer; default 4M")
      ->check(check_size())
      ->type_name("SIZE");
  add("--window", options.window, "credit of each stream to this side; default: after the granted receive buffer")
      ->check(check_size())
      ->type_name("SIZE");
  add("--idle-timeout", options.idle_timeout, "a peer is gone after so long a silence; default 120 s")
      ->check(check_duration())
      ->type_name("TIME");
  add("--soft-packet-limit", options.soft_packet_limit, "packets under one key before the connection is renewed")
      ->group("");
  add_record_options(app, options.records);
  add_observation_options(app, options.observation);
  add_fault_options(app, options);
}

void add_peer_options(CLI::App& app, PeerOptions& options) {
  app.add_option("--to", options.to,
                 "the peer: ADDR:PORT, [ADDR]:PORT or NAME:PORT (default port 31337), a ticket, or a name of `peers`")
      ->type_name("PEER");
  app.add_option("--peer-key", options.key,
                 "the peer's public key, 64 hexadecimal digits, as `listen` prints it; a ticket has it")
      ->check(check_public_key())
      ->type_name("HEX");
  app.add_option("--via", options.via,
                 "ask this rendezvous (HEX@ADDR:PORT, its ticket or its name) where the peer is; --to may be its key")
      ->type_name("RENDEZVOUS");
  add_code_options(app, options.code);
  app.add_flag("--allow-unauthenticated", options.allow_unauthenticated,
               "go on with a peer that does not prove its key (an old one that was given a wrong first key)");
  CLI::Option* const ipv4 = app.add_flag("-4,--ipv4", options.ipv4, "only IPv4 addresses of the peer's name");
  app.add_flag("-6,--ipv6", options.ipv6, "only IPv6 addresses of the peer's name")->excludes(ipv4);
  app.add_option("--connect-timeout", options.connect_timeout, "give up after this long; default 15 s")
      ->check(check_duration())
      ->type_name("TIME");
}

void add_output_options(CLI::App& app, OutputOptions& options) {
  app.add_flag("--json", options.json, "print one JSON object (docs/json.md)");
  app.add_option("--json-file", options.json_file, "write the JSON object to this file as well")
      ->check(check_writable_file())
      ->type_name("FILE");
}

NodeConfig make_node_config(const NetworkOptions& options) {
  NodeConfig config;
  Config& endpoint = config.endpoint;
  endpoint.streams.delivery = DeliveryMode::kChunks;
  endpoint.streams.slowest_rate = kSlowestRate;
  endpoint.send_queue.max_stream_charge = kMaxStreamCharge;
  endpoint.congestion = options.congestion_kind().value_or(endpoint.congestion);
  endpoint.connection_rate_limit = options.rate_limit();
  endpoint.handshake.extended = parse_extended_policy(options.extended).value_or(ExtendedPolicy::kAuto);
  endpoint.handshake.largest_datagram = options.max_datagram;
  if (options.ecn == "off") endpoint.handshake.capabilities &= ~wire::capability::kEcn;
  if (const auto rate = options.rate_limit()) {
    // The controller's rate counts datagrams.
    endpoint.controller.fixed_rate =
        rate->scaled(static_cast<double>(wire::kMaxDatagram) / static_cast<double>(wire::kFragmentPayload));
    endpoint.pacer.lateness = kDescheduled;
  }
  endpoint.cipher = parse_cipher_name(options.cipher);  // nothing for "auto"
  if (options.soft_packet_limit) endpoint.soft_packet_limit = *options.soft_packet_limit;

  if (const auto silence = parse_duration(options.idle_timeout)) endpoint.keepalive.idle_timeout = *silence;

  config.backend = parse_backend_kind(options.backend).value_or(BackendKind::kAuto);
  config.threads = options.threads;
  config.idle = parse_idle_strategy(options.idle).value_or(IdleStrategy::kBlock);
  if (const auto bytes = parse_size(options.receive_buffer)) config.socket.receive_buffer_bytes = *bytes;
  if (const auto bytes = parse_size(options.send_buffer)) config.socket.send_buffer_bytes = *bytes;
  config.faults.drop = parse_probability(options.drop).value_or(0);
  config.faults.reorder = parse_probability(options.reorder).value_or(0);
  config.faults.duplicate = parse_probability(options.duplicate).value_or(0);
  config.faults.corrupt = parse_probability(options.corrupt).value_or(0);
  config.faults.delay = parse_duration(options.delay).value_or(Duration::zero());
  config.faults.seed = options.fault_seed;
  return config;
}

Status check_rendezvous(const NodeConfig& config, bool asks) {
  if (!asks || config.endpoint.handshake.extended != ExtendedPolicy::kOff) return {};
  return failure(ErrorCode::kInvalidArgument, "a rendezvous has extended sessions alone, and --extended is off");
}

namespace {

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

Result<OpenedNode> open_client(const NetworkOptions& options, const PeerOptions& peer, NodeConfig config,
                               trace::CostSink* cost) {
  if (config.endpoint.cipher && !cipher_available(*config.endpoint.cipher)) {
    return failure(ErrorCode::kUnsupported, "the cipher " + options.cipher + " is not available on this machine");
  }
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
  if (config.endpoint.cipher && !cipher_available(*config.endpoint.cipher)) {
    return failure(ErrorCode::kUnsupported, "the cipher " + options.cipher + " is not available on this machine");
  }
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
