#include "transfer/working_set.h"

#include <algorithm>

namespace godwit {

WorkingSet::WorkingSet(std::size_t bytes, RandomSource& random) : size_(std::max<std::size_t>(bytes, 1)) {
  bytes_.resize(size_ + kLongestRead);
  // The system's generator would take a second for a gigabyte, and nothing here is secret. A server makes these bytes
  // while a client waits.
  std::uint64_t state = random.next_u64();
  for (std::size_t at = 0; at < size_; at += sizeof(std::uint64_t), state += kSplitmixStep) {
    store_le(bytes_.data() + at, splitmix64(state));  // there are kLongestRead more bytes behind the end
  }
  for (std::size_t i = 0; i < kLongestRead; ++i) bytes_[size_ + i] = bytes_[i % size_];
}

}  // namespace godwit
