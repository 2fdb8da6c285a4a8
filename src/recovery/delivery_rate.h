// Delivery rate sampling (draft-ietf-ccwg-bbr section 4.1): how fast the path delivered the latest flight. Stamps a
// packet when it is sent, makes one sample an acknowledgement batch from the newest packet acknowledged in it. Owned by
// Recovery.
#pragma once

#include <cstdint>

#include "base/bandwidth.h"
#include "base/time.h"
#include "recovery/sent_packets.h"

namespace godwit {

// Bytes are datagram bytes.
struct RateSample {
  bool has_rate = false;        // false: delivery_rate and interval mean nothing (no packet, or too short a time)
  bool is_app_limited = false;  // the newest packet acknowledged was sent while the application had no more to send
  Bandwidth delivery_rate;
  Duration interval{};                // the longer of the send and the acknowledgement interval
  Duration rtt{};                     // from that packet's latest transmission to now
  std::uint64_t delivered = 0;        // bytes delivered over the interval
  std::uint64_t prior_delivered = 0;  // total_delivered when that packet was sent
  std::uint64_t total_delivered = 0;  // bytes delivered on this connection up to now
  std::uint64_t lost = 0;             // bytes declared lost between that packet's transmission and now, modulo 2^32
  std::uint64_t tx_in_flight = 0;     // bytes in flight just after that packet was sent, itself included
  std::uint64_t newly_acked = 0;      // bytes acknowledged by this batch
  std::uint64_t newly_lost = 0;       // bytes declared lost by this batch
};

class DeliveryRate {
 public:
  // Called at each transmission. `in_flight` does not contain the packet; `after_idle`: nothing else is unsettled.
  void stamp(Instant now, bool after_idle, std::uint64_t in_flight, SentPacket& packet) {
    if (after_idle) first_sent_at_ = delivered_at_ = now;
    packet.delivered = delivered_;
    packet.delivered_at = delivered_at_;
    packet.first_sent_at = first_sent_at_;
    packet.lost_before = static_cast<std::uint32_t>(lost_);
    packet.in_flight_at_send = static_cast<std::uint32_t>(in_flight) + packet.bytes;
    packet.application_limited = limited_until_ != 0;
  }
  // The application has nothing more to send although the window would let it.
  void on_application_limited(std::uint64_t in_flight);
  [[nodiscard]] bool application_limited() const { return limited_until_ != 0; }

  void on_lost(std::uint64_t bytes) { lost_ += bytes; }
  // One acknowledgement batch: `newest` is the packet sent last among those acknowledged, null if it is not known which
  // of their transmissions arrived. Requires acked_bytes > 0.
  [[nodiscard]] RateSample on_acked(Instant now, const SentPacket* newest, std::uint64_t acked_bytes,
                                    std::uint64_t lost_bytes, Duration minimum_rtt);

  [[nodiscard]] std::uint64_t total_delivered() const { return delivered_; }
  [[nodiscard]] std::uint64_t total_lost() const { return lost_; }

 private:
  std::uint64_t delivered_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t limited_until_ = 0;  // samples are application-limited until so much is delivered; 0: they are not
  Instant delivered_at_{};
  Instant first_sent_at_{};
};

}  // namespace godwit
