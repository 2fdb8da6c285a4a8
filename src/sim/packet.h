// One datagram on its way through the simulated network, and the pool that all of them live in: a packet is named by
// its index, and its memory is used again once it has arrived or was dropped.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <vector>

#include "base/address.h"
#include "base/bytes.h"
#include "base/ecn.h"
#include "base/time.h"

namespace godwit::sim {

// What a link charges beyond the UDP payload: IPv4 and UDP headers (decisions 13 and 16 count 1228 bytes a datagram).
inline constexpr std::uint32_t kIpUdpOverhead = 28;

struct Packet {
  static constexpr std::size_t kCapacity = 9000;

  SocketAddress source;
  SocketAddress destination;
  std::uint32_t size = 0;        // UDP payload bytes
  std::uint32_t charge = 0;      // bytes that links charge
  std::uint32_t sender = 0;      // host or competitor
  std::uint32_t receiver = 0;    // valid once inbound
  std::uint32_t competitor = 0;  // 1 + index; 0: a datagram of a host
  bool inbound = false;          // on the links of the receiver's side
  bool acknowledgement = false;  // of a competitor
  bool forged = false;           // made or copied by an attacker
  Ecn ecn = Ecn::kNone;          // as the links have left it
  bool other_interface = false;  // arrives at the receiver's second address, which leads nowhere
  std::uint16_t hop = 0;         // index into the side's list of links
  std::uint64_t sequence = 0;    // of a competitor
  Instant sent_at{};
  Instant queued_at{};                        // into the queue of the present link
  std::array<std::uint8_t, kCapacity> bytes;  // NOLINT: filled up to `size`

  [[nodiscard]] MutableBytes view() { return MutableBytes(bytes).first(size); }
};

class PacketPool {
 public:
  // The fields a packet starts with are the caller's to set; `bytes` is not cleared.
  [[nodiscard]] std::uint32_t take() {
    ++live_;
    if (free_.empty()) {
      packets_.emplace_back();
      return static_cast<std::uint32_t>(packets_.size() - 1);
    }
    const std::uint32_t index = free_.back();
    free_.pop_back();
    return index;
  }
  void release(std::uint32_t index) {
    --live_;
    free_.push_back(index);
  }
  [[nodiscard]] Packet& operator[](std::uint32_t index) { return packets_[index]; }
  [[nodiscard]] const Packet& operator[](std::uint32_t index) const { return packets_[index]; }
  [[nodiscard]] std::size_t live() const { return live_; }

 private:
  std::deque<Packet> packets_;
  std::vector<std::uint32_t> free_;
  std::size_t live_ = 0;
};

}  // namespace godwit::sim
