// Spreads transmissions over time: a token bucket that is really enforced. One per connection, asked before each batch
// and told after it. Invariant: over any window in which only granted bytes are sent, bytes <= rate * window + burst();
// neither an idle period nor a clock that jumps grants more than burst().
#pragma once

#include <cstdint>
#include <limits>
#include <optional>

#include "base/bandwidth.h"
#include "base/time.h"

namespace godwit {

struct PacerConfig {
  std::uint32_t datagram_bytes = 1200;      // largest datagram
  Duration release_interval = 1ms;          // a batch is what the rate carries in this time ...
  std::uint32_t min_release_datagrams = 2;  // ... but at least so many datagrams
  std::uint32_t max_release_bytes = 65536;  // ... and at most one segmentation-offload send
  std::uint32_t min_burst_datagrams = 10;   // the bucket holds at least so many
  Duration lateness = 1ms;                  // a wake-up so late loses no credit: the bucket holds that much more
};

inline constexpr PacerConfig kDefaultPacerConfig;

class Pacer {
 public:
  static constexpr std::uint64_t kUnlimited = std::numeric_limits<std::uint64_t>::max();

  // Starts with a full bucket. An unlimited rate grants kUnlimited and costs a comparison.
  // `config` outlives it: a connection keeps no copy of what all share.
  explicit Pacer(Bandwidth rate = Bandwidth::unlimited(), const PacerConfig& config = kDefaultPacerConfig);
  Pacer(Bandwidth rate, const PacerConfig&& config) = delete;

  // Takes effect from `now`; credit beyond the new burst() is lost.
  void set_rate(Instant now, Bandwidth rate);
  [[nodiscard]] Bandwidth rate() const { return rate_; }

  // Bytes that may go now. Once the credit has fallen below one datagram it is 0 until a whole batch may go, so that
  // acknowledgements coming in do not cut batches into single packets.
  [[nodiscard]] std::uint64_t budget(Instant now);
  // How long until `bytes`, at most burst(), may go by themselves: a short message does not wait until budget() has
  // saved up a whole batch. Zero if they may go now, Duration::max() at a rate of zero.
  [[nodiscard]] Duration until_credit(Instant now, std::uint64_t bytes);
  // Bytes sent, granted or not: what does not wait still counts. The debt it can leave is bounded to one second.
  void on_sent(Instant now, std::uint64_t bytes);
  // How long until budget() is not 0; zero if it is not 0 now, Duration::max() at a rate of zero.
  [[nodiscard]] Duration until_release(Instant now);
  // The same as a point in time; nothing if budget() is not 0 now or never will be.
  [[nodiscard]] std::optional<Instant> next_release(Instant now);

  // Capacity of the bucket, bytes.
  [[nodiscard]] std::uint64_t burst() const { return burst_; }
  // What until_release waits for once the credit is used up, bytes: at most burst().
  [[nodiscard]] std::uint64_t release_bytes() const { return release_; }

 private:
  void apply(Bandwidth rate);
  void refill(Instant now);
  [[nodiscard]] Duration until(std::int64_t credit) const;
  [[nodiscard]] std::int64_t capacity() const;  // of credit
  [[nodiscard]] std::int64_t wanted() const;    // credit until which a used-up bucket waits

  const PacerConfig* config_;
  Bandwidth rate_;
  std::uint64_t burst_ = 0;
  std::uint64_t release_ = 0;
  std::int64_t credit_ = 0;  // in 10^-9 bytes: exact for any rate and time; negative is debt
  bool waiting_ = false;     // used up: wait for a whole batch
  bool started_ = false;
  Instant refilled_at_{};
};

}  // namespace godwit
