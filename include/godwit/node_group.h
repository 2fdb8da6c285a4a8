// Several Nodes on one port, one for each core. Every peer belongs to one of them by its address, and all its datagrams
// come there; the Nodes share nothing, so that each core works for itself. Handlers and posted calls run on the thread
// of their shard, with its Node; connection ids are unique within a shard only.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "godwit/node.h"
#include "godwit/types.h"

#pragma GCC visibility push(default)
namespace godwit::v1 {

// How a group works. Members are only added, as in Options.
struct NodeGroupOptions {
  // Of this structure as the program was compiled; not to be set.
  std::size_t size = sizeof(NodeGroupOptions);
  // 0: one for each processor. At most 64.
  std::size_t shards = 0;
  // Each shard's thread to a processor of its own.
  bool pin_threads = false;
  // As Options::trace: called on the thread of the shard that the record is of, by several threads at once; for the
  // first record of each shard on the thread that calls open(). The records of one shard are a trace of their own,
  // whose connection numbers mean nothing in another one's. Empty: no traces.
  std::function<void(std::size_t shard, std::string_view record)> trace = {};
  // Of each shard. endpoint_bits_per_second is divided among them, max_inbound_bytes is a bound for all together, and
  // max_connections holds for each. Its functions are called by several threads at once.
  NodeOptions node = {};
};

// Sums over all shards. The library makes it, and adds members at the end alone.
struct GroupStatistics {
  std::vector<std::size_t> connections;  // open, by shard
  // Counted since the start: connections that were established and that ended, what the sockets moved, and datagrams
  // that the kernel dropped for want of buffer.
  std::uint64_t connections_opened = 0;
  std::uint64_t connections_closed = 0;
  std::uint64_t datagrams_sent = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t datagrams_received = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t kernel_drops = 0;
  // Datagrams that reached another shard's socket and were passed on, and those for which there was no room.
  std::uint64_t forwarded_datagrams = 0;
  std::uint64_t refused_datagrams = 0;
  // Peers that were closed because Options::admit_key refused their key.
  std::uint64_t unadmitted_peers = 0;
};

// One Node for each of several threads, all on one port.
class NodeGroup {
 public:
  // Called on the thread of the shard that the event happened on.
  using Handler = std::function<void(Node&, const Event&)>;

  // Errors: those of Node::open, and kInvalidArgument for too many shards, the back end "connected" or Options::trace.
  [[nodiscard]] static Result<std::unique_ptr<NodeGroup>> open(const NodeGroupOptions& options, const SecretKey& key);
  // After run() has returned. Closes all sockets.
  ~NodeGroup();
  NodeGroup(const NodeGroup&) = delete;
  NodeGroup& operator=(const NodeGroup&) = delete;

  // The number of shards, retired ones included; the address and the public key that all of them share.
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::string local_address() const;
  [[nodiscard]] std::string public_key() const;
  // The shard that a peer belongs to. Node::connect() of another one refuses it.
  [[nodiscard]] Result<std::size_t> shard_of(std::string_view address) const;

  // Calls `handler` for every shard's events, each on its own thread, until stop().
  void run(const Handler& handler);

  // Ends run(). This and what follows may be called from any thread, also before run().
  void stop();
  // Connects on the shard that the peer belongs to; `then` gets that shard and the connection. kWouldBlock when too
  // many calls wait.
  [[nodiscard]] Result<void> connect(std::string_view address, std::string_view public_key,
                                     std::function<void(Node&, Result<ConnectionId>)> then);
  // Closes all connections; run() returns when every peer has answered, or `longest` after this call. Without effect
  // unless run() runs. kWouldBlock when too many calls wait for a shard.
  [[nodiscard]] Result<void> shut_down(Duration longest, std::string_view text = {});
  // Runs `call` on the shard's thread. False when the shard has ended or too many wait.
  [[nodiscard]] bool post(std::size_t shard, std::function<void(Node&)> call);
  // Closes one shard with its connections; its peers belong to the others from now on. False for the last one.
  [[nodiscard]] bool retire(std::size_t shard, std::string_view text = {});
  // Asks every shard and calls `then`, on the thread of the last one that answers.
  void collect(std::function<void(const GroupStatistics&)> then) const;
  // The same for Node::metrics(): sums over the shards, without single connections.
  void collect_metrics(std::function<void(std::string text)> then) const;

 private:
  class __attribute__((visibility("hidden"))) Implementation;
  __attribute__((visibility("hidden"))) explicit NodeGroup(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace godwit::v1
#pragma GCC visibility pop
