#include "stream/id_map.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace godwit {

std::size_t IdMap::locate(std::uint32_t id) const {
  if (entries_.empty()) return kNowhere;
  const std::size_t mask = entries_.size() - 1;
  for (std::size_t at = home(id);; at = (at + 1) & mask) {
    if (entries_[at].value == kNone) return kNowhere;
    if (entries_[at].id == id) return at;
  }
}

void IdMap::insert(std::uint32_t id, std::uint32_t value) {
  GODWIT_ASSERT(value != kNone);
  if (must_grow()) grow();
  place(id, value);
  ++size_;
}

void IdMap::place(std::uint32_t id, std::uint32_t value) {
  const std::size_t mask = entries_.size() - 1;
  std::size_t at = home(id);
  while (entries_[at].value != kNone) at = (at + 1) & mask;
  entries_[at] = {id, value};
}

std::uint32_t IdMap::take(std::uint32_t id) {
  std::size_t hole = locate(id);
  if (hole == kNowhere) return kNone;
  const std::uint32_t value = entries_[hole].value;
  const std::size_t mask = entries_.size() - 1;
  // Entries behind the hole move into it unless that would put them before their home (Knuth 6.4, algorithm R).
  for (std::size_t at = (hole + 1) & mask; entries_[at].value != kNone; at = (at + 1) & mask) {
    const std::size_t from_home = (at - home(entries_[at].id)) & mask;
    if (from_home < ((at - hole) & mask)) continue;
    entries_[hole] = entries_[at];
    hole = at;
  }
  entries_[hole] = Entry{};
  --size_;
  return value;
}

std::size_t IdMap::longest_chain() const {
  std::size_t longest = 0;
  std::size_t streak = 0;
  for (const Entry& entry : entries_) {
    streak = entry.value == kNone ? 0 : streak + 1;
    longest = std::max(longest, streak);
  }
  return longest;
}

void IdMap::clear() {
  entries_ = std::vector<Entry>();  // assigning {} would keep the memory
  size_ = 0;
}

void IdMap::grow() {
  const std::vector<Entry> old = std::exchange(entries_, std::vector<Entry>(next_capacity()));
  for (const Entry& entry : old) {
    if (entry.value != kNone) place(entry.id, entry.value);
  }
}

}  // namespace godwit
