// The sender's half of reliability, joined: sent packets, round-trip time, loss detection, delivery rate, time-outs.
// One per send epoch of a connection. Decides and reports values; the connection sends, and tells streams and the
// congestion controller.
//   OUT   may_send_new() -> next_packet_id() -> on_sent();  poll_retransmit() -> on_retransmitted() or discard()
//   IN    begin_acks() -> on_ack() for each acknowledgement of one received batch -> finish_acks()
// Where both sides acknowledge packet numbers (use_numbers()) begin_packet() comes before each on_sent() and
// on_retransmitted(), and on_ranges() takes the place of on_ack(): the rest is the same, but that an acknowledgement
// tells which transmission has come.
//   TIME  next_timeout() -> handle_timeout()
// In recovery.cc (sending), recovery_acks.cc, recovery_timeouts.cc.
// Invariants: bytes_in_flight() is the sum over the ring; an id is never given out twice within a round of the counter.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/number_range.h"
#include "base/random.h"
#include "base/time.h"
#include "recovery/ack_outcome.h"
#include "recovery/delivery_rate.h"
#include "recovery/fifo_ring.h"
#include "recovery/loss_detector.h"
#include "recovery/rtt_estimator.h"
#include "recovery/sent_numbers.h"
#include "recovery/sent_packets.h"

namespace godwit {

struct RecoveryConfig {
  RttConfig rtt;
  LossConfig loss;
  std::uint32_t first_packet_id = 1;    // wire spec 5.9: ordinary packets start at 1
  std::uint32_t span_limit = 1u << 16;  // ids from the oldest unsettled to the next one; a power of two
  std::uint8_t max_timeouts = 12;       // retransmissions by time-out until a packet is abandoned
  // A receiver forgets after ten minutes which ids are missing and acknowledges them unread: nothing is sent again so
  // late.
  Duration max_packet_age = std::chrono::minutes(9);
  bool skip_ids = true;            // wire spec W20
  std::uint32_t skip_least = 500;  // packets between two skipped ids: uniform in [least, most]
  std::uint32_t skip_most = 1500;
  Duration skip_interval = 250ms;  // and at least this long: the receiver keeps each as a gap for ten minutes
};

// Ids of the first transmissions of one message, both included. Packets of others may lie in between.
struct PacketIdRange {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
};

// At every moment packets_sent is the sum of packets_acked, packets_abandoned, packets_forgotten and of the unsettled
// packets in the ring, those in flight and those that wait to be sent again.
struct RecoveryStatistics {
  std::uint64_t packets_sent = 0;           // tracked, first transmissions
  std::uint64_t packets_retransmitted = 0;  // probes included
  std::uint64_t packets_acked = 0;
  std::uint64_t packets_lost = 0;             // declarations
  std::uint64_t packets_spuriously_lost = 0;  // and sent again
  std::uint64_t packets_abandoned = 0;
  std::uint64_t packets_forgotten = 0;  // unsettled, of a message that had ended
  std::uint64_t probes = 0;
  std::uint64_t needless_probes = 0;
  std::uint64_t timeouts = 0;
  std::uint64_t ids_skipped = 0;
  std::uint64_t stale_acks = 0;
  std::uint64_t untracked_acks = 0;
  std::uint64_t misbehaving_acks = 0;
  std::uint64_t packets_searched = 0;  // by forget_owner()
  std::uint64_t packets_apart = 0;     // of a run, that got a record of their own
};

class Recovery {
 public:
  // `random` must outlive it; used for skipped ids only.
  Recovery(const RecoveryConfig& config, RandomSource& random);

  // Before anything is sent: the peer acknowledges packet numbers. Instead of ids numbers are left out (W20).
  void use_numbers();

  // --- Sending ---
  // The tracked frames that follow stand in packet `number`; numbers never fall. Nothing without use_numbers().
  void begin_packet(std::uint64_t number) {
    if (!by_number_) return;
    if (numbers_ == nullptr) [[unlikely]]
      numbers_ = std::make_unique<SentNumbers>();
    numbers_->begin(number);
    sent_.begin_packet();
  }
  // The next packet number is to be left out: on_left_out() says that it was.
  [[nodiscard]] bool number_to_leave_out() const { return skip_number_; }
  void on_left_out(std::uint64_t number);

  // Takes the next id, for a packet of any kind. Ids of packets that are not tracked (Ping, Pong, NoOp) are taken and
  // never reported by on_sent.
  [[nodiscard]] std::uint32_t next_packet_id() {
    const std::uint32_t id = next_id_++;
    ++ids_taken_;
    if (skips_ && --until_skip_ == 0) [[unlikely]]
      consider_skip();
    return id;
  }
  // The next ids, at most `most`, which is not 0; how many.
  struct PacketIds {
    std::uint32_t first = 0;
    std::uint32_t count = 0;
  };
  [[nodiscard]] PacketIds next_packet_ids(std::uint32_t most) {
    const PacketIds ids{.first = next_id_, .count = skips_ ? std::min(most, until_skip_) : most};
    next_id_ += ids.count;
    ids_taken_ += ids.count;
    if (skips_ && (until_skip_ -= ids.count) == 0) [[unlikely]]
      consider_skip();
    return ids;
  }
  // How many new tracked packets may be sent before the oldest unsettled one is settled. Retransmissions always may.
  [[nodiscard]] std::uint32_t new_packet_room() const;
  [[nodiscard]] bool may_send_new() const { return new_packet_room() > 0; }
  // A new tracked packet went out. Requires may_send_new() before its id was taken, ids in ascending order, bytes <
  // 65536.
  void on_sent(Instant now, std::uint32_t id, const PacketContent& content, std::uint32_t bytes) {
    const std::uint64_t in_flight = sent_.bytes_in_flight();
    const bool after_idle = sent_.empty();
    SentPacket& packet = sent_.add(now, id, content, bytes);
    rate_.stamp(now, after_idle, in_flight, packet);
    if (by_number_) numbers_->add(id, packet.send_number);
    latest_transmission_at_ = now;
    ++statistics_.packets_sent;
  }
  // A run of new tracked packets went out: `count` full fragments of one stream, at most SentRun::kMost, with ids from
  // `first_id` on, each in a packet of `bytes` bytes; `content` is the first one's. With use_numbers() the first stands
  // in packet `number`, each in the one after that of the one before, and begin_packet() is not called.
  void on_sent_run(Instant now, std::uint32_t first_id, const PacketContent& content, std::uint32_t bytes,
                   std::uint32_t count, std::uint64_t number = 0);
  // What poll_retransmit() named went out again.
  void on_retransmitted(Instant now, std::uint32_t id, std::uint32_t bytes);
  // There is nothing more to send although congestion window and pacer would allow it.
  void on_application_limited() { rate_.on_application_limited(sent_.bytes_in_flight()); }

  // What to send again next, in the order it was declared lost; a probe comes first. The same packet is named until
  // on_retransmitted(), discard() or an acknowledgement settles the matter.
  [[nodiscard]] std::optional<LostPacket> poll_retransmit();
  [[nodiscard]] bool has_retransmission() { return poll_retransmit().has_value(); }
  // Only the first `count` fragments of this packet go out under its id from now on: the others get ids of their own.
  void shorten(std::uint32_t id, std::uint8_t count);
  // This packet's content is gone: forget it. Unknown ids are ignored.
  void discard(std::uint32_t id);
  // Forgets all packets of a failed or cancelled stream or message, whose ids lie in `sent`. Returns the bytes that
  // left the flight. Looks only at the packets in that range that are still in the ring: at one for a short message.
  std::uint64_t forget_owner(PacketContent::Kind kind, std::uint32_t owner, PacketIdRange sent);

  // --- Acknowledgements: one batch of datagrams together, so that order within the batch does not look like loss ---
  void begin_acks(Instant now);
  [[nodiscard]] bool collecting_acks() const { return batch_.open; }
  void on_ack(std::uint32_t id) { on_acks(id, 1); }
  // Of `count` ids from `first` on.
  void on_acks(std::uint32_t first, std::uint32_t count) {
    while (count > 0) {
      const std::uint32_t done = acknowledge_run(first, count);
      if (done == 0) on_single_ack(first);
      first += std::max(done, 1U);
      count -= std::max(done, 1U);
    }
  }
  // An acknowledgement that stands twice in a row: the packet reached the peer more than once, so that an earlier
  // transmission had arrived. An acknowledgement alone cannot tell, since a retransmission keeps its packet id.
  void on_duplicate_ack(std::uint32_t id);
  // The peer has received packets with these numbers, newest first, the newest awaited one of them `delay` before it
  // said so. `next_number` is that of the next packet: one from there on was never sent. Requires use_numbers().
  // Returns how many of the numbers `among` it acknowledges for the first time.
  std::uint64_t on_ranges(std::span<const NumberRange> newest_first, Duration delay, std::uint64_t next_number,
                          const NumberRange& among = {.first = 1, .last = 0});
  // Valid until the next call of a method that is not const.
  [[nodiscard]] const AckOutcome& finish_acks();

  // --- Time ---
  [[nodiscard]] std::optional<Instant> next_timeout() const;
  // Harmless when nothing is due. The outcome is valid until the next call of a method that is not const.
  [[nodiscard]] const TimeoutOutcome& handle_timeout(Instant now);
  // The peer has just answered a ping: the path works, and what was sent before waits one time-out without back-off.
  void on_path_proven();
  // How often the retransmission time-out is doubled.
  [[nodiscard]] std::uint8_t backoff() const { return backoff_; }

  // --- State ---
  [[nodiscard]] std::uint64_t bytes_in_flight() const { return sent_.bytes_in_flight(); }
  [[nodiscard]] std::uint32_t packets_in_flight() const { return sent_.packets_in_flight(); }
  // True if any packet is unsettled: in flight or waiting to be sent again.
  [[nodiscard]] bool outstanding() const { return !sent_.empty(); }
  // Feed ping samples here.
  [[nodiscard]] RttEstimator& rtt() { return rtt_; }
  [[nodiscard]] const RttEstimator& rtt() const { return rtt_; }
  [[nodiscard]] const LossDetector& losses() const { return losses_; }
  [[nodiscard]] const SentPackets& sent() const { return sent_; }
  [[nodiscard]] bool application_limited() const { return rate_.application_limited(); }
  [[nodiscard]] std::uint64_t total_delivered() const { return rate_.total_delivered(); }
  [[nodiscard]] const RecoveryStatistics& statistics() const { return statistics_; }
  // Gives memory back on an idle connection; nothing happens while packets are outstanding.
  void trim();

 private:
  // The transmissions acknowledged by the batch under way, by send number.
  struct AckBatch {
    Instant now{};
    bool open = false;
    bool any_original = false;  // packets sent only once: what they say is unambiguous
    std::uint32_t newest_original = 0;
    std::uint32_t newest_original_id = 0;
    std::uint32_t oldest_original = 0;
    bool any_resent = false;  // retransmissions
    std::uint32_t newest_resent = 0;
    std::uint32_t newest_resent_id = 0;
  };

  void note_original(std::uint32_t id, std::uint32_t send_number) {
    if (!batch_.any_original) [[unlikely]] {
      batch_.any_original = true;
      batch_.oldest_original = batch_.newest_original = send_number;
      batch_.newest_original_id = id;
      return;
    }
    if (sent_before(batch_.newest_original, send_number)) {
      batch_.newest_original = send_number;
      batch_.newest_original_id = id;
    } else if (sent_before(send_number, batch_.oldest_original)) {
      batch_.oldest_original = send_number;
    }
  }
  void acknowledge(SentPacket& packet) {
    sent_.settle(packet);
    count_acknowledged(packet.content(), packet.bytes, 1);
  }
  // `packets` of them from this one on.
  void count_acknowledged(const PacketContent& content, std::uint32_t bytes, std::uint32_t packets) {
    const std::uint64_t all = std::uint64_t{bytes} * packets;
    const std::uint32_t fragments = packets * content.count;
    outcome_->acked_bytes += all;
    outcome_->acked_packets += packets;
    outcome_->largest_acked_bytes = std::max(outcome_->largest_acked_bytes, bytes);
    if (content.kind == PacketContent::Kind::kFragment && !outcome_->acked.empty()) {
      AckedRange& range = outcome_->acked.back();
      if (range.owner == content.owner && range.first_fragment + range.count == content.fragment &&
          range.kind == PacketContent::Kind::kFragment) {
        range.count += fragments;
        range.bytes += all;
        return;
      }
    }
    outcome_->acked.push_back({content.kind, content.owner, content.fragment, fragments, all});
  }
  // How many of them, from the first on, a run's record says to be settled, by this acknowledgement or before.
  std::uint32_t acknowledge_run(std::uint32_t first, std::uint32_t count);
  void on_single_ack(std::uint32_t id);
  void on_transmission_ack(const SentNumbers::Entry& transmission, std::uint32_t count);
  void on_frame_ack(std::uint32_t id, const SentNumbers::Entry& transmission);
  void on_unusual_transmission_ack(std::uint32_t id, SentPacket* packet, const SentNumbers::Entry& transmission);
  void on_earlier_transmission_ack(SentPacket& packet, std::uint32_t send_number);
  void note_spurious(const SentPacket& packet);
  void take_sample(Duration sample, bool tail);
  void forget(SentPacket& packet);
  void on_unusual_ack(std::uint32_t id, SentPacket* packet);
  void on_resent_ack(std::uint32_t id, SentPacket& packet);
  void note_resent(std::uint32_t id, const SentPacket& packet);
  void note_needless(const SentPacket& packet);
  void note_doubtful(const SentPacket& packet);
  void on_answered_probe(const SentPacket& packet);
  void on_unsent_ack(std::uint32_t id);
  void conclude_originals();
  [[nodiscard]] std::optional<SentPacket> conclude_newest();
  void book_losses(LossOutcome& outcome, std::size_t first);
  void consider_skip();
  void draw_skip();
  [[nodiscard]] bool was_skipped(std::uint32_t id) const;
  [[nodiscard]] std::uint32_t oldest_id() const { return sent_.empty() ? next_id_ : sent_.oldest_id(); }

  // Time-outs: recovery_timeouts.cc.
  [[nodiscard]] Duration backed_off(std::uint32_t doublings) const;
  [[nodiscard]] std::optional<Instant> retransmission_deadline() const;
  [[nodiscard]] std::optional<Instant> probe_deadline() const;
  void on_retransmission_timeout(Instant now);
  void on_probe_timeout();
  void check_backed_off(Instant now);
  [[nodiscard]] Instant backed_off_deadline(const SentPacket& packet) const;
  void count_timeouts(Instant now, std::size_t first);

  RandomSource* random_;
  RttEstimator rtt_;
  SentPackets sent_;
  LossDetector losses_;
  DeliveryRate rate_;
  RecoveryStatistics statistics_;
  std::unique_ptr<AckOutcome> outcome_;  // from the first batch on; an idle connection does without
  std::unique_ptr<TimeoutOutcome> timeout_;
  AckBatch batch_;

  // Of the configuration, what the parts above do not keep.
  Duration max_packet_age_;
  Duration skip_interval_;
  std::uint32_t span_limit_;
  std::uint32_t skip_least_;
  std::uint32_t skip_most_;
  std::uint8_t max_timeouts_;
  bool skips_;
  bool by_number_ = false;
  bool skip_number_ = false;  // at the next occasion

  std::uint32_t next_id_;
  std::uint32_t until_skip_ = 0;
  std::uint64_t ids_taken_ = 0;  // skipped ones included
  Instant skipped_at_{};
  FifoRing<std::uint32_t> skipped_;       // as far back as an acknowledgement might still name them
  std::unique_ptr<SentNumbers> numbers_;  // with use_numbers(), while anything is outstanding
  FifoRing<std::uint32_t> lost_;          // to be sent again; stale entries are dropped on the way

  Instant latest_transmission_at_{};
  Instant latest_progress_at_{};      // a packet was acknowledged
  std::uint8_t backoff_ = 0;          // doublings
  std::uint8_t timeouts_in_row_ = 0;  // without any packet acknowledged in between
  bool probe_pending_ = false;        // wanted, not sent yet
  std::uint32_t probe_id_ = 0;
  std::optional<Instant> probe_sent_at_;        // and nothing was acknowledged since
  bool probe_in_doubt_ = false;                 // one was answered, and no clean sample of a tail came since
  std::uint32_t path_proven_before_ = 0;        // send number; later transmissions wait for their back-off
  std::optional<Instant> backed_off_deadline_;  // the first time-out among packets sent too often
};

}  // namespace godwit
