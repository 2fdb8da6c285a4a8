// All memory that inbound streams of one connection hold: fragments that arrived before their turn, with the indices
// that find them, and the buffers of streams delivered whole. Charged on arrival, to bounds of the connection and to
// one that all connections share; what a peer declares costs nothing. Fragments lie in pooled slots, so that nothing
// allocates once the pool has grown. Slots come in sizes a factor of at most 1.5 apart, and a pool grows by a quarter
// at a time, so that what is allocated stays proportional to what the peer has sent, even if that is one byte a packet.
// Owned by RecvStreams.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "stream/delivered_memory.h"
#include "stream/reassembly_budget.h"
#include "wire/limits.h"

namespace godwit {

struct ReassemblyLimits {
  // Fragments out of order and their indices, as allocated. What Recovery sends beyond a lost packet
  // (RecoveryConfig::span_limit) fits: a fragment refused for want of room is sent again, and refused again, until the
  // connection stands still.
  std::uint64_t reorder_bytes = 96 * 1024 * 1024;
  // Buffers of incomplete streams (DeliveryMode::kWhole). The deployed charge: who keeps to that is never refused.
  std::uint64_t buffer_bytes = wire::kDeployedMaxChargedBytes;
};

class ReassemblyMemory {
 public:
  // The largest payload of a datagram that is accepted.
  static constexpr std::size_t kSlotPayload = wire::kMaxReceivedPlaintext - wire::kFragmentOverhead;

  explicit ReassemblyMemory(ReassemblyLimits limits, ReassemblyShared shared = {});
  ~ReassemblyMemory();
  ReassemblyMemory(const ReassemblyMemory&) = delete;
  ReassemblyMemory& operator=(const ReassemblyMemory&) = delete;

  // --- Slots ---
  // Copies a payload. Nothing when a bound is reached, or it is longer than kSlotPayload.
  [[nodiscard]] std::optional<std::uint32_t> store(ByteView payload);
  [[nodiscard]] ByteView view(std::uint32_t slot) const;
  void release(std::uint32_t slot);
  // Its view has been handed out: released by the next release_retired().
  void retire(std::uint32_t slot) {
    note_retired();
    retired_.push_back(slot);
  }
  // The views of retired slots, and retired buffers, are no longer used.
  void release_retired();

  // --- Bytes held elsewhere ---
  [[nodiscard]] bool charge_index(std::uint64_t bytes);
  void refund_index(std::uint64_t bytes);
  // How many bytes charge_buffer() would take.
  [[nodiscard]] std::uint64_t buffer_room() const;
  // Requires bytes <= buffer_room().
  void charge_buffer(std::uint64_t bytes);
  void refund_buffer(std::uint64_t bytes);
  // A buffer has been handed out; until release_retired() it waits in an event and still counts as held.
  void retire_buffer(std::uint64_t bytes);
  // A buffer was refused for want of shared room rather than of the connection's own.
  void note_buffer_refused();
  // The tables of the owner, which have bounds of their own, now take so much.
  void set_table_bytes(std::uint64_t bytes);

  // Frees the pool when no slot is in use and none has been since the last call.
  void trim();
  [[nodiscard]] bool holds_memory() const { return pools_ != nullptr; }
  [[nodiscard]] std::uint64_t hash_key() const { return shared_.hash_key; }

  // Slots in use and indices.
  [[nodiscard]] std::uint64_t reorder_bytes() const { return used_bytes_ + index_bytes_; }
  [[nodiscard]] std::uint64_t buffer_bytes() const { return buffer_bytes_; }
  // What is allocated for slots, in use or not.
  [[nodiscard]] std::uint64_t pool_bytes() const { return pool_bytes_; }
  // All that is allocated, as charged to the shared budget.
  [[nodiscard]] std::uint64_t held_bytes() const {
    return pool_bytes_ + index_bytes_ + buffer_bytes_ + retired_buffer_bytes_ + table_bytes_;
  }

 private:
  static constexpr std::uint32_t kNone = 0xffffffff;
  struct Slot {
    std::uint32_t size;  // of the payload, which follows
    std::uint32_t next_free;
  };
  // Sizes of slots, header included. A fragment of a full datagram takes one of 1152, the largest that is accepted one
  // of 1440.
  static constexpr std::array<std::uint16_t, 11> kStrides{64, 96, 128, 192, 256, 384, 512, 704, 928, 1152, 1440};
  static_assert(kStrides.back() >= kSlotPayload + sizeof(Slot));
  static constexpr std::uint32_t kIndexBits = 28;  // of a slot's number; the others name its pool

  struct Pool {
    std::vector<std::unique_ptr<std::uint8_t[]>> blocks;
    std::uint32_t slots = 0;     // allocated
    std::uint32_t free = kNone;  // the first of a list
  };
  using Pools = std::array<Pool, kStrides.size()>;

  [[nodiscard]] static std::size_t pool_for(std::size_t payload);
  [[nodiscard]] Slot* at(std::uint32_t slot) const;
  [[nodiscard]] static std::uint8_t* payload_of(Slot* slot) { return reinterpret_cast<std::uint8_t*>(slot + 1); }
  [[nodiscard]] bool grow(std::size_t pool);
  [[nodiscard]] bool may_reorder(std::uint64_t bytes);
  void free_pools();
  void note_retired();

  ReassemblyLimits limits_;
  ReassemblyShared shared_;
  std::unique_ptr<Pools> pools_;  // from the first fragment out of order on
  std::vector<std::uint32_t> retired_;
  bool registered_ = false;  // at shared_.delivered, since something was retired
  bool used_since_trim_ = false;
  std::size_t used_ = 0;
  std::uint64_t used_bytes_ = 0;
  std::uint64_t pool_bytes_ = 0;
  std::uint64_t index_bytes_ = 0;
  std::uint64_t buffer_bytes_ = 0;
  std::uint64_t retired_buffer_bytes_ = 0;
  std::uint64_t table_bytes_ = 0;
};

}  // namespace godwit
