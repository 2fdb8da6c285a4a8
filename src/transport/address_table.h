// Address -> connection slot: open addressing with linear probing and backward-shift deletion, one cache line a look-up
// in the common case. The endpoint looks up once a batch, so that the cost of a packet stays flat with the number of
// connections.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/address.h"
#include "base/keyed_hash.h"

namespace godwit {

class AddressTable {
 public:
  // `seed` is secret and random: a stranger chooses addresses, and must not choose where they fall.
  explicit AddressTable(std::uint64_t seed = 0) : entries_(16), key_(seed, ~seed) {}

  [[nodiscard]] std::optional<std::uint32_t> find(const SocketAddress& address) const;
  // Inserts or replaces.
  void insert(const SocketAddress& address, std::uint32_t slot);
  void erase(const SocketAddress& address);
  [[nodiscard]] std::size_t size() const { return size_; }
  // Entries that the worst look-up of an absent address compares; for tests. Walks the table.
  [[nodiscard]] std::size_t longest_probe() const;

 private:
  struct Entry {
    SocketAddress address;  // unspecified: free
    std::uint32_t slot = 0;
  };
  [[nodiscard]] std::size_t home(const SocketAddress& address) const;
  void grow();

  std::vector<Entry> entries_;  // a power of two, at most half full
  std::size_t size_ = 0;
  HashKey key_;
};

}  // namespace godwit
