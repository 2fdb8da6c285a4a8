#include "stream/recent_ids.h"

namespace godwit {

void RecentIds::insert(std::uint32_t id) {
  if (contains(id)) return;
  if (ids_.size() < capacity_) {
    ids_.push_back(id);
  } else {
    map_.erase(ids_[oldest_]);
    ids_[oldest_] = id;
    oldest_ = (oldest_ + 1) % capacity_;
  }
  map_.insert(id, 0);
}

}  // namespace godwit
