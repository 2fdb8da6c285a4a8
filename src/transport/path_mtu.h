// How large a datagram the path to the peer carries (docs/extended_sessions.md, section 10): path MTU discovery of the
// packetisation layer, RFC 8899. Padded probes search a short ladder of sizes; the peer answers those that arrive. Lost
// probes say nothing about congestion. Where full packets vanish while the path lives, the size falls back at once, and
// a probe of the larger one decides whether that was the path or bad luck. Part of an established connection of the
// extended form, from its first burst of data on; pure decisions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/random.h"
#include "base/time.h"

namespace godwit {

struct PathMtuCounters {
  std::uint64_t size_probes_sent = 0;
  std::uint64_t size_probes_lost = 0;
  std::uint64_t size_reductions = 0;  // full packets vanished, and so did the probes that asked
};

class PathMtu {
 public:
  // In bytes of datagrams. Every path carries the first. 1372 fits through a tunnel of WireGuard, 1452 behind the
  // headers of IPv6 and UDP in 1500, 4400 in the frames of FDDI and of some clouds, 8900 in jumbo frames.
  static constexpr std::array<std::uint16_t, 5> kLadder{1200, 1372, 1452, 4400, 8900};
  static constexpr std::uint16_t kBase = kLadder.front();
  // Probes of one size before it counts as too large, and the least time for each.
  static constexpr int kMostAttempts = 3;
  static constexpr Duration kLeastWait = 1s;
  // Until a larger size than the path's is tried again, and the same after full packets vanished.
  static constexpr Duration kRaiseInterval = 600s;
  static constexpr Duration kBlackHoleInterval = 60s;
  // Larger packets in a row declared lost, and none acknowledged, until the size is in doubt.
  static constexpr std::uint32_t kSuspiciousLosses = 6;

  // `limit`: of both sides, in bytes; what is no step of the ladder is one more at its end.
  explicit PathMtu(std::uint16_t limit);

  // Bytes of the largest datagram for data now.
  [[nodiscard]] std::uint16_t size() const { return doubted_ ? kBase : size_of(confirmed_); }

  struct Probe {
    std::uint64_t data = 0;
    std::uint16_t bytes = 0;  // of the datagram
  };
  // The probe that is due; it is then sent. `patience`: three probe time-outs of the connection. The answer to a probe
  // that another one has followed does not count.
  [[nodiscard]] std::optional<Probe> poll(Instant now, Duration patience, RandomSource& random);
  // True when that changes size().
  bool on_answer(Instant now, std::uint64_t data);

  // Packets of the path were acknowledged, of which the largest had so many bytes; `lost` of more than kBase bytes were
  // declared lost after that. True when that changes size().
  bool on_packets(std::uint32_t largest_acked_bytes, std::uint32_t lost);
  // The peer is at another address.
  void reset();

  // When an unanswered probe is given up.
  [[nodiscard]] std::optional<Instant> next_timeout() const;
  void handle_timeout(Instant now);

  [[nodiscard]] const PathMtuCounters& counters() const { return counters_; }

 private:
  [[nodiscard]] std::uint16_t size_of(std::uint8_t step) const { return step < steps_ - 1 ? kLadder[step] : limit_; }
  // Halfway between what is confirmed and what is known to be too large.
  [[nodiscard]] std::uint8_t next_step() const { return static_cast<std::uint8_t>((confirmed_ + too_large_) / 2); }
  void fall_back(Instant now);

  std::uint16_t limit_;
  std::uint8_t steps_;
  std::uint8_t confirmed_ = 0;          // a step
  std::uint8_t too_large_;              // the first step that is; steps_ at first
  std::uint8_t attempts_ = 0;           // probes of the present step
  bool doubted_ = false;                // the confirmed size is asked for again
  std::uint8_t losses_ = 0;             // larger packets in a row
  std::uint64_t data_ = 0;              // of the probe under way
  std::optional<Instant> given_up_at_;  // of the probe under way
  Instant rest_until_ = Instant::min();
  PathMtuCounters counters_;
};

}  // namespace godwit
