// What Recovery found out, as values: the outcome of one acknowledgement batch and of one time-out. The connection
// applies them to streams, congestion controller and trace. Vectors are reused: read before the next call into
// Recovery.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"
#include "recovery/delivery_rate.h"
#include "recovery/sent_packets.h"

namespace godwit {

// Consecutive fragments of one stream, or one message or control packet (count 1).
struct AckedRange {
  PacketContent::Kind kind = PacketContent::Kind::kControl;
  std::uint32_t owner = 0;
  std::uint32_t first_fragment = 0;
  std::uint32_t count = 0;  // of fragments
  std::uint64_t bytes = 0;  // of datagrams
};

// One packet declared lost, with what congestion controllers ask of it (draft-ietf-ccwg-bbr: HandleLostPacket).
struct LostRecord {
  std::uint32_t id = 0;
  std::uint32_t bytes = 0;
  PacketContent content;
  Instant sent_at{};
  std::uint64_t tx_in_flight = 0;  // bytes in flight just after it was sent
  std::uint64_t lost_since = 0;    // bytes declared lost since it was sent, itself included
  bool is_app_limited = false;
};

// Losses found in one call.
struct LossOutcome {
  std::vector<LostRecord> lost;  // in send order
  std::uint64_t lost_bytes = 0;
  std::uint64_t lost_packets = 0;
  Instant latest_lost_sent_at{};  // of the packet sent last among them; meaningless if there are none
  // No packet got through for three probe time-outs (RFC 9002 section 7.6), or two RTOs fired in a row.
  bool persistent_congestion = false;

 protected:
  void reset_losses();
};

struct AckOutcome : LossOutcome {
  std::vector<AckedRange> acked;  // in the order of the acknowledgements
  std::uint64_t acked_bytes = 0;
  std::uint64_t acked_packets = 0;
  std::uint32_t largest_acked_bytes = 0;    // of a datagram among them, as it was last sent
  std::uint64_t prior_bytes_in_flight = 0;  // before this batch
  Instant latest_acked_sent_at{};           // of the packet sent last among the acked; meaningless if there are none
  std::optional<Duration> rtt_sample;
  Duration ack_delay{};  // by packet number: how long the peer says it has held the sample's acknowledgement
  RateSample rate;
  // Packets of this batch that had been declared lost although they had arrived.
  std::uint64_t spurious_packets = 0;
  std::uint64_t withdrawn_packets = 0;  // of them: not sent again yet
  std::uint64_t spurious_bytes = 0;
  // A tail-loss probe was what arrived: the original, sent at this time, was lost although it never counted as such
  // (RFC 8985 section 7.4.2). A reason to reduce, but no bytes left the flight as lost.
  std::optional<Instant> probe_repaired_loss;
  // All losses since the latest reduction have turned out to be spurious: the reduction may be undone. Loss detection
  // treats the next loss as the start of a new episode.
  bool spurious_loss_undone = false;
  // Acknowledgements of nothing that is outstanding.
  std::uint32_t stale_acks = 0;        // of packets settled before; repeats are normal
  std::uint32_t untracked_acks = 0;    // of Ping, Pong, NoOp, or id 0
  std::uint32_t misbehaving_acks = 0;  // of ids never sent (wire spec W20): the connection ends

  // Empty again, capacity kept.
  void reset(std::uint64_t bytes_in_flight);
};

// A packet to send again, under the same id.
struct LostPacket {
  std::uint32_t id = 0;
  PacketContent content;
  std::uint32_t bytes = 0;  // of the datagram last time
  bool is_probe = false;    // a tail-loss probe: goes whatever the congestion window says
};

struct AbandonedPacket {
  std::uint32_t id = 0;
  PacketContent content;
  std::uint32_t bytes = 0;
};

struct TimeoutOutcome : LossOutcome {
  std::uint64_t prior_bytes_in_flight = 0;
  bool probe_wanted = false;               // poll_retransmit() yields a tail-loss probe
  bool timed_out = false;                  // the retransmission time-out fired and backed off
  std::vector<AbandonedPacket> abandoned;  // given up after the last retransmission; settled, not to be sent again

  void reset(std::uint64_t bytes_in_flight);
};

}  // namespace godwit
