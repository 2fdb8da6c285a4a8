// The sent packets that are not settled yet: a ring by packet id and a queue in send order. Holds what to encode again
// (PacketContent), never bytes. Owned by Recovery; the only owner of bytes in flight.
// The packets of one stream that leave together are a run: one record and two masks for up to 64 of them, and one entry
// of the queue. A packet of a run gets a record of its own in the ring when it is looked at as one, because it is lost,
// sent again or forgotten: packets_apart() counts these. Acknowledgements of a run touch its record alone.
// Invariants: bytes_in_flight() is the sum over packets in state kInFlight; a packet leaves in settle() alone; after
// release_front() the first packet is unsettled; each packet in flight has one valid entry in one of the two queues.
// Ids are u32 and wrap; a retransmission keeps its id and takes a new send number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

#include "base/assert.h"
#include "base/sequence_ring.h"
#include "base/time.h"
#include "recovery/fifo_ring.h"

namespace godwit {

// What a tracked packet carried, by name: enough to encode it again.
struct PacketContent {
  enum class Kind : std::uint8_t { kFragment, kMessage, kControl };
  Kind kind = Kind::kControl;
  std::uint32_t owner = 0;     // slot of the stream or message, as the connection numbers them
  std::uint32_t fragment = 0;  // of a stream; of a control message: which kind, as the connection numbers them
  std::uint8_t count = 1;      // consecutive fragments, below 128

  friend bool operator==(const PacketContent&, const PacketContent&) = default;
};

enum class SentState : std::uint8_t {
  kPlaceholder,  // an id that no tracked packet has: skipped, or taken by a Ping, Pong or NoOp
  kInFlight,
  kLost,     // declared lost, not sent again yet
  kSettled,  // acknowledged, abandoned or forgotten
};

// A cache line long. Times of the rate sample are those of draft-ietf-ccwg-bbr section 4.1.2.
struct SentPacket {
  Instant sent_at{};                    // latest transmission
  std::uint64_t delivered = 0;          // rate sample: bytes delivered when it was sent
  Instant delivered_at{};               // rate sample: when the latest of those were acknowledged
  Instant first_sent_at{};              // rate sample: start of the send interval
  std::uint32_t lost_before = 0;        // rate sample: bytes lost when it was sent, modulo 2^32
  std::uint32_t in_flight_at_send = 0;  // bytes, this packet included
  std::uint32_t owner = 0;
  std::uint32_t fragment = 0;
  std::uint32_t send_number = 0;   // +1 with each transmission of any tracked packet, or share_numbers(); wraps
  std::uint32_t original_age = 0;  // microseconds from the first to the latest transmission; saturates
  std::uint16_t bytes = 0;         // of the datagram
  PacketContent::Kind kind = PacketContent::Kind::kControl;
  SentState state = SentState::kPlaceholder;
  std::uint8_t transmissions = 0;        // saturates
  std::uint8_t timeouts = 0;             // how often its retransmission time-out fired
  std::uint8_t loss_episode = 0;         // in which it was last declared lost; 0: never was
  std::uint8_t count : 7 = 1;            // fragments
  bool application_limited : 1 = false;  // rate sample

  [[nodiscard]] PacketContent content() const { return {kind, owner, fragment, count}; }
  [[nodiscard]] Instant first_transmission_at() const { return sent_at - std::chrono::microseconds(original_age); }
};
static_assert(sizeof(SentPacket) == 64);

// Full packets of one stream with consecutive ids, fragments and send numbers, sent for the first time at one moment.
struct SentRun {
  static constexpr std::uint32_t kMost = 64;

  SentPacket first;             // but for its state, which is in the masks
  std::uint64_t in_flight = 0;  // bit i: packet i is
  std::uint64_t apart = 0;      // bit i: packet i has a record of its own; what is in neither mask is settled
  std::uint32_t first_id = 0;
  std::uint32_t count = 0;

  // Packet `index` as a record of its own.
  [[nodiscard]] SentPacket packet(std::uint32_t index) const {
    SentPacket one = first;
    one.fragment += index * first.count;
    one.send_number += index;
    one.in_flight_at_send += index * first.bytes;
    one.state = (in_flight >> index & 1) != 0 ? SentState::kInFlight : SentState::kSettled;
    return one;
  }
};
static_assert(sizeof(SentRun) == 88);

// Order of send numbers: serial arithmetic, valid while they lie within 2^31 of each other.
[[nodiscard]] constexpr bool sent_before(std::uint32_t left, std::uint32_t right) {
  return static_cast<std::int32_t>(left - right) < 0;
}

class SentPackets {
 public:
  // `capacity_limit`: most ids between the oldest unsettled one and the newest, a power of two.
  // `fast_transmissions`: a packet sent more often leaves the send-order queue for the backed-off one.
  SentPackets(std::uint32_t first_id, std::size_t capacity_limit, std::uint8_t fast_transmissions);

  // From now on what stands in one packet has one send number: begin_packet() says when the next packet begins.
  void share_numbers() { shares_numbers_ = true; }
  void begin_packet() { ++send_number_; }

  // A tracked packet's first transmission. Requires an id at or after next_id() and within the capacity limit of
  // oldest_id(); ids left out become placeholders. The caller fills in the rate sample's fields.
  SentPacket& add(Instant now, std::uint32_t id, const PacketContent& content, std::uint32_t bytes) {
    if (ring_.next() != id) [[unlikely]]
      fill_up_to(id);
    SentPacket& packet = ring_.push(SentPacket{});
    packet.kind = content.kind;
    packet.owner = content.owner;
    packet.fragment = content.fragment;
    packet.count = content.count & 0x7f;
    packet.transmissions = 1;
    enter_flight(now, packet, bytes);
    queue(order_, id, packet.send_number);
    return packet;
  }
  // The same of `count` full packets of a stream, at most SentRun::kMost, with consecutive ids and fragments, each in a
  // packet of its own; `content` is the first one's. The caller fills in the rate sample's fields for that one.
  SentPacket& add_run(Instant now, std::uint32_t first_id, const PacketContent& content, std::uint32_t bytes,
                      std::uint32_t count);
  // Another transmission of a packet that is lost or still in flight (a probe).
  void resend(Instant now, std::uint32_t id, SentPacket& packet, std::uint32_t bytes);
  // Out of flight, to be sent again.
  void mark_lost(SentPacket& packet) {
    leave_flight(packet);
    packet.state = SentState::kLost;
  }
  // The one way out: acknowledged, abandoned or forgotten.
  void settle(SentPacket& packet) {
    leave_flight(packet);
    packet.state = SentState::kSettled;
  }
  // Releases settled packets and placeholders at the front of the ring. Pointers to packets end here.
  void release_front();

  // Settles packets of a run from `id` on that are in flight, at most `most`, and skips those that are settled.
  struct RunSettled {
    std::uint32_t skipped = 0;        // settled before; they come first
    std::uint32_t count = 0;          // settled now
    std::uint32_t last_number = 0;    // send number of the last of these
    const SentPacket* run = nullptr;  // SentRun::first; index of the first one settled in it:
    std::uint32_t index = 0;
  };
  // Both counts are 0 when `id` is not in a run, or has a record of its own.
  [[nodiscard]] RunSettled settle_run(std::uint32_t id, std::uint32_t most);

  // Null outside the ring. Valid until add() or release_front(). A packet of a run gets a record of its own here.
  [[nodiscard]] SentPacket* find(std::uint32_t id) {
    if (!ring_.contains(id)) return nullptr;
    if (const std::size_t at = run_at(id); at != kNoRun) [[unlikely]]
      take_apart(runs_[at], id);
    return ring_.find(id);
  }
  // Changes nothing. Nothing outside the ring.
  [[nodiscard]] std::optional<SentPacket> find(std::uint32_t id) const;
  [[nodiscard]] bool empty() const { return ring_.empty(); }
  [[nodiscard]] std::uint32_t oldest_id() const { return ring_.first(); }
  [[nodiscard]] std::uint32_t next_id() const { return ring_.next(); }
  [[nodiscard]] std::uint64_t bytes_in_flight() const { return bytes_in_flight_; }
  [[nodiscard]] std::uint32_t packets_in_flight() const { return packets_in_flight_; }
  // Of the latest transmission of all.
  [[nodiscard]] std::uint32_t newest_send_number() const { return send_number_; }

  // One transmission of a packet, or of `count` with consecutive ids and send numbers. Stale once the packet is not in
  // flight under that number any more.
  struct Transmission {
    std::uint32_t id = 0;
    std::uint32_t send_number = 0;
    std::uint32_t count = 1;
  };
  // Null if the (first) transmission is stale.
  [[nodiscard]] SentPacket* in_flight(const Transmission& transmission);
  [[nodiscard]] std::optional<SentPacket> in_flight(const Transmission& transmission) const;
  // In send order; stale entries included, but none at the front after LossDetector::prune().
  [[nodiscard]] const FifoRing<Transmission>& order() const { return order_; }
  void pop_order_front() { drop_order_front(1); }
  // The same of all transmissions at the front that are known to be settled from their run's record: how many.
  std::uint32_t pop_settled_front();
  // The transmission sent last among those in the queue that are in flight.
  [[nodiscard]] std::optional<Transmission> newest_in_order();
  // Transmissions of packets sent too often, in send order.
  [[nodiscard]] FifoRing<Transmission>& backed_off() { return backed_off_; }

  // Gives memory back if nothing is unsettled.
  void trim();

  // Records of runs that are held, and packets of runs that got records of their own so far.
  [[nodiscard]] std::size_t runs() const { return runs_.size(); }
  [[nodiscard]] std::uint64_t packets_apart() const { return packets_apart_; }

 private:
  static constexpr std::size_t kNoRun = std::numeric_limits<std::size_t>::max();
  static constexpr std::uint32_t kMostBytes = std::numeric_limits<std::uint16_t>::max();

  void leave_flight(SentPacket& packet) {
    if (packet.state != SentState::kInFlight) return;
    bytes_in_flight_ -= packet.bytes;
    --packets_in_flight_;
  }
  void enter_flight(Instant now, SentPacket& packet, std::uint32_t bytes) {
    GODWIT_ASSERT(bytes <= kMostBytes);
    packet.state = SentState::kInFlight;
    packet.sent_at = now;
    packet.bytes = static_cast<std::uint16_t>(bytes);
    if (!shares_numbers_) ++send_number_;
    packet.send_number = send_number_;
    bytes_in_flight_ += bytes;
    ++packets_in_flight_;
  }
  void queue(FifoRing<Transmission>& transmissions, std::uint32_t id, std::uint32_t send_number) {
    transmissions.push_back({.id = id, .send_number = send_number});
  }
  void fill_up_to(std::uint32_t id);
  void compact_queues();
  // Where the run of this packet stands in runs_; kNoRun when it has none.
  [[nodiscard]] std::size_t run_at(std::uint32_t id) const { return runs_.empty() ? kNoRun : find_run(id); }
  [[nodiscard]] std::size_t find_run(std::uint32_t id) const;
  void take_apart(SentRun& run, std::uint32_t id);
  // Whether one of the transmissions in the entry is in flight, or else, whether one has been settled.
  struct EntryState {
    bool in_flight = false;
    bool settled = false;
  };
  [[nodiscard]] EntryState state_of(const Transmission& entry) const;
  void drop_order_front(std::uint32_t count) {
    Transmission& front = order_[0];
    if (count == front.count) return order_.pop_front();
    front.id += count;
    front.send_number += count;
    front.count -= count;
  }
  bool release_run_front();

  std::size_t capacity_limit_;
  std::uint8_t fast_transmissions_;
  bool shares_numbers_ = false;
  SequenceRing<SentPacket> ring_;
  FifoRing<SentRun> runs_;              // by id
  mutable std::size_t latest_run_ = 0;  // where the one that was found last stands in runs_
  std::uint64_t packets_apart_ = 0;
  FifoRing<Transmission> order_;
  FifoRing<Transmission> backed_off_;
  std::uint32_t send_number_ = std::numeric_limits<std::uint32_t>::max();  // of the latest transmission; the first is 0
  std::uint32_t packets_in_flight_ = 0;
  std::uint64_t bytes_in_flight_ = 0;
};

}  // namespace godwit
