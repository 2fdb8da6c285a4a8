// Fills one run with sealed datagrams: the first sets the segment size, equal ones follow, a shorter one closes it
// (datagram_run.h). Lives for one poll_transmit() of a connection.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "crypto/packet_sealer.h"
#include "wire/limits.h"

namespace godwit {

class RunWriter {
 public:
  // Most segments of one segmentation-offload call on every kernel that has it (UDP_MAX_SEGMENTS was 64 until
  // Linux 6.9).
  static constexpr std::size_t kMaxSegments = 64;
  // Most bytes of one: 54 full datagrams.
  static constexpr std::size_t kMaxBytes = 54 * wire::kMaxDatagram;

  RunWriter(MutableBytes space, PacketSealer& sealer)
      : space_(space.first(std::min(space.size(), kMaxBytes))), sealer_(sealer) {}

  // Whether a datagram of this size may come next.
  [[nodiscard]] bool fits(std::size_t size) const { return size <= room(); }
  // The largest datagram that may come next.
  [[nodiscard]] std::size_t room() const {
    if (closed_ || count_ == kMaxSegments) return 0;
    const std::size_t left = space_.size() - used_;
    return std::min(left, count_ == 0 ? wire::kMaxDatagram : segment_size_);
  }

  // Seals head ‖ body ‖ tail as the next datagram. Requires fits(size). Nothing is written when the key is used up.
  void append(ByteView head, ByteView body, ByteView tail) {
    take(sealer_.seal_pieces(head, body, tail, space_.subspan(used_)));
  }
  // Takes a datagram that is sealed already; false if it does not fit.
  [[nodiscard]] bool append_sealed(ByteView datagram) {
    if (!fits(datagram.size())) return false;
    std::copy(datagram.begin(), datagram.end(), space_.begin() + static_cast<std::ptrdiff_t>(used_));
    take(datagram.size());
    return true;
  }
  // The last datagram counts as bytes in flight.
  void count_tracked(std::size_t bytes) {
    tracked_bytes_ += bytes;
    ++tracked_packets_;
  }

  [[nodiscard]] bool empty() const { return used_ == 0; }
  [[nodiscard]] std::size_t bytes() const { return used_; }
  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] std::size_t segment_size() const { return segment_size_; }
  [[nodiscard]] std::uint64_t tracked_bytes() const { return tracked_bytes_; }
  [[nodiscard]] std::uint32_t tracked_packets() const { return tracked_packets_; }

 private:
  void take(std::size_t size) {
    if (size == 0) return;
    if (count_ == 0) segment_size_ = size;
    closed_ = size < segment_size_;
    used_ += size;
    ++count_;
  }

  MutableBytes space_;
  PacketSealer& sealer_;
  std::size_t used_ = 0;
  std::size_t count_ = 0;
  std::size_t segment_size_ = 0;
  std::uint64_t tracked_bytes_ = 0;
  std::uint32_t tracked_packets_ = 0;
  bool closed_ = false;
};

}  // namespace godwit
