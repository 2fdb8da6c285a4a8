#include "runtime/shard_link.h"

#include <utility>

namespace godwit {

ShardMap::ShardMap(std::uint64_t seed, std::size_t shards) : steering_(seed, shards), owner_of_slot_(shards) {
  for (std::size_t slot = 0; slot < shards; ++slot) set_owner(slot, slot);
}

bool ShardMailbox::put(const DatagramBatch& batch) {
  Parcel parcel{.batch = batch, .bytes = {batch.bytes.begin(), batch.bytes.end()}};
  parcel.batch.bytes = parcel.bytes;
  const std::lock_guard lock(mutex_);
  if (closed_ || parcels_.size() >= kMaxBatches || bytes_ + batch.bytes.size() > kMaxBytes) return false;
  bytes_ += batch.bytes.size();
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
