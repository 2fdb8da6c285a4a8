// Ids of outgoing streams (wire spec 6.2): 31 bits from one counter, bit 31 marks operations streams. An id is never
// used twice on a connection, because a deployed peer silently swallows the second stream (wire spec W32). One
// allocator per connection, owned by its SendQueue.
#pragma once

#include <cstdint>
#include <optional>

#include "wire/limits.h"

namespace godwit {

class StreamIdAllocator {
 public:
  // `first`: the number of the first stream, 1 … 2^31 - 1. 0 is never an id.
  explicit StreamIdAllocator(std::uint32_t first = 1);

  // The next number, with bit 31 for an operations stream; both kinds draw from the same counter. Nothing once all are
  // used.
  [[nodiscard]] std::optional<std::uint32_t> next(bool operations);
  // Whether a stream has got this id, with either value of bit 31.
  [[nodiscard]] bool has_given(std::uint32_t id) const {
    const std::uint32_t number = id & ~wire::kOperationsBit;
    return number >= first_ && number < next_;
  }

 private:
  std::uint32_t first_;
  std::uint32_t next_;
};

}  // namespace godwit
