// The currency between layers: one peer's batch of equal-sized datagrams, end to end in one buffer. The same type
// travels in both directions; segmentation offload moves a batch in one call, a sendto loop spends it piece by piece.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/address.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/ecn.h"

namespace godwit {

// Invariants: `bytes` is owned by the caller for the duration of the call it is passed to; every segment has
// `segment_size` bytes but the last, which may be shorter. An empty datagram is a batch of zero bytes and zero
// segments.
struct DatagramBatch {
  SocketAddress local;  // unspecified: the socket's own
  SocketAddress remote;
  MutableBytes bytes;
  std::size_t segment_size = 0;  // bytes; 0 only for an empty batch
  std::uint8_t hop_limit = 0;    // routers that it passes before it is dropped, when sent; 0: the system's
  Ecn ecn = Ecn::kNone;          // of each of them, as it is to leave or as it has come

  [[nodiscard]] std::size_t segment_count() const {
    return segment_size == 0 ? 0 : (bytes.size() + segment_size - 1) / segment_size;
  }
  // What the kernel counts: an empty batch is one datagram without bytes.
  [[nodiscard]] std::size_t datagram_count() const { return bytes.empty() ? 1 : segment_count(); }
  [[nodiscard]] MutableBytes segment(std::size_t index) const {
    const std::size_t begin = index * segment_size;
    GODWIT_ASSERT(begin < bytes.size());
    return bytes.subspan(begin, std::min(segment_size, bytes.size() - begin));
  }
  // `count` segments from `first` on, of the same two addresses.
  [[nodiscard]] DatagramBatch part(std::size_t first, std::size_t count) const {
    const std::size_t begin = first * segment_size;
    GODWIT_ASSERT(count > 0 && begin < bytes.size());
    DatagramBatch result = *this;
    result.bytes = bytes.subspan(begin, std::min(count * segment_size, bytes.size() - begin));
    if (count == 1) result.segment_size = result.bytes.size();
    return result;
  }
};

}  // namespace godwit
