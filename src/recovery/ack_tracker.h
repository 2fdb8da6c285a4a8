// The receiver's half of reliability: is this packet new, and when do its acknowledgements go back? One per receive
// epoch of a connection (wire spec 5.8: a new session means a new tracker). The connection calls, for every
// acknowledged kind of packet, on_packet and queue_ack (duplicates too: wire spec 5.5); after each received batch
// on_batch_end; then it sends acknowledgements if due(), and otherwise at deadline() or with whatever goes out before.
// NoOps of new peers, Ping, Pong and handshake acks never come here.
// Where both sides acknowledge packet numbers (docs/extended_sessions.md, section 5.2) queue_ack() says of a packet
// that its acknowledgement is awaited, end_packet() concludes it, and take_ranges() takes the place of take(); which
// ids are duplicates, and when acknowledgements are due, is the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/time.h"
#include "recovery/ack_path.h"
#include "recovery/ack_policy.h"
#include "recovery/ack_queue.h"
#include "recovery/noop_ids.h"
#include "recovery/received_ids.h"
#include "recovery/received_numbers.h"

namespace godwit {

struct AckStatistics {
  std::uint64_t new_packets = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t acks_taken = 0;  // written into packets, repetitions included
  std::uint64_t acks_repeated = 0;
  std::uint64_t needless_duplicates = 0;  // the sender had missed their acknowledgements
  std::uint64_t acks_overflowed = 0;
  std::uint64_t ids_passed_by_age = 0;
  std::uint64_t ids_passed_by_limit = 0;
};

class AckTracker {
 public:
  // `policy` outlives it: a connection keeps no copy of what all share.
  explicit AckTracker(const AckPolicy& policy = kDefaultAckPolicy);
  explicit AckTracker(const AckPolicy&& policy) = delete;

  // Before the first packet: packet numbers are acknowledged, not ids.
  void acknowledge_numbers() { by_number_ = true; }
  [[nodiscard]] bool by_number() const { return by_number_; }

  // Records a packet that authenticated and decoded. Constant time in order.
  DuplicateCheck on_packet(Instant now, std::uint32_t id) {
    DuplicateCheck duplicate_check = ids_.insert(now, id);
    if (duplicate_check == DuplicateCheck::kDuplicate && noops_.erase(id)) [[unlikely]] {
      duplicate_check = DuplicateCheck::kNew;
    }
    latest_new_ = duplicate_check == DuplicateCheck::kNew;
    latest_duplicate_ = !latest_new_;
    latest_id_ = id;
    new_packets_ += latest_new_ ? 1 : 0;
    duplicates_ += latest_new_ ? 0 : 1;
    return duplicate_check;
  }
  // What on_packet would answer, without recording anything.
  [[nodiscard]] bool is_duplicate(std::uint32_t id) const { return ids_.is_duplicate(id) && !noops_.contains(id); }
  // Records a NoOp. Another message under the same id is new all the same (wire spec 5.6, W31).
  DuplicateCheck on_noop(Instant now, std::uint32_t id);
  // A NoOp of a peer whose NoOps may have the ids of messages: recorded apart, so that these leave no gap. kNew unless
  // it is a replay of a recent one.
  DuplicateCheck on_tracked_noop(std::uint32_t id);

  // Queues an acknowledgement; an id already waiting is not queued twice. Any id may be queued (wire spec 5.9),
  // on_packet or not.
  void queue_ack(Instant now, std::uint32_t id) {
    if (by_number_) return await_acknowledgement(now);
    const bool latest = id == latest_id_;
    const bool known_new = latest_new_ && latest;
    latest_new_ = false;
    if (latest && latest_duplicate_) [[unlikely]] {
      queue_duplicate(now, id);
    } else if (!queue_.push(now, id, known_new)) {
      flush_at_ = now;
    }
  }

  // Whether a packet with this id would be the next in order.
  [[nodiscard]] bool is_next(std::uint32_t id) const { return ids_.is_next(id); }
  // `count` packets of one acknowledged frame each have been taken, whose ids are the next in order, and whose packet
  // numbers, by which the peer may want them acknowledged, go from `number` on: on_packet(), queue_ack() and
  // end_packet() of each.
  void on_run(Instant now, std::uint32_t id, std::uint32_t count, std::uint64_t number) {
    ids_.insert_next(count);
    new_packets_ += count;
    latest_new_ = latest_duplicate_ = false;
    latest_id_ = id + count - 1;
    if (!by_number_) {
      if (!queue_.push_run(now, id, count)) flush_at_ = now;
      return;
    }
    if (numbers_ == nullptr) [[unlikely]]
      numbers_ = std::make_unique<ReceivedNumbers>();
    numbers_->add_run(now, number, count);
    packet_refused_ = packet_awaited_ = false;
  }

  // A frame of the present packet has not been taken: it is not acknowledged, and its content will come again.
  void refuse_packet() { packet_refused_ = true; }
  // All frames of packet `number` have been processed; not for a copy of a packet.
  void end_packet(Instant now, std::uint64_t number) {
    if (!packet_refused_) {
      if (numbers_ == nullptr) [[unlikely]]
        numbers_ = std::make_unique<ReceivedNumbers>();
      numbers_->add(now, number, packet_awaited_);
    }
    packet_refused_ = packet_awaited_ = false;
  }

  // The sender is likely to wait for what has just arrived (end of a stream, a message): no delay after this batch.
  void hint_tail() { batch_is_tail_ = true; }
  // The least round trip: the delay follows it.
  void set_rtt(Duration minimum) { path_.set_minimum(minimum); }
  // A ping was answered after `round_trip`: the delay grows while that is long (AckPath). `minimum`: the least one.
  void on_round_trip(Duration round_trip, Duration minimum) { path_.on_round_trip(round_trip, minimum); }
  // Whether enough acknowledgements have gone out since the last one that the connection should send a ping.
  [[nodiscard]] bool probe_due(Instant now) const { return path_.probe_due(now); }
  void on_probe_sent(Instant now) { path_.on_probe_sent(now); }
  // Of everything that goes the way that acknowledgements take.
  void on_sent(std::size_t wire_bytes) { path_.on_sent(wire_bytes); }
  // Makes what is waiting due at once when that ping should have a second one behind it (PingPair); false otherwise.
  [[nodiscard]] bool begin_pair(Instant now) {
    if (pending() == 0 || !path_.pair_due(now)) return false;
    path_.on_pair_sent(now);
    flush_at_ = now;
    return true;
  }
  // Both were answered: `bytes` followed the first, and took `apart`.
  void on_pair(std::uint32_t bytes, Duration apart) { path_.on_pair(bytes, apart); }

  // Once after each received batch, before due().
  void on_batch_end(Instant now);
  // Whether acknowledgements should be sent now even if nothing else is.
  [[nodiscard]] bool due(Instant now) const;
  // When due() becomes true by itself; nothing when no acknowledgement waits and none has to be repeated without new
  // ones.
  [[nodiscard]] std::optional<Instant> deadline() const;
  // Most acknowledgements that the caller is to put into one packet of their own.
  [[nodiscard]] std::size_t acks_per_packet() const { return policy_->acks_per_packet; }
  // Acknowledgements waiting, repetitions not counted.
  [[nodiscard]] std::size_t pending() const {
    if (!by_number_) return queue_.size();
    return numbers_ == nullptr ? 0 : numbers_->waiting();
  }

  // By packet numbers: the most ranges that the next take_ranges() writes.
  [[nodiscard]] std::size_t range_count() const { return numbers_ == nullptr ? 1 : numbers_->range_count(); }

  // Writes waiting acknowledgements to `out`, oldest first; what is left of it is filled with recent ones if
  // `repeat_recent`. Returns how many were written. The caller sends them: an acknowledgement taken is not waiting any
  // more.
  std::size_t take(Instant now, std::span<std::uint32_t> out, bool repeat_recent);
  // The same by packet numbers: writes ranges, newest first, and returns how many. All that wait are taken, if `out`
  // has room for ReceivedNumbers::kMaxRanges. `delay`: ReceivedNumbers::take().
  std::size_t take_ranges(Instant now, std::span<NumberRange> out, Duration& delay);

  // Gives memory back on an idle connection. Ids are kept.
  void trim();

  [[nodiscard]] AckStatistics statistics() const;
  [[nodiscard]] std::size_t gap_count() const { return ids_.gap_count(); }
  // In how many later packets each acknowledgement is repeated at present.
  [[nodiscard]] std::uint32_t repetitions() const { return path_.repetitions(); }
  [[nodiscard]] Duration delay() const { return path_.delay(); }

 private:
  static constexpr Instant kNever = Instant::max();
  void queue_duplicate(Instant now, std::uint32_t id);
  void await_acknowledgement(Instant now) {
    packet_awaited_ = true;
    if (latest_duplicate_) [[unlikely]] {
      latest_duplicate_ = false;
      ++needless_duplicates_;
      path_.on_needless_duplicate(now);
    }
  }
  // Requires pending() > 0.
  [[nodiscard]] Instant oldest_pending() const { return by_number_ ? numbers_->oldest() : queue_.oldest(); }
  [[nodiscard]] bool disorder() const {
    return by_number_ ? numbers_ != nullptr && numbers_->disorder() : ids_.disorder();
  }
  // `units`: of four bytes each, that the acknowledgements take.
  void on_taken(Instant now, std::size_t fresh, std::size_t units);

  const AckPolicy* policy_;
  ReceivedIds ids_;
  NoOpIds noops_;          // in ids_ by a NoOp alone
  NoOpIds tracked_noops_;  // not in ids_
  AckQueue queue_;
  std::unique_ptr<ReceivedNumbers> numbers_;  // null while there is nothing to tell
  AckPath path_;
  Instant flush_at_ = kNever;  // what has just arrived is urgent
  Instant taken_at_{};         // the latest acknowledgements
  std::uint32_t latest_id_ = 0;
  // Bits, as an idle connection is to be small.
  bool latest_new_ : 1 = false;
  bool latest_duplicate_ : 1 = false;
  bool batch_is_tail_ : 1 = false;
  bool by_number_ : 1 = false;
  bool packet_awaited_ : 1 = false;  // a frame of the present packet asks for an acknowledgement
  bool packet_refused_ : 1 = false;
  std::uint8_t tail_repeats_left_ = 0;     // packets of repetitions alone, should nothing new come
  std::uint32_t duplicates_at_batch_ = 0;  // modulo 2^32
  std::uint32_t new_packets_at_batch_ = 0;
  std::uint64_t new_packets_ = 0;
  std::uint64_t duplicates_ = 0;
  std::uint64_t taken_ = 0;
  std::uint64_t needless_duplicates_ = 0;
};

}  // namespace godwit
