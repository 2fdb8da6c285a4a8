// Random bytes that a performance run sends again and again: more than the caches hold, so that plaintext comes from
// memory as a real application's does. Made once a process, read by PerfSender's streams, each from its own position
// on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"

namespace godwit {

class WorkingSet {
 public:
  // At least one byte.
  WorkingSet(std::size_t bytes, RandomSource& random);

  [[nodiscard]] std::size_t size() const { return size_; }
  // `length` bytes from `position` on, modulo the size. Requires length <= kLongestRead.
  [[nodiscard]] ByteView read(std::uint64_t position, std::size_t length) const {
    if (position >= size_) position %= size_;
    return ByteView(bytes_).subspan(static_cast<std::size_t>(position), length);
  }

  static constexpr std::size_t kLongestRead = 9216;  // the payload of the largest datagram

 private:
  std::size_t size_;
  std::vector<std::uint8_t> bytes_;  // the first kLongestRead bytes again behind the end
};

}  // namespace godwit
