// What the receiver of data has learned about the path that its acknowledgements take, from two signs. A duplicate that
// the sender had reason to send means that acknowledgements were lost: each id is then repeated in more of the
// following packets. A round trip of pings that has grown means that a queue is filling. Where acknowledgements get
// lost, or a pair of pings shows that they fill a good part of the way that they take, they then wait for one another,
// in fewer and fuller packets, until the queue has gone or a bound is reached. Part of AckTracker. Invariants:
// repetitions() is at most AckPolicy::max_repetitions or the configured least number; delay() is at most max_delay +
// max_queue_delay.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/time.h"
#include "recovery/ack_policy.h"

namespace godwit {

class AckPath {
 public:
  // `policy` outlives it.
  explicit AckPath(const AckPolicy& policy)
      : policy_(&policy), path_delay_(policy.initial_delay), raised_(policy.queue.repetitions) {}

  // The least round trip, known from packets of our own: without a queue the delay is an eighth of it.
  void set_minimum(Duration round_trip);
  // A ping was answered after `round_trip`; `minimum` is the least one.
  void on_round_trip(Duration round_trip, Duration minimum);
  // Two pings at one instant, with acknowledgements between them, were answered `apart` later than they had been sent;
  // `bytes` followed the first one (PingPair).
  void on_pair(std::uint32_t bytes, Duration apart);
  // A packet came again although its acknowledgement had been sent long enough ago to be known to the sender.
  void on_needless_duplicate(Instant now);
  // Once per batch, with the packets in it that were new.
  void on_batch_end(Instant now, std::uint64_t new_packets);
  // A packet of `ids` acknowledgements went out.
  void on_packet_sent(std::size_t ids) {
    ++packets_since_probe_;
    bytes_since_probe_ += static_cast<std::uint32_t>(kPacketBytes + kIdBytes * ids);
  }

  // Everything that went out, those packets included, as `bytes` on the wire.
  void on_sent(std::size_t bytes) { all_bytes_since_probe_ += static_cast<std::uint32_t>(bytes); }

  // How long the oldest acknowledgement waits at most.
  [[nodiscard]] Duration delay() const { return path_delay_ + queue_delay_; }
  // Least time between two packets of acknowledgements, the prompt ones included. Zero while no queue shows.
  [[nodiscard]] Duration spacing() const { return queue_delay_ / 2; }
  // In how many later packets each acknowledgement is repeated: one less than duplicates ask for where a queue holds
  // acknowledgements back, since repetitions make it longer.
  [[nodiscard]] std::uint32_t repetitions() const;
  // Whether acknowledgements are known to get lost.
  [[nodiscard]] bool lossy() const { return raised_ > policy_->queue.repetitions; }
  // Of acknowledgements waiting: half of a packet, or less when the rest of it is needed for repetitions.
  [[nodiscard]] std::uint32_t threshold() const;
  // An acknowledgement sent less than this ago cannot have been missed by the sender yet.
  [[nodiscard]] Duration soonest_reaction() const { return minimum_ / 2; }

  // Whether the round trip should be measured again by a ping.
  [[nodiscard]] bool probe_due(Instant now) const;
  void on_probe_sent(Instant now);
  // Whether the ping that measures should have a second one behind the acknowledgements that are waiting: a queue
  // shows, or the latest pair is old that says how narrow the way is.
  [[nodiscard]] bool pair_due(Instant now) const;
  void on_pair_sent(Instant now);

 private:
  // On the wire, of the smallest packet and of each acknowledgement in it.
  static constexpr std::size_t kPacketBytes = 75;
  static constexpr std::size_t kIdBytes = 4;
  static constexpr std::uint32_t kPingBytes = 98;

  void change_repetitions(Instant now, std::uint32_t repetitions);
  void lengthen(Duration round_trip);
  [[nodiscard]] bool fills_its_way() const;

  const AckPolicy* policy_;
  Duration minimum_{};      // zero: not known
  Duration round_trip_{};   // of the latest ping answered; zero: none was
  Duration path_delay_;     // what acknowledgements wait without a queue
  Duration queue_delay_{};  // and besides because the round trip has grown
  Instant changed_at_{};    // the repetitions
  Instant calm_since_{};    // no needless duplicate since
  Instant probed_at_{};
  Instant paired_at_{};
  std::uint32_t packets_since_change_ = 0;
  std::uint32_t duplicates_since_change_ = 0;
  std::uint32_t packets_since_probe_ = 0;
  std::uint32_t bytes_since_probe_ = 0;  // of acknowledgements
  std::uint32_t all_bytes_since_probe_ = 0;
  std::uint32_t bytes_per_second_ = 0;      // of acknowledgements and pings, between the last two probes
  std::uint32_t all_bytes_per_second_ = 0;  // of everything, averaged over a few probes
  std::uint32_t way_bytes_per_second_ = 0;  // what their way carries, the latest pair says
  std::uint16_t in_vain_ = 0;        // measurements in a row that showed a queue although acknowledgements waited
  std::uint16_t ignored_ = 0;        // measurements still to be ignored: the queue was that of the data
  std::uint16_t next_ignored_ = 32;  // how many the next time
  bool grown_ = false;               // the latest round trip, beyond what bursts explain
  bool narrow_ = false;              // acknowledgements fill a good part of their way, the latest pair says
  std::uint8_t wide_doubts_ = 0;     // of pairs since the latest that showed a narrow way
  std::uint8_t raised_;              // repetitions that duplicates ask for
};

}  // namespace godwit
