// What a loop does while there is nothing to do: sleep at once, or look at the socket again and again for a while
// (docs/adr/0007-idle-strategy.md). Owned by a Node; pure, with times that the owner has read.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/time.h"

namespace godwit {

// What a loop does when there is nothing to do.
enum class IdleStrategy : std::uint8_t {
  kBlock,      // sleeps in the kernel at once: no cycles while idle
  kSpinBlock,  // polls the socket while pauses are shorter than `spin_for`, else sleeps at once
  kSpin        // never sleeps: one core, the least latency
};

class IdlePolicy {
 public:
  // A pause that was slept through holds the time of two wake-ups, the peer's and the own one, which polling would have
  // saved: up to so many times `spin_for` it may have been a short one.
  static constexpr int kDoubtful = 3;
  // Every so manieth of these in a row is polled through to find out; after each attempt in vain twice as many, up to
  // the greatest number.
  static constexpr std::uint32_t kFirstTrial = 4;
  static constexpr std::uint32_t kLastTrial = 256;

  IdlePolicy(IdleStrategy strategy, Duration spin_for) : strategy_(strategy), spin_for_(spin_for) {}

  // There is nothing to do now. Whether to poll, and not to sleep.
  [[nodiscard]] bool polls(Instant now) {
    if (strategy_ == IdleStrategy::kSpin) return true;
    if (!idle_since_) idle_since_ = now;
    const bool polls = strategy_ == IdleStrategy::kSpinBlock && polling_ && now - *idle_since_ < spin_for_;
    slept_ = slept_ || !polls;
    return polls;
  }
  // There is something to do.
  void on_work(Instant now) {
    if (idle_since_) on_pause(now - *idle_since_);
    idle_since_.reset();
    slept_ = false;
  }

 private:
  void on_pause(Duration pause) {
    const bool tried = std::exchange(trying_, false);
    if (pause < spin_for_) {
      polling_ = true;
      pauses_ = 0;
      trial_ = kFirstTrial;
      return;
    }
    if (tried) trial_ = std::min(2 * trial_, kLastTrial);
    polling_ = false;
    if (!slept_ || pause >= kDoubtful * spin_for_) {
      pauses_ = 0;
      return;
    }
    if (++pauses_ < trial_) return;
    pauses_ = 0;
    polling_ = trying_ = true;
  }

  IdleStrategy strategy_;
  Duration spin_for_;
  std::optional<Instant> idle_since_;  // the first turn without work; none while there is some
  bool slept_ = false;                 // in the present pause
  bool polling_ = false;               // the next pause is begun with polling
  bool trying_ = false;                // though the last one was too long
  std::uint32_t pauses_ = 0;           // doubtful ones in a row
  std::uint32_t trial_ = kFirstTrial;
};

}  // namespace godwit
