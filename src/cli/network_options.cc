// Declares the options of a socket (network_options.h), and reads them into a NodeConfig.
#include "cli/network_options.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "cli/json_output.h"
#include "cli/values.h"
#include "cli/via.h"
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
  add("--key", options.key_file,
      "file of this side's secret key, as of keygen --out; default ~/.config/godwit/key, made on first use")
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

}  // namespace godwit::cli
