#include "stream/reassembly_memory.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "base/assert.h"
#include "base/poison.h"

namespace godwit {
namespace {

// A pool grows by a block of a quarter of its slots: at least one, at most 32. Where a slot lies follows from that.
constexpr std::uint32_t kSingles = 8;
constexpr std::uint32_t kLargestBlock = 32;
constexpr std::uint32_t kRegular = 4 * kLargestBlock;  // from this slot on blocks have one size

constexpr std::uint32_t block_slots(std::uint32_t first) {
  if (first < kSingles) return 1;
  return first < kRegular ? std::bit_floor(first) / 4 : kLargestBlock;
}

struct Place {
  std::uint32_t block;
  std::uint32_t slot;  // in the block
};

constexpr std::uint32_t doublings_to(std::uint32_t index) {
  return static_cast<std::uint32_t>(std::bit_width(index)) - static_cast<std::uint32_t>(std::bit_width(kSingles));
}

constexpr Place place_of(std::uint32_t index) {
  if (index >= kRegular) {
    constexpr std::uint32_t kBlocksBefore = kSingles + 4 * doublings_to(kRegular);
    return {.block = kBlocksBefore + (index - kRegular) / kLargestBlock, .slot = index % kLargestBlock};
  }
  if (index < kSingles) return {.block = index, .slot = 0};
  const std::uint32_t size = block_slots(index);
  return {.block = kSingles + 4 * doublings_to(index) + index / size - 4, .slot = index % size};
}
static_assert(place_of(8).block == 8 && place_of(9).slot == 1 && place_of(16).block == 12);
static_assert(place_of(127).block == 23 && place_of(127).slot == 15 && place_of(128).block == 24);

}  // namespace

ReassemblyMemory::ReassemblyMemory(ReassemblyLimits limits, ReassemblyShared shared)
    : limits_(limits), shared_(shared) {}

ReassemblyMemory::~ReassemblyMemory() {
  if (registered_) shared_.delivered->remove(*this);
  if (shared_.budget != nullptr) shared_.budget->refund(held_bytes());
}

// --- Slots ---

std::size_t ReassemblyMemory::pool_for(std::size_t payload) {
  const std::size_t needed = payload + sizeof(Slot);
  constexpr std::size_t kFull = kStrides.size() - 2;  // nearly every fragment
  if (needed > kStrides[kFull - 1] && needed <= kStrides[kFull]) [[likely]]
    return kFull;
  return static_cast<std::size_t>(std::ranges::lower_bound(kStrides, needed) - kStrides.begin());
}

ReassemblyMemory::Slot* ReassemblyMemory::at(std::uint32_t slot) const {
  const std::size_t pool = slot >> kIndexBits;
  const Place place = place_of(slot & ((1U << kIndexBits) - 1));
  std::uint8_t* const block = (*pools_)[pool].blocks[place.block].get();
  return reinterpret_cast<Slot*>(block + std::size_t{place.slot} * kStrides[pool]);
}

bool ReassemblyMemory::may_reorder(std::uint64_t bytes) {
  if (pool_bytes_ + index_bytes_ + bytes > limits_.reorder_bytes) return false;
  return shared_.budget == nullptr || shared_.budget->charge(bytes);
}

bool ReassemblyMemory::grow(std::size_t number) {
  if (pools_ == nullptr) {
    if (!may_reorder(sizeof(Pools))) return false;
    pools_ = std::make_unique<Pools>();
    pool_bytes_ += sizeof(Pools);
  }
  Pool& pool = (*pools_)[number];
  const std::uint32_t count = block_slots(pool.slots);
  const std::size_t stride = kStrides[number];
  if (pool.slots + count > 1U << kIndexBits || !may_reorder(count * stride)) return false;
  // Not value-initialised: bytes of a slot are written before they are read.
  pool.blocks.push_back(std::make_unique_for_overwrite<std::uint8_t[]>(count * stride));
  pool_bytes_ += count * stride;
  const std::uint32_t first = static_cast<std::uint32_t>(number) << kIndexBits | pool.slots;
  pool.slots += count;
  for (std::uint32_t i = count; i-- > 0;) {
    std::uint8_t* const bytes = pool.blocks.back().get() + i * stride;
    Slot* const slot = std::construct_at(reinterpret_cast<Slot*>(bytes));
    slot->next_free = std::exchange(pool.free, first + i);
    poison(payload_of(slot), stride - sizeof(Slot));
  }
  return true;
}

std::optional<std::uint32_t> ReassemblyMemory::store(ByteView payload) {
  if (payload.size() > kSlotPayload) return std::nullopt;
  std::size_t number = pool_for(payload.size());
  if (pools_ == nullptr || (*pools_)[number].free == kNone) [[unlikely]] {
    if (!grow(number)) {
      // What is allocated already may serve.
      while (pools_ != nullptr && number < kStrides.size() && (*pools_)[number].free == kNone) ++number;
      if (pools_ == nullptr || number == kStrides.size()) return std::nullopt;
    }
  }
  Pool& pool = (*pools_)[number];
  const std::uint32_t slot = pool.free;
  Slot* const entry = at(slot);
  pool.free = entry->next_free;
  ++used_;
  used_bytes_ += kStrides[number];
  used_since_trim_ = true;
  entry->size = static_cast<std::uint32_t>(payload.size());
  unpoison(payload_of(entry), payload.size());
  if (!payload.empty()) std::memcpy(payload_of(entry), payload.data(), payload.size());
  return slot;
}

ByteView ReassemblyMemory::view(std::uint32_t slot) const {
  Slot* const entry = at(slot);
  return {payload_of(entry), entry->size};
}

void ReassemblyMemory::release(std::uint32_t slot) {
  const std::size_t number = slot >> kIndexBits;
  Slot* const entry = at(slot);
  poison(payload_of(entry), entry->size);
  entry->next_free = std::exchange((*pools_)[number].free, slot);
  --used_;
  used_bytes_ -= kStrides[number];
}

void ReassemblyMemory::note_retired() {
  if (registered_ || shared_.delivered == nullptr) return;
  registered_ = true;
  shared_.delivered->add(*this);
}

void ReassemblyMemory::release_retired() {
  registered_ = false;
  for (const std::uint32_t slot : retired_) release(slot);
  retired_.clear();
  const std::uint64_t buffers = std::exchange(retired_buffer_bytes_, 0);
  if (shared_.budget != nullptr) shared_.budget->refund(buffers);
}

// --- Bytes held elsewhere ---

bool ReassemblyMemory::charge_index(std::uint64_t bytes) {
  if (!may_reorder(bytes)) return false;
  index_bytes_ += bytes;
  return true;
}

void ReassemblyMemory::refund_index(std::uint64_t bytes) {
  index_bytes_ -= bytes;
  if (shared_.budget != nullptr) shared_.budget->refund(bytes);
}

std::uint64_t ReassemblyMemory::buffer_room() const {
  const std::uint64_t own = limits_.buffer_bytes - buffer_bytes_;
  return shared_.budget == nullptr ? own : std::min(own, shared_.budget->room());
}

void ReassemblyMemory::charge_buffer(std::uint64_t bytes) {
  GODWIT_ASSERT(bytes <= buffer_room());
  buffer_bytes_ += bytes;
  if (shared_.budget != nullptr) shared_.budget->charge_anyway(bytes);
}

void ReassemblyMemory::refund_buffer(std::uint64_t bytes) {
  buffer_bytes_ -= bytes;
  if (shared_.budget != nullptr) shared_.budget->refund(bytes);
}

void ReassemblyMemory::retire_buffer(std::uint64_t bytes) {
  if (shared_.delivered == nullptr) return refund_buffer(bytes);
  note_retired();
  buffer_bytes_ -= bytes;
  retired_buffer_bytes_ += bytes;
}

void ReassemblyMemory::note_buffer_refused() {
  if (shared_.budget != nullptr && shared_.budget->room() < limits_.buffer_bytes - buffer_bytes_) {
    shared_.budget->note_refused();
  }
}

void ReassemblyMemory::set_table_bytes(std::uint64_t bytes) {
  if (shared_.budget != nullptr && bytes > table_bytes_) shared_.budget->charge_anyway(bytes - table_bytes_);
  if (shared_.budget != nullptr && bytes < table_bytes_) shared_.budget->refund(table_bytes_ - bytes);
  table_bytes_ = bytes;
}

// --- Return ---

void ReassemblyMemory::trim() {
  if (used_ == 0 && !used_since_trim_) free_pools();
  used_since_trim_ = false;
}

void ReassemblyMemory::free_pools() {
  pools_.reset();
  retired_ = std::vector<std::uint32_t>();
  const std::uint64_t bytes = std::exchange(pool_bytes_, 0);
  if (shared_.budget != nullptr) shared_.budget->refund(bytes);
}

}  // namespace godwit
