// What this side's streams cost a deployed receiver, which refuses silently beyond its limits (wire spec 6.4, W32): the
// number of streams and the bytes it charges for them. A stream given up half sent stays charged there until it is
// evicted for want of new bytes. Owned by SendQueue.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"
#include "wire/limits.h"

namespace godwit {

class PeerReceiveBudget {
 public:
  // The receiver's idle limit, its check interval of 5 s, and a margin for packets that arrive late.
  static constexpr Duration kLinger = wire::kDeployedStreamIdle + 5s + 5s;

  PeerReceiveBudget(std::uint32_t max_streams, std::uint64_t max_bytes)
      : max_streams_(max_streams), max_bytes_(max_bytes) {}

  [[nodiscard]] bool fits(std::uint64_t cost) const { return streams_ < max_streams_ && cost <= max_bytes_ - bytes_; }
  // Fits when nothing else is open.
  [[nodiscard]] bool ever_fits(std::uint64_t cost) const { return max_streams_ > 0 && cost <= max_bytes_; }
  // Requires fits(cost). `cost` is wire::deployed_charge(total).
  void open(std::uint64_t cost);
  // The receiver has the whole stream, or never saw a byte of it.
  void close(std::uint64_t cost);
  // The stream was given up after its first byte: closes at now + kLinger.
  void linger(Instant now, std::uint64_t cost);
  void expire(Instant now);
  [[nodiscard]] std::optional<Instant> next_expiry() const;

  // Streams and bytes charged, those given up included.
  [[nodiscard]] std::uint32_t streams() const { return streams_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  struct Lingering {
    Instant until;
    std::uint64_t cost;
  };
  std::uint32_t max_streams_;
  std::uint32_t streams_ = 0;  // beside max_streams_, so that an idle connection is smaller
  std::uint64_t max_bytes_;
  std::uint64_t bytes_ = 0;
  std::vector<Lingering> lingering_;  // in order of time, at most max_streams_
};

}  // namespace godwit
