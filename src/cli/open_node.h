// Opens what a command works with, from its options (network_options.h): a client's node, a server's, or shards, with
// the records and the observation that were asked for.
#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "cli/network_options.h"
#include "runtime/node.h"
#include "runtime/shards.h"

namespace godwit::cli {

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
