// A window of values keyed by consecutive u32 sequence numbers that wrap modulo 2^32: constant-time look-up, no
// allocation once grown. Used for sent packets; the span is bounded by the caller's `capacity_limit`.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/assert.h"

namespace godwit {

// T must be default-constructible and movable. Sequence numbers in the window are [first, first + size).
template <typename T>
class SequenceRing {
 public:
  // `first`: the number the first push gets. `capacity_limit`: most entries ever held, a power of two.
  // `initial_capacity`: a power of two, or 0 for a ring that allocates with its first entry.
  explicit SequenceRing(std::uint32_t first, std::size_t capacity_limit, std::size_t initial_capacity = 64)
      : slots_(initial_capacity), capacity_limit_(capacity_limit), first_(first) {
    GODWIT_ASSERT(std::has_single_bit(capacity_limit) && (initial_capacity & (initial_capacity - 1)) == 0);
    GODWIT_ASSERT(initial_capacity <= capacity_limit);
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] bool full() const { return size_ == capacity_limit_; }
  [[nodiscard]] std::uint32_t first() const { return first_; }
  // The number the next push gets.
  [[nodiscard]] std::uint32_t next() const { return first_ + static_cast<std::uint32_t>(size_); }

  [[nodiscard]] bool contains(std::uint32_t sequence) const { return sequence - first_ < size_; }

  // Requires !full().
  T& push(T value) {
    GODWIT_ASSERT(!full());
    if (size_ == slots_.size()) grow();
    T& slot = slots_[index(next())];
    slot = std::move(value);
    ++size_;
    return slot;
  }

  // Takes the next `count` numbers, of which the caller keeps account elsewhere: what stands in their places is what
  // was there before, until somebody writes it.
  void extend(std::size_t count) {
    GODWIT_ASSERT(count <= capacity_limit_ - size_);
    while (size_ + count > slots_.size()) grow();
    size_ += count;
  }

  // Null when the number is outside the window.
  [[nodiscard]] T* find(std::uint32_t sequence) { return contains(sequence) ? &slots_[index(sequence)] : nullptr; }
  [[nodiscard]] const T* find(std::uint32_t sequence) const {
    return contains(sequence) ? &slots_[index(sequence)] : nullptr;
  }

  [[nodiscard]] T& front() {
    GODWIT_ASSERT(size_ > 0);
    return slots_[index(first_)];
  }
  void pop_front() {
    GODWIT_ASSERT(size_ > 0);
    // What needs no destructor is written over by the next push.
    if constexpr (!std::is_trivially_destructible_v<T>) slots_[index(first_)] = T{};
    ++first_;
    --size_;
  }
  // Requires count <= size().
  void pop_front(std::size_t count)
    requires std::is_trivially_destructible_v<T>
  {
    GODWIT_ASSERT(count <= size_);
    first_ += static_cast<std::uint32_t>(count);
    size_ -= count;
  }

 private:
  [[nodiscard]] std::size_t index(std::uint32_t sequence) const { return sequence & (slots_.size() - 1); }
  void grow() {
    constexpr std::size_t kFirst = 8;
    std::vector<T> wider(slots_.empty() ? std::min(kFirst, capacity_limit_) : slots_.size() * 2);
    for (std::size_t i = 0; i < size_; ++i) {
      const std::uint32_t sequence = first_ + static_cast<std::uint32_t>(i);
      wider[sequence & (wider.size() - 1)] = std::move(slots_[index(sequence)]);
    }
    slots_ = std::move(wider);
  }

  std::vector<T> slots_;
  std::size_t capacity_limit_;
  std::uint32_t first_;
  std::size_t size_ = 0;
};

}  // namespace godwit
