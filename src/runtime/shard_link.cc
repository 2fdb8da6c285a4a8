#include "runtime/shard_link.h"

#include <utility>

namespace godwit {

ShardMap::ShardMap(std::uint64_t seed, std::size_t shards) : steering_(seed, shards), owner_of_slot_(shards) {
  for (std::size_t slot = 0; slot < shards; ++slot) set_owner(slot, slot);
}

bool ShardMailbox::put(const DatagramBatch& run) {
  Parcel parcel{.run = run, .bytes = {run.bytes.begin(), run.bytes.end()}};
  parcel.run.bytes = parcel.bytes;
  const std::lock_guard lock(mutex_);
  if (closed_ || parcels_.size() >= kMaxRuns || bytes_ + run.bytes.size() > kMaxBytes) return false;
  bytes_ += run.bytes.size();
  parcels_.push_back(std::move(parcel));
  any_.store(true, std::memory_order_release);
  return true;
}

void ShardMailbox::take(std::vector<Parcel>& parcels) {
  parcels.clear();
  const std::lock_guard lock(mutex_);
  parcels.swap(parcels_);
  bytes_ = 0;
  any_.store(false, std::memory_order_relaxed);
}

void ShardMailbox::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

}  // namespace godwit
