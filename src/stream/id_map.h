// Id -> small integer: open addressing with linear probing and backward-shift deletion, no allocation until the first
// insert. Ids are the peer's choice, so the hash is keyed: a peer that does not know the key cannot choose ids that
// share a chain. Memory is proportional to the entries, however far apart their ids are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace godwit {

class IdMap {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;

  // `key`: drawn at random where a stranger chooses the ids. `smallest`: entries of the first allocation, a power of
  // two; half of them may be used before it grows.
  explicit IdMap(std::uint64_t key = 0, std::uint32_t smallest = 8)
      : multiplier_((key ^ kGolden) | 1), smallest_(smallest) {}

  // kNone when the id is not there.
  [[nodiscard]] std::uint32_t find(std::uint32_t id) const {
    const std::size_t at = locate(id);
    return at == kNowhere ? kNone : entries_[at].value;
  }
  // Requires that the id is not there, and value != kNone.
  void insert(std::uint32_t id, std::uint32_t value);
  // No effect when the id is not there.
  void erase(std::uint32_t id) { static_cast<void>(take(id)); }
  // The value of an id, which is then gone; kNone when it is not there.
  std::uint32_t take(std::uint32_t id);
  // Gives all memory back.
  void clear();

  template <typename Visit>
  void for_each(Visit visit) const {
    for (const Entry& entry : entries_) {
      if (entry.value != kNone) visit(entry.id, entry.value);
    }
  }
  [[nodiscard]] std::size_t size() const { return size_; }
  // The longest row of entries in use, which bounds what a look-up costs. For tests; walks the table.
  [[nodiscard]] std::size_t longest_chain() const;
  // Memory that is held: that of the first allocation, or at most 32 bytes for each of the most entries there ever
  // were.
  [[nodiscard]] std::size_t bytes() const { return entries_.size() * sizeof(Entry); }
  // By how much the next insert will make it more.
  [[nodiscard]] std::size_t growth() const {
    return must_grow() ? (next_capacity() - entries_.size()) * sizeof(Entry) : 0;
  }

 private:
  static constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15;  // a good multiplier by itself
  static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);

  struct Entry {
    std::uint32_t id = 0;
    std::uint32_t value = kNone;  // kNone: free
  };
  // Multiply-shift with a secret multiplier: the high bits of the product (Dietzfelbinger et al., 1997).
  [[nodiscard]] std::size_t home(std::uint32_t id) const {
    return static_cast<std::size_t>((id * multiplier_ >> 32) * entries_.size() >> 32);
  }
  [[nodiscard]] std::size_t locate(std::uint32_t id) const;
  [[nodiscard]] bool must_grow() const { return (size_ + 1) * 2 > entries_.size(); }
  [[nodiscard]] std::size_t next_capacity() const { return entries_.empty() ? smallest_ : entries_.size() * 2; }
  void place(std::uint32_t id, std::uint32_t value);
  void grow();

  std::uint64_t multiplier_;
  std::uint32_t smallest_;
  std::vector<Entry> entries_;  // a power of two, at most half full
  std::size_t size_ = 0;
};

}  // namespace godwit
