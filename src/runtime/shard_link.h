// One shard's way to the others: which peers are its own, and a bounded queue for datagrams of other shards' peers that
// reached this socket. The kernel steers nearly everything (udp/port_steering.h); what it cannot is forwarded here, so
// that a lost program or a closing shard costs time, never a connection. Owned by Shards, used by each Node's thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "base/datagram_batch.h"
#include "udp/port_steering.h"

namespace godwit {

// Who owns which slot of the steering. Read by every shard at every batch, changed when a shard closes.
class ShardMap {
 public:
  ShardMap(std::uint64_t seed, std::size_t shards);

  [[nodiscard]] std::size_t owner(const SocketAddress& remote) const {
    return owner_of_slot_[steering_.slot_of(remote)].load(std::memory_order_relaxed);
  }
  [[nodiscard]] const PortSteering& steering() const { return steering_; }
  [[nodiscard]] std::size_t owner_of_slot(std::size_t slot) const {
    return owner_of_slot_[slot].load(std::memory_order_relaxed);
  }
  void set_owner(std::size_t slot, std::size_t shard) { owner_of_slot_[slot].store(shard, std::memory_order_relaxed); }

 private:
  PortSteering steering_;
  std::vector<std::atomic<std::size_t>> owner_of_slot_;
};

// Copies of batches on their way to one shard. Any thread puts, the shard's own takes.
class ShardMailbox {
 public:
  // What may wait at a time: a few receive calls' worth.
  static constexpr std::size_t kMaxBatches = 256;
  static constexpr std::size_t kMaxBytes = std::size_t{4} << 20;

  struct Parcel {
    DatagramBatch batch;  // its bytes are `bytes`
    std::vector<std::uint8_t> bytes;
  };

  // False when there is no room, or the shard has closed.
  [[nodiscard]] bool put(const DatagramBatch& batch);
  [[nodiscard]] bool any() const { return any_.load(std::memory_order_acquire); }
  // Everything that waits; `parcels` is reused.
  void take(std::vector<Parcel>& parcels);
  void close();

 private:
  std::atomic<bool> any_{false};
  std::mutex mutex_;
  std::vector<Parcel> parcels_;
  std::size_t bytes_ = 0;
  bool closed_ = false;
};

struct ShardLinkStatistics {
  std::uint64_t forwarded_batches = 0;    // reached this shard's socket and were passed on
  std::uint64_t forwarded_datagrams = 0;  // in them
  std::uint64_t refused_datagrams = 0;    // there was no room: lost datagrams to the transport
  std::uint64_t received_batches = 0;     // that others passed on to this shard
};

class ShardLink {
 public:
  virtual ~ShardLink() = default;

  [[nodiscard]] virtual bool owns(const SocketAddress& remote) const = 0;
  // Copies the batch and passes it to its owner. Counted.
  virtual void forward(const DatagramBatch& batch) = 0;
  [[nodiscard]] virtual ShardMailbox& mailbox() = 0;

  ShardLinkStatistics statistics;  // of the shard's thread
};

}  // namespace godwit
