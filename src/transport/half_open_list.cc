#include "transport/half_open_list.h"

namespace godwit {

std::optional<std::uint64_t> HalfOpenList::add(std::uint64_t owner) {
  remove(owner);
  std::optional<std::uint64_t> evicted;
  if (places_.size() >= capacity_) {
    evicted = order_.front();
    remove(*evicted);
  }
  places_.emplace(owner, order_.insert(order_.end(), owner));
  return evicted;
}

bool HalfOpenList::remove(std::uint64_t owner) {
  const auto place = places_.find(owner);
  if (place == places_.end()) return false;
  order_.erase(place->second);
  places_.erase(place);
  return true;
}

std::size_t HalfOpenList::memory_bytes() const {
  // What the nodes of both containers hold, their links included.
  constexpr std::size_t kPointer = sizeof(void*);
  return places_.size() * (sizeof(std::uint64_t) * 2 + kPointer * 7);
}

}  // namespace godwit
