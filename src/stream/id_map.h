// Stream id -> small integer: open addressing with linear probing and backward-shift deletion, no allocation until the
// first insert. Ids are the peer's choice: one that makes them collide pays with the length of its own chains, which
// the owner bounds by the number of entries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace godwit {

class IdMap {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;

  // kNone when the id is not there.
  [[nodiscard]] std::uint32_t find(std::uint32_t id) const;
  // Requires that the id is not there, and value != kNone.
  void insert(std::uint32_t id, std::uint32_t value);
  // No effect when the id is not there.
  void erase(std::uint32_t id);
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Entry {
    std::uint32_t id = 0;
    std::uint32_t value = kNone;  // kNone: free
  };
  [[nodiscard]] std::size_t home(std::uint32_t id) const;
  void place(std::uint32_t id, std::uint32_t value);
  void grow();

  std::vector<Entry> entries_;  // a power of two, at most half full
  std::size_t size_ = 0;
};

}  // namespace godwit
