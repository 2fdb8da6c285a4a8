// Rate limits of fixed size: one bucket, and a table of buckets by hash that forgets the longest idle. Both run the
// generic cell rate algorithm (ITU-T I.371): a bucket is the one instant at which it will be full again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/time.h"

namespace godwit {

// `per_second` events a second in the long run, `burst` at once.
struct Rate {
  Duration interval{};   // between two events in the long run
  Duration tolerance{};  // how far ahead of it a burst may run
  [[nodiscard]] static Rate per_second(std::size_t events, std::size_t burst);
  // One event, then none for `interval`.
  [[nodiscard]] static Rate one_per(Duration interval) { return {.interval = interval, .tolerance = Duration::zero()}; }
};

class RateLimiter {
 public:
  explicit RateLimiter(const Rate& rate) : rate_(rate) {}
  // Whether an event at `now` is within the rate; a yes is recorded.
  [[nodiscard]] bool admit(Instant now);

 private:
  Rate rate_;
  Instant full_at_{Duration::min()};
};

// Entries live in sets of four. A new key replaces the entry of its set that has been full for longest; where none is
// full the busiest are kept, and the newcomer is admitted as if new: the limits above this one hold.
class HashedLimiter {
 public:
  // `entries` is rounded up to a power of two. Memory is claimed at the first event.
  HashedLimiter(std::size_t entries, const Rate& rate);

  // Two steps, so that an event refused elsewhere is not recorded here. `key` is a keyed hash.
  [[nodiscard]] bool would_admit(Instant now, std::uint64_t key) const;
  void record(Instant now, std::uint64_t key);

  [[nodiscard]] std::size_t memory_bytes() const { return entries_.capacity() * sizeof(Entry); }

 private:
  static constexpr std::size_t kWays = 4;
  struct Entry {
    std::uint64_t key = 0;
    Instant full_at{Duration::min()};
  };
  [[nodiscard]] std::size_t set_of(std::uint64_t key) const;

  Rate rate_;
  std::size_t size_;
  std::vector<Entry> entries_;
};

}  // namespace godwit
