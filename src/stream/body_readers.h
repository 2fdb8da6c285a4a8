// Those who read bodies after the call that made a packet of them: workers that seal batches later. Every batch that is
// put off has a number, its ticket, which only rises; SendQueue notes with each stream the last one that reads it, and
// asks here before it releases a body. Implemented by the driver of an endpoint, called on its thread.
#pragma once

#include <cstdint>

namespace godwit {

class BodyReaders {
 public:
  virtual ~BodyReaders() = default;
  // When it returns, all batches up to `ticket` have been sealed. Almost always they have been long ago: a body is
  // released when its packets have been acknowledged.
  virtual void finish(std::uint64_t ticket) = 0;
};

}  // namespace godwit
