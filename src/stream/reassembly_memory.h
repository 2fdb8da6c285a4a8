// All memory that inbound streams of one connection hold, under two bounds: fragments that arrived before their turn,
// with the indices that find them, and the buffers of streams delivered whole. Charged on arrival; what a peer declares
// costs nothing. Fragments lie in pooled slots of one size, so that nothing allocates once the pool has grown.
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
#include "wire/limits.h"

namespace godwit {

struct ReassemblyLimits {
  // Fragments out of order and their indices. What Recovery sends beyond a lost packet (RecoveryConfig::span_limit)
  // fits: a fragment refused for want of room is sent again, and refused again, until the connection stands still.
  std::uint64_t reorder_bytes = 96 * 1024 * 1024;
  // Buffers of incomplete streams (DeliveryMode::kWhole). The deployed charge: who keeps to that is never refused.
  std::uint64_t buffer_bytes = wire::kDeployedMaxChargedBytes;
};

class ReassemblyMemory {
 public:
  // The largest payload of a datagram that is accepted.
  static constexpr std::size_t kSlotPayload = wire::kMaxReceivedPlaintext - wire::kFragmentOverhead;

  // `delivered`, where given, releases retired slots (DeliveredMemory); without it the owner calls release_retired().
  explicit ReassemblyMemory(ReassemblyLimits limits, DeliveredMemory* delivered = nullptr)
      : limits_(limits), delivered_(delivered) {}
  ~ReassemblyMemory();
  ReassemblyMemory(const ReassemblyMemory&) = delete;
  ReassemblyMemory& operator=(const ReassemblyMemory&) = delete;

  // --- Slots ---
  // Copies a payload. Nothing when the bound is reached, or it is longer than kSlotPayload.
  [[nodiscard]] std::optional<std::uint32_t> store(ByteView payload);
  [[nodiscard]] ByteView view(std::uint32_t slot) const;
  void release(std::uint32_t slot);
  // Its view has been handed out: released by the next release_retired().
  void retire(std::uint32_t slot) {
    if (retired_.empty() && delivered_ != nullptr) delivered_->add(*this);
    retired_.push_back(slot);
  }
  void release_retired() {
    if (!retired_.empty()) release_retired_slots();
  }

  // --- Bytes held elsewhere ---
  [[nodiscard]] bool charge_index(std::uint64_t bytes);
  void refund_index(std::uint64_t bytes) { index_bytes_ -= bytes; }
  [[nodiscard]] std::uint64_t buffer_room() const { return limits_.buffer_bytes - buffer_bytes_; }
  // Requires bytes <= buffer_room().
  void charge_buffer(std::uint64_t bytes) { buffer_bytes_ += bytes; }
  void refund_buffer(std::uint64_t bytes) { buffer_bytes_ -= bytes; }

  // Frees the pool when no slot is in use and none has been since the last call.
  void trim();
  [[nodiscard]] bool holds_memory() const { return !blocks_.empty(); }

  [[nodiscard]] std::uint64_t reorder_bytes() const { return slot_bytes(used_) + index_bytes_; }
  [[nodiscard]] std::uint64_t buffer_bytes() const { return buffer_bytes_; }
  // What is allocated for slots, in use or not.
  [[nodiscard]] std::uint64_t pool_bytes() const { return slot_bytes(blocks_.size() * kSlotsPerBlock); }

 private:
  static constexpr std::size_t kSlotsPerBlock = 32;
  static constexpr std::uint32_t kNone = 0xffffffff;
  struct Slot {
    std::uint32_t size;
    std::uint32_t next_free;
    std::array<std::uint8_t, kSlotPayload> bytes;
  };
  using Block = std::array<Slot, kSlotsPerBlock>;

  void release_retired_slots();
  [[nodiscard]] static std::uint64_t slot_bytes(std::size_t slots) { return slots * sizeof(Slot); }
  [[nodiscard]] Slot& at(std::uint32_t slot) const { return (*blocks_[slot / kSlotsPerBlock])[slot % kSlotsPerBlock]; }

  ReassemblyLimits limits_;
  DeliveredMemory* delivered_;
  std::vector<std::unique_ptr<Block>> blocks_;
  std::vector<std::uint32_t> retired_;
  std::uint32_t free_ = kNone;
  std::size_t used_ = 0;
  bool used_since_trim_ = false;
  std::uint64_t index_bytes_ = 0;
  std::uint64_t buffer_bytes_ = 0;
};

}  // namespace godwit
