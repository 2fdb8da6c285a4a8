#include "transfer/working_set.h"

#include <algorithm>

namespace godwit {

WorkingSet::WorkingSet(std::size_t bytes, RandomSource& random) : size_(std::max<std::size_t>(bytes, 1)) {
  bytes_.resize(size_ + kLongestRead);
  // splitmix64 (Steele, Lea, Flood), a word at a time: the system's generator would take a second for a gigabyte, and
  // nothing here is secret. A server makes these bytes while a client waits.
  std::uint64_t state = random.next_u64();
  for (std::size_t at = 0; at < size_; at += sizeof(std::uint64_t)) {
    std::uint64_t word = state += 0x9e3779b97f4a7c15ULL;
    word = (word ^ (word >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    word = (word ^ (word >> 27U)) * 0x94d049bb133111ebULL;
    store_le(bytes_.data() + at, word ^ (word >> 31U));  // there are kLongestRead more bytes behind the end
  }
  for (std::size_t i = 0; i < kLongestRead; ++i) bytes_[size_ + i] = bytes_[i % size_];
}

}  // namespace godwit
