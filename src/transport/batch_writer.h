// Fills one batch with datagrams: the first sets the segment size, equal ones follow, a shorter one closes it
// (datagram_batch.h). They are sealed together at the end, as one batch, or that is left to a job. Lives for one
// poll_transmit() of a connection.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/assert.h"
#include "base/bytes.h"
#include "crypto/packet_sealer.h"
#include "crypto/piece_gathering.h"
#include "wire/limits.h"

namespace godwit {

// What a datagram costs on the way beside its bytes.
inline constexpr std::uint32_t kIpAndUdpBytes = 28;

class BatchWriter {
 public:
  // Most segments of one segmentation-offload call on every kernel that has it (UDP_MAX_SEGMENTS was 64 until
  // Linux 6.9).
  static constexpr std::size_t kMaxSegments = 64;
  // Most bytes of one: 54 full datagrams.
  static constexpr std::size_t kMaxBytes = 54 * wire::kMaxDatagram;

  // `largest`: bytes of a datagram. `job`: to which the sealing may be left; null: none.
  BatchWriter(MutableBytes space, PacketSealer& sealer, std::size_t largest = wire::kMaxDatagram,
              SealJob* job = nullptr)
      : space_(space.first(std::min(space.size(), kMaxBytes))), sealer_(sealer), largest_(largest), job_(job) {}

  // Whether a datagram of this size may come next.
  [[nodiscard]] bool fits(std::size_t size) const { return size <= room(); }
  // The largest datagram that may come next.
  [[nodiscard]] std::size_t room() const {
    if (closed_ || count_ == kMaxSegments) return 0;
    const std::size_t left = space_.size() - used_;
    return std::min(left, count_ == 0 ? largest_ : segment_size_);
  }

  // What becomes of `body` until seal(): it stays where and as it is, or it is copied now.
  enum class Body : std::uint8_t { kStays, kCopied };

  // Takes head ‖ body ‖ tail as the next datagram. Requires fits(size). Takes nothing when the key is used up.
  void append(ByteView head, ByteView body, ByteView tail, Body lifetime) {
    const std::size_t size = head.size() + body.size() + tail.size();
    if ((pending_ + 1) * PacketSealer::weight(count_ == 0 ? size : segment_size_) > sealer_.packets_left()) [[unlikely]]
      return;
    std::uint8_t* const text = append_body(head.size(), body, tail.size(), lifetime);
    place(head, text);
    place(tail, text + head.size() + body.size());
  }
  // The same, but that the caller writes head and tail around the body, to where the result points. Requires
  // packets_left(bytes of the datagram) > 0.
  std::uint8_t* append_body(std::size_t head_size, ByteView body, std::size_t tail_size, Body lifetime) {
    PacketToSeal& packet = to_seal_[pending_++];
    packet.text = space_.data() + used_ + kEnvelopePrefix;
    packet.head_size = head_size;
    packet.size = head_size + body.size() + tail_size;
    GODWIT_ASSERT(packet.size + kEnvelopeOverhead <= space_.size() - used_);
    if (lifetime == Body::kStays) {
      request_later_body(body);
      packet.body = body.data();
      packet.body_size = body.size();
    } else {
      if (!body.empty()) gather_body(body, packet.text + head_size);
      packet.body = nullptr;
      packet.body_size = 0;
    }
    take(packet.size + kEnvelopeOverhead);
    return packet.text;
  }
  // How many datagrams of `size` bytes may come next, all of them of this size.
  [[nodiscard]] std::size_t packets_left(std::size_t size) const {
    if (size > room() || (count_ != 0 && size != segment_size_)) return 0;
    const std::uint64_t by_key = sealer_.packets_left() / PacketSealer::weight(size);
    const std::size_t by_room = std::min((space_.size() - used_) / size, kMaxSegments - count_);
    return static_cast<std::size_t>(
        std::min<std::uint64_t>(by_key - std::min<std::uint64_t>(by_key, pending_), by_room));
  }
  void append(ByteView plaintext) { append(plaintext, {}, {}, Body::kCopied); }
  // Whether bodies may be read after seal() has returned.
  [[nodiscard]] bool may_be_put_off() const { return job_ != nullptr; }
  // Requires may_be_put_off().
  [[nodiscard]] std::uint64_t ticket() const { return job_->ticket; }
  // Seals what has been appended, or puts it off. Until then the batch's bytes are plaintext, and must not leave.
  void seal() {
    if (job_ != nullptr && sealer_.put_off(std::span(to_seal_).first(pending_), *job_)) {
      pending_ = 0;
      return;
    }
    const bool sealed = sealer_.seal_batch(std::span(to_seal_).first(pending_));
    GODWIT_ASSERT(sealed);
    pending_ = 0;
  }
  // Takes a datagram that is sealed already; false if it does not fit.
  [[nodiscard]] bool append_sealed(ByteView datagram) {
    if (!fits(datagram.size())) return false;
    std::copy(datagram.begin(), datagram.end(), space_.begin() + static_cast<std::ptrdiff_t>(used_));
    take(datagram.size());
    return true;
  }
  // The last datagrams count as bytes in flight.
  void count_tracked(std::size_t bytes, std::uint32_t packets = 1) {
    tracked_bytes_ += bytes;
    tracked_packets_ += packets;
  }

  // Packets that wait for seal().
  [[nodiscard]] std::size_t unsealed() const { return pending_; }
  [[nodiscard]] bool empty() const { return used_ == 0; }
  [[nodiscard]] std::size_t bytes() const { return used_; }
  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] std::size_t segment_size() const { return segment_size_; }
  [[nodiscard]] std::uint64_t tracked_bytes() const { return tracked_bytes_; }
  [[nodiscard]] std::uint32_t tracked_packets() const { return tracked_packets_; }

 private:
  static void place(ByteView piece, std::uint8_t* to) {
    if (!piece.empty()) std::memcpy(to, piece.data(), piece.size());
  }
  void take(std::size_t size) {
    if (count_ == 0) segment_size_ = size;
    closed_ = size < segment_size_;
    used_ += size;
    ++count_;
  }

  MutableBytes space_;
  PacketSealer& sealer_;
  std::size_t largest_;
  SealJob* job_;
  std::array<PacketToSeal, kMaxSegments> to_seal_;  // the first pending_ are set
  std::size_t pending_ = 0;
  std::size_t used_ = 0;
  std::size_t count_ = 0;
  std::size_t segment_size_ = 0;
  std::uint64_t tracked_bytes_ = 0;
  std::uint32_t tracked_packets_ = 0;
  bool closed_ = false;
};

}  // namespace godwit
