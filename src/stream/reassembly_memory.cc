#include "stream/reassembly_memory.h"

#include <cstring>
#include <utility>

#include "base/poison.h"

namespace godwit {

ReassemblyMemory::~ReassemblyMemory() {
  if (delivered_ != nullptr && !retired_.empty()) delivered_->remove(*this);
}

std::optional<std::uint32_t> ReassemblyMemory::store(ByteView payload) {
  if (payload.size() > kSlotPayload) return std::nullopt;
  if (reorder_bytes() + sizeof(Slot) > limits_.reorder_bytes) return std::nullopt;
  if (free_ == kNone) {
    // Not value-initialised: bytes of a slot are written before they are read.
    blocks_.push_back(std::make_unique_for_overwrite<Block>());
    const auto first = static_cast<std::uint32_t>((blocks_.size() - 1) * kSlotsPerBlock);
    for (std::uint32_t i = kSlotsPerBlock; i-- > 0;) {
      at(first + i).next_free = std::exchange(free_, first + i);
      poison(at(first + i).bytes.data(), kSlotPayload);
    }
  }
  const std::uint32_t slot = free_;
  Slot& entry = at(slot);
  free_ = entry.next_free;
  ++used_;
  used_since_trim_ = true;
  entry.size = static_cast<std::uint32_t>(payload.size());
  unpoison(entry.bytes.data(), payload.size());
  if (!payload.empty()) std::memcpy(entry.bytes.data(), payload.data(), payload.size());
  return slot;
}

ByteView ReassemblyMemory::view(std::uint32_t slot) const {
  const Slot& entry = at(slot);
  return {entry.bytes.data(), entry.size};
}

void ReassemblyMemory::release(std::uint32_t slot) {
  poison(at(slot).bytes.data(), at(slot).size);
  at(slot).next_free = std::exchange(free_, slot);
  --used_;
}

void ReassemblyMemory::release_retired_slots() {
  for (const std::uint32_t slot : retired_) release(slot);
  retired_.clear();
}

bool ReassemblyMemory::charge_index(std::uint64_t bytes) {
  if (reorder_bytes() + bytes > limits_.reorder_bytes) return false;
  index_bytes_ += bytes;
  return true;
}

void ReassemblyMemory::trim() {
  if (used_ == 0 && !used_since_trim_) {
    blocks_ = std::vector<std::unique_ptr<Block>>();
    retired_ = std::vector<std::uint32_t>();
    free_ = kNone;
  }
  used_since_trim_ = false;
}

}  // namespace godwit
