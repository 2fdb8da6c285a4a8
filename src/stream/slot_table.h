// A slab of values named by handles that go stale: a handle is an index with the slot's generation, so that a late
// acknowledgement for a slot used anew is recognised. Grows to its limit and keeps its memory; no allocation once
// grown.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/assert.h"

namespace godwit {

// Index in the low 16 bits, the low 16 bits of the generation in the high ones.
using SlotHandle = std::uint32_t;

// T must be default-constructible and movable. Growing moves the values: pointers live until the next insert.
template <typename T>
class SlotTable {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;

  // `limit`: most slots ever, at most 65,536.
  explicit SlotTable(std::uint32_t limit) : limit_(limit) { GODWIT_ASSERT(limit <= 0x10000); }

  [[nodiscard]] std::uint32_t size() const { return size_; }
  [[nodiscard]] bool full() const { return size_ == limit_; }
  // Slots ever used: indices are below this.
  [[nodiscard]] std::uint32_t capacity() const { return static_cast<std::uint32_t>(slots_.size()); }

  // Memory that is held, without what the values hold.
  [[nodiscard]] std::size_t bytes() const { return slots_.capacity() * sizeof(Slot); }

  // Requires !full(). Returns the index.
  std::uint32_t insert(T value) {
    GODWIT_ASSERT(!full());
    std::uint32_t index = free_;
    if (index == kNone) {
      index = capacity();
      slots_.emplace_back();
    } else {
      free_ = slots_[index].next_free;
    }
    Slot& slot = slots_[index];
    slot.value = std::move(value);
    slot.used = true;
    ++size_;
    return index;
  }

  // The slot must be in use. Its handles become stale.
  void erase(std::uint32_t index) {
    Slot& slot = slots_[index];
    GODWIT_ASSERT(slot.used);
    slot.value = T{};
    slot.used = false;
    ++slot.generation;
    slot.next_free = std::exchange(free_, index);
    --size_;
  }

  [[nodiscard]] bool used(std::uint32_t index) const { return index < slots_.size() && slots_[index].used; }
  // The slot must be in use.
  [[nodiscard]] T& operator[](std::uint32_t index) { return slots_[index].value; }
  [[nodiscard]] const T& operator[](std::uint32_t index) const { return slots_[index].value; }

  // Never repeats for an index.
  [[nodiscard]] std::uint64_t generation(std::uint32_t index) const { return slots_[index].generation; }
  [[nodiscard]] SlotHandle handle(std::uint32_t index) const {
    return static_cast<SlotHandle>(slots_[index].generation & 0xffff) << 16 | index;
  }
  // The index a handle names, kNone when it is stale or was never given out.
  [[nodiscard]] std::uint32_t find(SlotHandle handle_of_slot) const {
    const std::uint32_t index = handle_of_slot & 0xffff;
    return used(index) && handle(index) == handle_of_slot ? index : kNone;
  }

 private:
  struct Slot {
    T value{};
    std::uint64_t generation = 1;
    std::uint32_t next_free = kNone;
    bool used = false;
  };
  std::vector<Slot> slots_;
  std::uint32_t limit_;
  std::uint32_t size_ = 0;
  std::uint32_t free_ = kNone;
};

}  // namespace godwit
