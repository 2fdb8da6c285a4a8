// A batch that has been put together and not sealed: nonces are assigned and the packets counted against the key's
// limit, so that what is left is the cipher's pass alone. The driver of an endpoint offers an empty job with the memory
// for a batch (transport/transmit_buffer.h); PacketSealer::put_off() fills it; run() seals, on whatever thread and in
// whatever order among jobs. A job owns what it needs of the key. The bodies it reads stay the application's: they are
// kept until finish() of stream/body_readers.h has said that the job has run.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "crypto/batch_key.h"
#include "crypto/packet_cipher.h"

namespace godwit {

class SealJob {
 public:
  static constexpr std::size_t kMostPackets = 64;
  // Sealing fewer takes less time than another thread needs to hear of them.
  static constexpr std::size_t kLeastPackets = 8;

  SealJob() = default;
  SealJob(const SealJob&) = delete;
  SealJob& operator=(const SealJob&) = delete;

  // Of the driver, from 1 on, rising from job to job: stream/body_readers.h.
  std::uint64_t ticket = 0;

  // Whether run() has something to do.
  [[nodiscard]] bool pending() const { return count_ > 0; }
  // For checkers: whether run() will read any of these bytes.
  [[nodiscard]] bool reads(ByteView bytes) const {
    for (std::size_t i = 0; i < count_; ++i) {
      const PacketToSeal& packet = packets_[i];
      if (packet.body_size > 0 && packet.body < bytes.data() + bytes.size() &&
          bytes.data() < packet.body + packet.body_size) {
        return true;
      }
    }
    return false;
  }
  // Seals; the batch's datagrams may leave afterwards.
  void run() {
    if (!pending()) return;
    key_.seal(std::span<const PacketToSeal>(packets_).first(count_));
    clear();
  }
  // Forgets the packets, whose datagrams must not leave.
  void clear() {
    count_ = 0;
    key_ = {};
  }

 private:
  friend class PacketSealer;

  BatchKey key_;
  std::array<PacketToSeal, kMostPackets> packets_;  // the first count_ are set
  std::array<Nonce, kMostPackets> nonces_;
  std::size_t count_ = 0;
};

}  // namespace godwit
