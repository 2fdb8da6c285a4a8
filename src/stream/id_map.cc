#include "stream/id_map.h"

#include <bit>
#include <utility>

#include "base/assert.h"

namespace godwit {

std::size_t IdMap::home(std::uint32_t id) const {
  // Fibonacci hashing: the high bits of the product are the well-mixed ones.
  return static_cast<std::size_t>(std::uint64_t{id * 0x9e3779b9U} * entries_.size() >> 32);
}

std::uint32_t IdMap::find(std::uint32_t id) const {
  if (entries_.empty()) return kNone;
  const std::size_t mask = entries_.size() - 1;
  for (std::size_t at = home(id);; at = (at + 1) & mask) {
    if (entries_[at].value == kNone) return kNone;
    if (entries_[at].id == id) return entries_[at].value;
  }
}

void IdMap::insert(std::uint32_t id, std::uint32_t value) {
  GODWIT_ASSERT(value != kNone);
  if ((size_ + 1) * 2 > entries_.size()) grow();
  place(id, value);
  ++size_;
}

void IdMap::place(std::uint32_t id, std::uint32_t value) {
  const std::size_t mask = entries_.size() - 1;
  std::size_t at = home(id);
  while (entries_[at].value != kNone) at = (at + 1) & mask;
  entries_[at] = {id, value};
}

void IdMap::erase(std::uint32_t id) {
  if (entries_.empty()) return;
  const std::size_t mask = entries_.size() - 1;
  std::size_t hole = home(id);
  while (entries_[hole].value != kNone && entries_[hole].id != id) hole = (hole + 1) & mask;
  if (entries_[hole].value == kNone) return;
  // Entries behind the hole move into it unless that would put them before their home (Knuth 6.4, algorithm R).
  for (std::size_t at = (hole + 1) & mask; entries_[at].value != kNone; at = (at + 1) & mask) {
    const std::size_t from_home = (at - home(entries_[at].id)) & mask;
    if (from_home < ((at - hole) & mask)) continue;
    entries_[hole] = entries_[at];
    hole = at;
  }
  entries_[hole] = Entry{};
  --size_;
}

void IdMap::grow() {
  const std::vector<Entry> old =
      std::exchange(entries_, std::vector<Entry>(entries_.empty() ? 8 : entries_.size() * 2));
  for (const Entry& entry : old) {
    if (entry.value != kNone) place(entry.id, entry.value);
  }
}

}  // namespace godwit
