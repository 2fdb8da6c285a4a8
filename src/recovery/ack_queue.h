// Acknowledgements waiting to be sent, and those sent lately, which are repeated while a packet has room so that one
// lost acknowledgement packet causes no retransmission. Part of AckTracker. Invariants: no id stands twice among the
// waiting ones, but for two in a row, which report a duplicate; both lists are bounded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/time.h"
#include "recovery/ack_policy.h"

namespace godwit {

class AckQueue {
 public:
  // `config` outlives it: a connection keeps no copy of what all share.
  explicit AckQueue(const AckQueueConfig& config = kDefaultAckQueueConfig) : config_(&config) {}
  explicit AckQueue(const AckQueueConfig&& config) = delete;

  // `known_new`: the id cannot be waiting already, since the packet was never seen before. False if the list is full.
  bool push(Instant now, std::uint32_t id, bool known_new) {
    if (known_new && !searching_ && pending_.size() < pending_.capacity() && size() < config_->pending_limit)
        [[likely]] {
      if (empty()) oldest_ = now;
      pending_.push_back(id);
      return true;
    }
    return push_checked(now, id, known_new);
  }

  // `count` ids in a row that were never seen before. False if the list is full.
  bool push_run(Instant now, std::uint32_t first, std::uint32_t count);

  // The acknowledgement of a packet that has come again. Twice in a row, which tells a Godwit that it was sent
  // needlessly (any other peer ignores the second), unless the id is waiting or its acknowledgement went out less than
  // `soonest_reaction` ago: then it is the network's copy.
  enum class Duplicate : std::uint8_t { kWaiting, kCopy, kNeedless, kFull };
  Duplicate push_duplicate(Instant now, std::uint32_t id, Duration soonest_reaction);

  // Fills `out` with waiting acknowledgements, oldest first, then, if asked to, with recent ones, latest first. What is
  // waiting now will be repeated in `repetitions` later packets. Returns how many were written.
  std::size_t take(Instant now, std::span<std::uint32_t> out, bool repeat_recent, std::uint32_t repetitions);
  // With the configured number of repetitions.
  std::size_t take(Instant now, std::span<std::uint32_t> out, bool repeat_recent) {
    return take(now, out, repeat_recent, config_->repetitions);
  }

  [[nodiscard]] bool empty() const { return taken_ == pending_.size(); }
  [[nodiscard]] std::size_t size() const { return pending_.size() - taken_; }
  // When the oldest waiting acknowledgement was queued. Requires !empty().
  [[nodiscard]] Instant oldest() const { return oldest_; }
  [[nodiscard]] std::uint64_t overflowed() const { return overflowed_; }
  [[nodiscard]] std::uint64_t repeated() const { return repeated_; }

  // Gives memory back when nothing waits; recent acknowledgements are forgotten.
  void trim();

 private:
  struct Recent {
    std::uint32_t id = 0;
    std::uint32_t sent_ticks : 28 = 0;  // ticks of 2^20 ns, modulo 2^28: three days
    std::uint32_t repeats_left : 4 = 0;
  };

  bool push_checked(Instant now, std::uint32_t id, bool known_new);
  [[nodiscard]] bool is_waiting(std::uint32_t id) const;
  void remember(Instant now, std::span<const std::uint32_t> ids, std::uint32_t repetitions);
  std::size_t repeat(Instant now, std::span<std::uint32_t> out);
  void forget_recent(std::uint32_t id);

  const AckQueueConfig* config_;
  // Small members together: an idle connection is to be small.
  bool searching_ = false;         // an id that was not known to be new is waiting: look before adding
  std::uint32_t taken_ = 0;        // entries of pending_ already taken
  std::uint32_t recent_next_ = 0;  // where the next one of recent_ is written
  std::uint32_t repeatable_ = 0;   // entries of recent_ with repeats left
  std::vector<std::uint32_t> pending_;
  Instant oldest_{};
  std::vector<Recent> recent_;  // circular once it has reached recent_limit
  std::uint64_t overflowed_ = 0;
  std::uint64_t repeated_ = 0;
};

}  // namespace godwit
