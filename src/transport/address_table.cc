#include "transport/address_table.h"

#include <algorithm>
#include <utility>

namespace godwit {

std::size_t AddressTable::home(const SocketAddress& address) const {
  return static_cast<std::size_t>(address.hash(key_)) & (entries_.size() - 1);
}

std::optional<std::uint32_t> AddressTable::find(const SocketAddress& address) const {
  for (std::size_t i = home(address); entries_[i].address.is_specified(); i = (i + 1) & (entries_.size() - 1)) {
    if (entries_[i].address == address) return entries_[i].slot;
  }
  return std::nullopt;
}

void AddressTable::insert(const SocketAddress& address, std::uint32_t slot) {
  if ((size_ + 1) * 2 > entries_.size()) grow();
  std::size_t i = home(address);
  while (entries_[i].address.is_specified() && entries_[i].address != address) i = (i + 1) & (entries_.size() - 1);
  if (!entries_[i].address.is_specified()) ++size_;
  entries_[i] = {address, slot};
}

void AddressTable::erase(const SocketAddress& address) {
  const std::size_t mask = entries_.size() - 1;
  std::size_t hole = home(address);
  while (entries_[hole].address != address) {
    if (!entries_[hole].address.is_specified()) return;
    hole = (hole + 1) & mask;
  }
  --size_;
  // Entries that probed past the hole move back into it, so that no look-up meets a gap before its entry.
  for (std::size_t i = (hole + 1) & mask; entries_[i].address.is_specified(); i = (i + 1) & mask) {
    if (((i - home(entries_[i].address)) & mask) >= ((i - hole) & mask)) {
      entries_[hole] = entries_[i];
      hole = i;
    }
  }
  entries_[hole] = {};
}

std::size_t AddressTable::longest_probe() const {
  std::size_t longest = 0;
  std::size_t streak = 0;
  // Twice around, for entries in use that go over the end.
  for (std::size_t i = 0; i < 2 * entries_.size(); ++i) {
    streak = entries_[i & (entries_.size() - 1)].address.is_specified() ? streak + 1 : 0;
    longest = std::max(longest, streak);
  }
  return longest;
}

void AddressTable::grow() {
  std::vector<Entry> old = std::exchange(entries_, std::vector<Entry>(entries_.size() * 2));
  size_ = 0;
  for (const Entry& entry : old) {
    if (entry.address.is_specified()) insert(entry.address, entry.slot);
  }
}

}  // namespace godwit
