// Which packets of an extended session have come, as the peer is to be told (docs/extended_sessions.md, section 5.2):
// ranges of packet numbers. Part of AckTracker. A range is told in several acknowledgements in a row, so that a lost
// one costs nothing, and then forgotten; the newest stays. Bounded: the oldest range gives way to a new one, and the
// peer sends again what it does not hear of. An idle connection has none of this.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/number_range.h"
#include "base/time.h"

namespace godwit {

class ReceivedNumbers {
 public:
  static constexpr std::size_t kMaxRanges = 64;
  // Acknowledgements in which a range stands after it has last changed.
  static constexpr std::uint8_t kRepetitions = 8;

  // A packet whose frames have all been taken; `awaited`: its sender waits for the acknowledgement. No number comes
  // twice.
  void add(Instant now, std::uint64_t number, bool awaited) {
    if (!ranges_.empty() && number == ranges_.back().numbers.last + 1) [[likely]] {
      ranges_.back().numbers.last = number;
      ranges_.back().told = 0;
    } else {
      add_apart(number);
    }
    if (!awaited) return;
    if (waiting_++ == 0) oldest_ = now;
    if (number >= newest_awaited_) {
      newest_awaited_ = number;
      newest_came_at_ = now;
    }
  }

  // The same of `count` packets in a row, all of them awaited.
  void add_run(Instant now, std::uint64_t number, std::uint32_t count) {
    if (ranges_.empty() || number != ranges_.back().numbers.last + 1) [[unlikely]] {
      for (std::uint32_t i = 0; i < count; ++i) add(now, number + i, true);
      return;
    }
    ranges_.back().numbers.last += count - 1;
    waiting_ += count - 1;
    if (waiting_ == count - 1) oldest_ = now;
    add(now, number + count - 1, true);
  }

  // Packets whose acknowledgement is awaited, since the latest take().
  [[nodiscard]] std::size_t waiting() const { return waiting_; }
  // When the first of them came. Requires waiting() > 0.
  [[nodiscard]] Instant oldest() const { return oldest_; }
  // So many ranges have begun since the latest take() that it is time for the next one.
  [[nodiscard]] bool crowded() const { return begun_ >= kMaxRanges / 2; }
  // True if a gap has opened or closed since the last call of clear_disorder().
  [[nodiscard]] bool disorder() const { return disorder_; }
  void clear_disorder() { disorder_ = false; }

  // Writes what to tell now, newest first, and returns how many ranges there are; 0 only if nothing has come.
  // `delay`: how long the newest packet whose acknowledgement is awaited has waited for this.
  [[nodiscard]] std::size_t take(Instant now, std::span<NumberRange> out, Duration& delay);

  [[nodiscard]] std::size_t range_count() const { return ranges_.size(); }

 private:
  struct Range {
    NumberRange numbers;
    std::uint8_t told = 0;  // in so many acknowledgements since it has changed
  };

  void add_apart(std::uint64_t number);

  std::vector<Range> ranges_;  // ascending, none touches the next
  std::size_t waiting_ = 0;
  std::size_t begun_ = 0;
  Instant oldest_{};
  std::uint64_t newest_awaited_ = 0;
  Instant newest_came_at_{};
  bool disorder_ = false;
};

}  // namespace godwit
