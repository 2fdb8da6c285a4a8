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
  explicit RecentIds(std::size_t capacity) : capacity_(capacity) {}

  [[nodiscard]] bool contains(std::uint32_t id) const { return map_.find(id) != IdMap::kNone; }
  // An id that is there already keeps its age.
  void insert(std::uint32_t id);
  [[nodiscard]] std::size_t size() const { return ids_.size(); }

 private:
  std::size_t capacity_;
  std::size_t oldest_ = 0;  // once full: the next to be replaced
  std::vector<std::uint32_t> ids_;
  IdMap map_;
};

}  // namespace godwit
