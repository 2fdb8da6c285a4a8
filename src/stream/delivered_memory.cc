#include "stream/delivered_memory.h"

#include <algorithm>

#include "stream/reassembly_memory.h"

namespace godwit {

void DeliveredMemory::remove(const ReassemblyMemory& memory) {
  const auto found = std::ranges::find(holders_, &memory);
  if (found != holders_.end()) holders_.erase(found);
}

void DeliveredMemory::release_holders() {
  for (ReassemblyMemory* const memory : holders_) memory->release_retired();
  holders_.clear();
}

}  // namespace godwit
