// A queue in a circular buffer that doubles when full and gives nothing back until trim(): no allocation in the
// steady state. For small copyable entries; the bound on its length is the caller's. Every connection has several,
// empty ones as a rule: hence a pointer and numbers of 32 bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

#include "base/assert.h"

namespace godwit {

template <typename T>
class FifoRing {
 public:
  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] std::size_t size() const { return count_; }

  void push_back(const T& value) {
    if (count_ == capacity_) [[unlikely]]
      grow();
    slots_[index(count_)] = value;
    ++count_;
  }
  // The following four require !empty().
  [[nodiscard]] const T& front() const { return (*this)[0]; }
  [[nodiscard]] const T& back() const { return (*this)[count_ - 1]; }
  void pop_front() {
    GODWIT_ASSERT(count_ > 0);
    head_ = (head_ + 1) & (capacity_ - 1);
    --count_;
  }
  void pop_back() {
    GODWIT_ASSERT(count_ > 0);
    --count_;
  }
  // Requires position < size(); 0 is the front.
  [[nodiscard]] const T& operator[](std::size_t position) const {
    GODWIT_ASSERT(position < count_);
    return slots_[index(position)];
  }
  [[nodiscard]] T& operator[](std::size_t position) {
    GODWIT_ASSERT(position < count_);
    return slots_[index(position)];
  }

  // Keeps the entries for which `keep` holds, in order.
  template <typename Predicate>
  void retain(Predicate keep) {
    std::uint32_t kept = 0;
    for (std::uint32_t i = 0; i < count_; ++i) {
      const T value = slots_[index(i)];
      if (keep(value)) slots_[index(kept++)] = value;
    }
    count_ = kept;
  }

  void clear() { head_ = count_ = 0; }
  // Gives the memory back if the queue is empty.
  void trim() {
    if (empty()) *this = FifoRing{};
  }

 private:
  [[nodiscard]] std::size_t index(std::size_t position) const { return (head_ + position) & (capacity_ - 1); }
  void grow() {
    GODWIT_ASSERT(capacity_ <= std::numeric_limits<std::uint32_t>::max() / 2);
    const std::uint32_t capacity = capacity_ == 0 ? 16 : capacity_ * 2;
    auto wider = std::make_unique<T[]>(capacity);
    for (std::uint32_t i = 0; i < count_; ++i) wider[i] = slots_[index(i)];
    slots_ = std::move(wider);
    capacity_ = capacity;
    head_ = 0;
  }

  std::unique_ptr<T[]> slots_;
  std::uint32_t capacity_ = 0;  // zero or a power of two
  std::uint32_t head_ = 0;
  std::uint32_t count_ = 0;
};

}  // namespace godwit
