#include "transfer/working_set.h"

#include <algorithm>

namespace godwit {

WorkingSet::WorkingSet(std::size_t bytes, RandomSource& random) : size_(std::max<std::size_t>(bytes, 1)) {
  bytes_.resize(size_ + kLongestRead);
  // A seeded generator: the system's would take a second for a gigabyte, and nothing here is secret.
  DeterministicRandom generator(random.next_u64());
  generator.fill(MutableBytes(bytes_).first(size_));
  for (std::size_t i = 0; i < kLongestRead; ++i) bytes_[size_ + i] = bytes_[i % size_];
}

}  // namespace godwit
