// Several Nodes on one port, one for each core: every peer belongs to one of them by its address, all its datagrams
// reach that one, and the Nodes share nothing else (docs/adr/0005-shards.md). Whoever connects, connects on the peer's
// own shard: shard_of() names it, Node::connect() refuses on another. Connection ids are unique within a shard only.
//
// Either run() drives all shards, a thread each, or the owner turns node(i) itself. stop(), retire(), post() and
// collect() may be called from any thread while shards run.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "crypto/keypair.h"
#include "runtime/node.h"
#include "runtime/shard_link.h"

namespace godwit {

struct ShardOptions {
  std::size_t count = 0;     // 0: one for each processor
  bool pin_threads = false;  // run(): each shard's thread to a processor of its own
  // Asked once for each shard in open(): the sink of its events, which outlives the Shards and is called on the shard's
  // thread. Empty: no traces.
  std::function<trace::Sink*(std::size_t shard)> trace;
};

// Sums over all shards, those that have ended included.
struct ShardsStatistics {
  std::vector<std::size_t> connections;  // open, by shard
  EndpointStatistics endpoint;
  BackendStatistics backend;
  NodeStatistics node;
  ShardLinkStatistics link;

  [[nodiscard]] std::size_t open_connections() const;
};

class Shards {
 public:
  static constexpr std::size_t kMaxShards = PortSteering::kMaxSlots;

  // Config::endpoint_rate_limit is divided among the shards, and reassembly_bytes is one bound for all of them: half is
  // divided, half lent to whom it serves. max_connections and the limits of admission hold for each shard.
  // Errors: those of Node::open; kInvalidArgument for more than kMaxShards or the back end `connected`; kUnsupported
  // when the kernel has no SO_REUSEPORT. A kernel that takes no steering program costs forwarding, not the group:
  // steering_error() says why.
  [[nodiscard]] static Result<std::unique_ptr<Shards>> open(const NodeConfig& config, const KeyPair& keys,
                                                            const ShardOptions& options);
  ~Shards();
  Shards(const Shards&) = delete;
  Shards& operator=(const Shards&) = delete;

  [[nodiscard]] std::size_t size() const { return shards_.size(); }
  // Null when the shard has been retired and has ended.
  [[nodiscard]] Node* node(std::size_t shard);
  [[nodiscard]] SocketAddress local_address() const { return local_address_; }
  [[nodiscard]] std::size_t shard_of(const SocketAddress& remote) const { return map_.owner(remote); }
  // Of the latest change of the group. To be read while no shard runs.
  [[nodiscard]] const Status& steering_error() const { return steering_error_; }

  // Makes a handler for each shard (called on this thread), runs every shard on a thread of its own and returns when
  // all have ended.
  using MakeHandler = std::function<std::unique_ptr<Node::Handler>(std::size_t shard)>;
  void run(const MakeHandler& make_handler);
  void stop() noexcept;

  // Runs `call` on the shard's thread. False when the shard has ended or too many calls wait.
  [[nodiscard]] bool post(std::size_t shard, std::function<void(Node&)> call);
  // It was retired, and its last words have left.
  [[nodiscard]] bool has_ended(std::size_t shard) const;
  // Closes one shard: its connections are closed, its peers belong to the others from now on, and when the last words
  // have left its socket closes. False for the last one, or one that is retired already.
  bool retire(std::size_t shard, std::string_view text);
  // Of a retired shard that is not driven by run(): ends it once it has no connections, or `force`. True when it has
  // ended.
  bool finish_retirement(std::size_t shard, bool force);

  // Asks every shard; the last one that answers calls `then` on its thread. At once when none runs.
  void collect(std::function<void(const ShardsStatistics&)> then);
  // The same, of shards that do not run at the moment.
  [[nodiscard]] ShardsStatistics statistics() const;

 private:
  struct Shard;
  struct Collection;

  Shards(std::uint64_t seed, std::size_t count, const ShardOptions& options);
  void steer();
  void run_shard(Shard& shard, Node::Handler& handler);
  void forward(Shard& from, const DatagramBatch& batch);
  static void add(ShardsStatistics& sum, const Shard& shard);

  // Lent to the shards, on their threads.
  class SharedReassembly final : public ReassemblyPool {
   public:
    void set(std::uint64_t bytes) { left_ = bytes; }
    std::uint64_t take(std::uint64_t bytes) override;
    void give_back(std::uint64_t bytes) override { left_.fetch_add(bytes, std::memory_order_relaxed); }

   private:
    std::atomic<std::uint64_t> left_ = 0;
  };

  ShardOptions options_;
  ShardMap map_;
  SharedReassembly reassembly_;
  SocketAddress local_address_;
  Status steering_error_;
  std::vector<std::unique_ptr<Shard>> shards_;
  mutable std::mutex mutex_;            // of what follows, and of the life of the shards' nodes
  std::vector<std::size_t> positions_;  // shards in the order of the kernel's list of sockets
  ShardsStatistics ended_;
  std::size_t running_ = 0;
};

}  // namespace godwit
