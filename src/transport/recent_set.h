// The last N distinct 64-bit keys: a bounded set that forgets the oldest. Keys are keyed hashes. Constant time; memory
// grows with use up to the capacity and no further.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace godwit {

class RecentSet {
 public:
  // `capacity` > 0.
  explicit RecentSet(std::size_t capacity);

  [[nodiscard]] bool contains(std::uint64_t key) const;
  // False if it was there already; its age is then unchanged.
  bool insert(std::uint64_t key);
  [[nodiscard]] std::size_t size() const { return order_.size(); }
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  [[nodiscard]] std::size_t home(std::uint64_t key) const {
    return static_cast<std::size_t>(key) & (slots_.size() - 1);
  }
  void place(std::uint64_t key);
  void erase(std::uint64_t key);
  void grow();

  std::size_t capacity_;
  std::size_t oldest_ = 0;            // index in order_ once it is full
  std::vector<std::uint64_t> order_;  // a ring when full
  std::vector<std::uint64_t> slots_;  // open addressing, at most half full; 0 = free (a key of 0 is stored as 1)
};

}  // namespace godwit
