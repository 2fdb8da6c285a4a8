// The last N ids of something, oldest forgotten first: streams completed, streams refused (wire spec 6.4, W33).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "stream/id_map.h"

namespace godwit {

class RecentIds {
 public:
  // `capacity` must not be 0. Memory grows with the ids up to there.
  // `hash_key`: see IdMap.
  explicit RecentIds(std::size_t capacity, std::uint64_t hash_key = 0) : capacity_(capacity), map_(hash_key) {}

  [[nodiscard]] bool contains(std::uint32_t id) const { return map_.find(id) != IdMap::kNone; }
  // An id that is there already keeps its age.
  void insert(std::uint32_t id);
  [[nodiscard]] std::size_t size() const { return ids_.size(); }
  // Memory that is held.
  [[nodiscard]] std::size_t bytes() const { return ids_.capacity() * sizeof(std::uint32_t) + map_.bytes(); }

 private:
  std::size_t capacity_;
  std::size_t oldest_ = 0;  // once full: the next to be replaced
  std::vector<std::uint32_t> ids_;
  IdMap map_;
};

}  // namespace godwit
