// The receiver's half of reliability: is this packet new, and when do its receipts go back? One per receive epoch of a
// connection (wire spec 5.8: a new session means a new tracker). The connection calls, for every receipted kind of
// packet, on_packet and queue_receipt (duplicates too: wire spec 5.5); after each received run on_batch_end; then it
// sends receipts if due(), and otherwise at deadline() or with whatever goes out before. NoOps of new peers, Ping,
// Pong and handshake acks never come here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/time.h"
#include "recovery/noop_ids.h"
#include "recovery/receipt_queue.h"
#include "recovery/received_ids.h"

namespace godwit {

// When receipts are due: at `threshold` waiting ones, at the end of a batch that opened or filled a gap, held a
// duplicate or a hinted tail, at the end of each of the first batches, or once the oldest has waited
// clamp(round trip / 8, min_delay, max_delay).
struct AckPolicy {
  std::uint32_t threshold = 144;  // half of what one NoOp carries: the other half repeats
  Duration min_delay = 250us;
  Duration max_delay = 20ms;
  Duration initial_delay = 1ms;       // before set_rtt
  std::uint32_t prompt_packets = 64;  // of a young connection: the sender's window is still small
  // Most receipts of one packet of their own. 1, with a threshold of 1: a packet of receipts for each packet, as simple
  // transports do.
  std::uint32_t receipts_per_packet = 288;
  ReceiptQueueConfig queue;
};

inline constexpr AckPolicy kDefaultAckPolicy;

struct AckStatistics {
  std::uint64_t new_packets = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t receipts_taken = 0;  // written into packets, repetitions included
  std::uint64_t receipts_repeated = 0;
  std::uint64_t receipts_overflowed = 0;
  std::uint64_t ids_passed_by_age = 0;
  std::uint64_t ids_passed_by_limit = 0;
};

class AckTracker {
 public:
  // `policy` outlives it: a connection keeps no copy of what all share.
  explicit AckTracker(const AckPolicy& policy = kDefaultAckPolicy);
  explicit AckTracker(const AckPolicy&& policy) = delete;

  // Records a packet that authenticated and decoded. Constant time in order.
  Novelty on_packet(Instant now, std::uint32_t id) {
    Novelty novelty = ids_.insert(now, id);
    if (novelty == Novelty::kDuplicate && noops_.erase(id)) [[unlikely]] {
      novelty = Novelty::kNew;
    }
    latest_new_ = novelty == Novelty::kNew;
    latest_id_ = id;
    new_packets_ += latest_new_ ? 1 : 0;
    duplicates_ += latest_new_ ? 0 : 1;
    return novelty;
  }
  // What on_packet would answer, without recording anything.
  [[nodiscard]] bool is_duplicate(std::uint32_t id) const { return ids_.is_duplicate(id) && !noops_.contains(id); }
  // Records a NoOp. Another message under the same id is new all the same (wire spec 5.6, W31).
  Novelty on_noop(Instant now, std::uint32_t id);
  // A NoOp of a peer whose NoOps may have the ids of messages: recorded apart, so that these leave no gap. kNew unless
  // it is a replay of a recent one.
  Novelty on_tracked_noop(std::uint32_t id);

  // Queues a receipt; an id already waiting is not queued twice. Any id may be queued (wire spec 5.9), on_packet or
  // not.
  void queue_receipt(Instant now, std::uint32_t id) {
    const bool known_new = latest_new_ && id == latest_id_;
    latest_new_ = false;
    if (!queue_.push(now, id, known_new)) flush_at_once_ = true;
  }

  // The sender is likely to wait for what has just arrived (end of a stream, a message): no delay after this batch.
  void hint_tail() { batch_is_tail_ = true; }
  // The round trip that the delay follows.
  void set_rtt(Duration smoothed);

  // Once after each received run, before due().
  void on_batch_end(Instant now);
  // Whether receipts should be sent now even if nothing else is.
  [[nodiscard]] bool due(Instant now) const;
  // When due() becomes true by itself; nothing when no receipt waits.
  [[nodiscard]] std::optional<Instant> deadline() const;
  // Most receipts that the caller is to put into one packet of their own.
  [[nodiscard]] std::size_t receipts_per_packet() const { return policy_->receipts_per_packet; }
  // Receipts waiting, repetitions not counted.
  [[nodiscard]] std::size_t pending() const { return queue_.size(); }

  // Writes waiting receipts to `out`, oldest first; what is left of it is filled with recent ones if `repeat_recent`.
  // Returns how many were written. The caller sends them: a receipt taken is not waiting any more.
  std::size_t take(Instant now, std::span<std::uint32_t> out, bool repeat_recent);

  // Gives memory back on an idle connection. Ids are kept.
  void trim();

  [[nodiscard]] AckStatistics statistics() const;
  [[nodiscard]] std::size_t gap_count() const { return ids_.gap_count(); }

 private:
  const AckPolicy* policy_;
  ReceivedIds ids_;
  NoOpIds noops_;          // in ids_ by a NoOp alone
  NoOpIds tracked_noops_;  // not in ids_
  ReceiptQueue queue_;
  Duration delay_;
  std::uint32_t latest_id_ = 0;
  bool latest_new_ = false;
  bool batch_is_tail_ = false;
  bool flush_at_once_ = false;
  std::uint64_t duplicates_at_batch_ = 0;
  std::uint64_t new_packets_at_batch_ = 0;
  std::uint64_t new_packets_ = 0;
  std::uint64_t duplicates_ = 0;
  std::uint64_t taken_ = 0;
};

}  // namespace godwit
