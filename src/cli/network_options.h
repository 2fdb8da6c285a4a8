// The options that every command with a socket shares, in one place, and how they become a NodeConfig. How that becomes
// an open Node stands in open_node.h.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/code_options.h"
#include "cli/observation.h"
#include "cli/records.h"
#include "cli/ticket_output.h"
#include "runtime/node.h"

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

}  // namespace godwit::cli
