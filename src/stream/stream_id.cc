#include "stream/stream_id.h"

#include "base/assert.h"

namespace godwit {

StreamIdAllocator::StreamIdAllocator(std::uint32_t first) : first_(first), next_(first) {
  GODWIT_ASSERT(first != 0 && !wire::is_operations_stream(first));
}

std::optional<std::uint32_t> StreamIdAllocator::next(bool operations) {
  // Past the last number the counter stands on the operations bit and stays there.
  if (wire::is_operations_stream(next_)) return std::nullopt;
  const std::uint32_t number = next_++;
  return operations ? number | wire::kOperationsBit : number;
}

}  // namespace godwit
