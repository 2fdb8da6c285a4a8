#include "transport/recent_set.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"

namespace godwit {
namespace {

constexpr std::size_t kFirstSlots = 16;

// 0 marks a free slot. Keys are hashes: that 0 and 1 are one key costs nothing.
std::uint64_t stored(std::uint64_t key) {
  return key == 0 ? 1 : key;
}

}  // namespace

RecentSet::RecentSet(std::size_t capacity) : capacity_(capacity) {
  GODWIT_ASSERT(capacity > 0);
}

bool RecentSet::contains(std::uint64_t key) const {
  if (slots_.empty()) return false;
  const std::uint64_t wanted = stored(key);
  for (std::size_t i = home(wanted); slots_[i] != 0; i = (i + 1) & (slots_.size() - 1)) {
    if (slots_[i] == wanted) return true;
  }
  return false;
}

bool RecentSet::insert(std::uint64_t key) {
  if (contains(key)) return false;
  const std::uint64_t value = stored(key);
  if (order_.size() == capacity_) {
    erase(order_[oldest_]);
    order_[oldest_] = value;
    oldest_ = (oldest_ + 1) % capacity_;
  } else {
    if ((order_.size() + 1) * 2 > slots_.size()) grow();
    order_.push_back(value);
  }
  place(value);
  return true;
}

std::size_t RecentSet::memory_bytes() const {
  return (order_.capacity() + slots_.capacity()) * sizeof(std::uint64_t);
}

void RecentSet::place(std::uint64_t key) {
  std::size_t i = home(key);
  while (slots_[i] != 0) i = (i + 1) & (slots_.size() - 1);
  slots_[i] = key;
}

void RecentSet::erase(std::uint64_t key) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t hole = home(key);
  while (slots_[hole] != key) hole = (hole + 1) & mask;
  // Backward shift: a later entry of the probe batch moves into the hole unless its home lies behind the hole.
  for (std::size_t i = (hole + 1) & mask; slots_[i] != 0; i = (i + 1) & mask) {
    if (((i - home(slots_[i])) & mask) >= ((i - hole) & mask)) {
      slots_[hole] = slots_[i];
      hole = i;
    }
  }
  slots_[hole] = 0;
}

// In few steps, as each allocates: a busy acceptor takes them one after another.
void RecentSet::grow() {
  const std::size_t most = std::max(kFirstSlots, std::bit_ceil(2 * capacity_));
  slots_.assign(std::clamp(slots_.size() * 4, kFirstSlots, most), 0);
  order_.reserve(std::min(capacity_, slots_.size() / 2));
  for (const std::uint64_t key : order_) place(key);
}

}  // namespace godwit
