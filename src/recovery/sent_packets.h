// The sent packets that are not settled yet: a ring by packet id and a queue in send order. Holds what to encode again
// (PacketContent), never bytes. Owned by Recovery; the only owner of bytes in flight.
// Invariants: bytes_in_flight() is the sum over packets in state kInFlight; a packet leaves in settle() alone; the
// ring's first packet is unsettled; each packet in flight has exactly one valid entry in the send-order queue.
// Ids are u32 and wrap; a retransmission keeps its id and takes a new send number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/sequence_ring.h"
#include "base/time.h"
#include "recovery/fifo_ring.h"

namespace godwit {

// What a tracked packet carried, by name: enough to encode it again.
struct PacketContent {
  enum class Kind : std::uint8_t { kFragment, kMessage, kControl };
  Kind kind = Kind::kControl;
  std::uint32_t owner = 0;     // slot of the stream or message, as the connection numbers them
  std::uint32_t fragment = 0;  // fragments only

  friend bool operator==(const PacketContent&, const PacketContent&) = default;
};

enum class SentState : std::uint8_t {
  kPlaceholder,  // an id that no tracked packet has: skipped, or taken by a Ping, Pong or NoOp
  kInFlight,
  kLost,         // declared lost, not sent again yet
  kSettled,      // confirmed, abandoned or forgotten
};

// One cache line. Times of the rate sample are those of draft-ietf-ccwg-bbr section 4.1.2.
struct alignas(64) SentPacket {
  Instant sent_at{};                    // latest transmission
  std::uint64_t delivered = 0;          // rate sample: bytes delivered when it was sent
  Instant delivered_at{};               // rate sample: when the latest of those were confirmed
  Instant first_sent_at{};              // rate sample: start of the send interval
  std::uint32_t lost_before = 0;        // rate sample: bytes lost when it was sent, modulo 2^32
  std::uint32_t in_flight_at_send = 0;  // bytes, this packet included
  std::uint32_t owner = 0;
  std::uint32_t fragment = 0;
  std::uint32_t send_number = 0;        // +1 with each transmission of any tracked packet; wraps
  std::uint32_t original_age = 0;       // microseconds from the first to the latest transmission; saturates
  std::uint16_t bytes = 0;              // of the datagram
  PacketContent::Kind kind = PacketContent::Kind::kControl;
  SentState state = SentState::kPlaceholder;
  std::uint8_t transmissions = 0;       // saturates
  std::uint8_t timeouts = 0;            // how often its retransmission time-out fired
  std::uint8_t loss_episode = 0;        // the episode in which it was last declared lost
  bool application_limited = false;     // rate sample

  [[nodiscard]] PacketContent content() const { return {kind, owner, fragment}; }
  [[nodiscard]] Instant first_transmission_at() const { return sent_at - std::chrono::microseconds(original_age); }
};
static_assert(sizeof(SentPacket) == 64);

// Order of send numbers: serial arithmetic, valid while they lie within 2^31 of each other.
[[nodiscard]] constexpr bool sent_before(std::uint32_t left, std::uint32_t right) {
  return static_cast<std::int32_t>(left - right) < 0;
}

class SentPackets {
 public:
  // `capacity_limit`: most ids between the oldest unsettled one and the newest, a power of two.
  SentPackets(std::uint32_t first_id, std::size_t capacity_limit);

  // A tracked packet's first transmission. Requires an id at or after next_id() that lies within the capacity limit of
  // oldest_id(); ids left out become placeholders. The caller fills in the rate sample's fields.
  SentPacket& add(Instant now, std::uint32_t id, const PacketContent& content, std::uint32_t bytes);
  // Another transmission of a packet that is lost or still in flight (a probe).
  void resend(Instant now, std::uint32_t id, SentPacket& packet, std::uint32_t bytes);
  // Out of flight, to be sent again.
  void mark_lost(SentPacket& packet);
  // The one way out: confirmed, abandoned or forgotten.
  void settle(SentPacket& packet) {
    leave_flight(packet);
    packet.state = SentState::kSettled;
  }
  // Releases settled packets and placeholders at the front of the ring. Pointers to packets end here.
  void release_front();

  // Null outside the ring. Stays valid until add() or release_front().
  [[nodiscard]] SentPacket* find(std::uint32_t id) { return ring_.find(id); }
  [[nodiscard]] const SentPacket* find(std::uint32_t id) const { return ring_.find(id); }
  [[nodiscard]] bool empty() const { return ring_.empty(); }
  [[nodiscard]] std::uint32_t oldest_id() const { return ring_.first(); }
  [[nodiscard]] std::uint32_t next_id() const { return ring_.next(); }
  [[nodiscard]] std::uint64_t bytes_in_flight() const { return bytes_in_flight_; }
  [[nodiscard]] std::uint32_t packets_in_flight() const { return packets_in_flight_; }

  // The send-order queue. Entries of packets no longer in flight under that number are stale.
  struct Transmission {
    std::uint32_t id = 0;
    std::uint32_t send_number = 0;
  };
  // The packet in flight that was transmitted first or last; null if none is. Drops stale entries on the way, telling
  // `on_stale(transmission)` of each one dropped from the front.
  [[nodiscard]] SentPacket* oldest_transmission(std::uint32_t& id);
  [[nodiscard]] SentPacket* newest_transmission(std::uint32_t& id);
  [[nodiscard]] const FifoRing<Transmission>& order() const { return order_; }
  void pop_oldest_transmission() { order_.pop_front(); }
  // The packet of an entry if it is in flight under that number, else null.
  [[nodiscard]] SentPacket* in_flight(const Transmission& transmission);

  // Gives memory back if nothing is unsettled.
  void trim();

 private:
  void leave_flight(SentPacket& packet) {
    if (packet.state != SentState::kInFlight) return;
    bytes_in_flight_ -= packet.bytes;
    --packets_in_flight_;
  }
  void enter_flight(std::uint32_t id, SentPacket& packet, Instant now, std::uint32_t bytes);

  std::size_t capacity_limit_;
  SequenceRing<SentPacket> ring_;
  FifoRing<Transmission> order_;
  std::uint32_t next_send_number_ = 0;
  std::uint32_t packets_in_flight_ = 0;
  std::uint64_t bytes_in_flight_ = 0;
};

}  // namespace godwit
