// The options that every command with a socket shares, in one place, and how they become a NodeConfig and an open Node.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/code_options.h"
#include "cli/key_file.h"
#include "cli/observation.h"
#include "cli/records.h"
#include "cli/ticket_output.h"
#include "runtime/node.h"
#include "runtime/shards.h"

namespace godwit::cli {

// What --cipher takes: "auto" and all implementations, those that this machine lacks among them.
[[nodiscard]] std::vector<std::string> cipher_names();

struct NetworkOptions {
  std::string bind;  // empty: the command's own default
  std::string key_file;
  bool insecure_key = false;
  std::string backend = "auto";
  std::string cipher = "auto";
  std::string congestion{to_string(Config{}.congestion)};
  std::string extended = "auto";
  std::uint16_t max_datagram = HandshakeConfig{}.largest_datagram;
  std::string ecn = "on";
  std::string rate;
  std::string idle = "spin-block";
  std::size_t threads = NodeConfig{}.threads;
  std::string receive_buffer;
  std::string send_buffer;
  std::string window;
  std::string idle_timeout;
  std::string drop;
  std::string reorder;
  std::string duplicate;
  std::string corrupt;
  std::string delay;
  std::uint64_t fault_seed = 1;
  std::optional<std::uint64_t> soft_packet_limit;
  RecordOptions records;
  ObservationOptions observation;

  [[nodiscard]] std::optional<Bandwidth> rate_limit() const;
  [[nodiscard]] std::optional<std::uint64_t> window_bytes() const;
  [[nodiscard]] std::optional<CongestionKind> congestion_kind() const { return parse_congestion_kind(congestion); }
};

// Which peer a client talks to (peer_target.h).
struct PeerOptions {
  std::string to;
  std::string key;
  bool allow_unauthenticated = false;
  bool ipv4 = false;  // addresses of this family only
  bool ipv6 = false;
  std::string connect_timeout;
  std::string via;  // a rendezvous to ask, or nothing
  CodeOptions code;

  // Whether it says at all which peer is meant.
  [[nodiscard]] bool given() const { return !to.empty() || code.given(); }
};

struct OutputOptions {
  bool json = false;
  std::string json_file;
};

void add_network_options(CLI::App& app, NetworkOptions& options);
void add_peer_options(CLI::App& app, PeerOptions& options);
void add_output_options(CLI::App& app, OutputOptions& options);

// Everything of `options` but addresses and keys. The data path is set for two Godwits: streams in chunks.
[[nodiscard]] NodeConfig make_node_config(const NetworkOptions& options);

// An error where a rendezvous is to be asked, whose sessions are extended ones, and `config` has none.
[[nodiscard]] Status check_rendezvous(const NodeConfig& config, bool asks);

struct OpenedNode {
  std::unique_ptr<Records> records;  // of the node
  std::unique_ptr<Node> node;
  std::unique_ptr<Observation> observation;  // by others, of the node; null: none
  std::vector<SocketAddress> addresses;      // clients: of the peer, in order of preference
  PublicKey peer_key;
};
// Loads the key, binds and opens. A client's socket has the family of the peer's addresses (both where there are both),
// an ephemeral port and accepts nobody; it needs no key file.
[[nodiscard]] Result<OpenedNode> open_client(const NetworkOptions& options, const PeerOptions& peer, NodeConfig config,
                                             trace::CostSink* cost = nullptr);
[[nodiscard]] Result<OpenedNode> open_server(const NetworkOptions& options, NodeConfig config,
                                             trace::CostSink* cost = nullptr);
// What the node grants the streams of extended sessions, after its socket's buffer and --window (transfer_windows() in
// transfer/credit_window.h); before the first connection.
FlowWindows grant_windows(Node& node, const NetworkOptions& options, std::uint32_t overlapping, bool by_hand);
// With a client's key, on --bind or on a port that the system chooses, of the families that `peers` have; accepts
// incoming connections.
[[nodiscard]] Result<OpenedNode> open_unlisted(const NetworkOptions& options, NodeConfig config,
                                               const std::vector<SocketAddress>& peers);
struct OpenedShards {
  std::unique_ptr<Records> records;
  std::unique_ptr<Shards> shards;
  std::unique_ptr<Observation> observation;
};
// The same on `count` shards (runtime/shards.h); 0: one for each processor. Of records a key log alone.
[[nodiscard]] Result<OpenedShards> open_shards(const NetworkOptions& options, NodeConfig config, std::size_t count);

// What a command ends with whose node could not be opened: nobody knows the peer's name, a signal came while a
// rendezvous was asked, or the arguments are unusable.
[[nodiscard]] int exit_code_of(const Error& error);

// The two lines that every listening command begins with: `listening on ADDR:PORT` and `public key HEX`; on standard
// error when standard output is for JSON. And `ticket WORD`, and its QR code, where they are asked for.
void print_listening(const Node& node, const OutputOptions& output, const TicketOptions& ticket,
                     bool requires_extended);

}  // namespace godwit::cli
