// What the window-based controllers (NewReno, CUBIC, LEDBAT++) share: round trips counted by packets, whether the window
// was used and so may grow, what idleness leaves of it, and the pacing rate that spreads it over a round trip.
// Plain values owned by one controller each; no decision about loss or delay is taken here.
#pragma once

#include <cstdint>

#include "base/bandwidth.h"
#include "base/time.h"
#include "congestion/controller.h"

namespace godwit {

// Counts round trips by the time of sending: a round ends when a packet sent at or after its beginning is acknowledged.
// Idle time, lost acknowledgements and timers do not end a round.
class RoundTripCounter {
 public:
  // True when the event ends a round; the next one begins with what is sent from now on.
  bool on_congestion_event(const CongestionEvent& event);
  [[nodiscard]] std::uint64_t completed() const { return completed_; }

 private:
  Instant round_start_{};
  bool started_ = false;
  std::uint64_t completed_ = 0;
};

// Remembers the most bytes in flight of the current and the previous round. A window that nobody fills says nothing
// about the path and does not grow (RFC 9002 section 7.8, RFC 9438 section 5.8).
class WindowUsage {
 public:
  void on_packet_sent(const SentInfo& sent);
  // `round_ended`: what RoundTripCounter says of the same event.
  void on_congestion_event(const CongestionEvent& event, bool round_ended);

  // In slow start half a window in flight is use enough, as pacing spreads the rest over the round trip, unless the
  // application has run dry. In congestion avoidance the window has to be full but for an eighth or three datagrams.
  [[nodiscard]] bool permits_growth(const CongestionEvent& event, std::uint64_t window, std::uint32_t datagram_bytes,
                                    bool slow_start) const;

 private:
  std::uint64_t peak_ = 0;
  std::uint64_t previous_peak_ = 0;
};

// The pacing rate that spends `window` `gain` times a round trip, so that pacing shapes bursts without becoming the limit
// (RFC 9002 section 7.7). Unlimited before the first sample: the initial window is the burst that section allows.
inline constexpr double kSlowStartPacingGain = 2.0;
inline constexpr double kAvoidancePacingGain = 1.25;
[[nodiscard]] Bandwidth window_pacing_rate(std::uint64_t window, Duration smoothed_rtt, double gain);

// A window validated before `idle` began stays valid for five minutes, since pacing prevents the burst that RFC 5681
// section 4.1 fears; it halves for every five minutes more, down to the initial window (RFC 7661 section 4.4.3).
inline constexpr Duration kWindowValidity = 5min;
[[nodiscard]] std::uint64_t window_after_idle(std::uint64_t window, Duration idle, std::uint64_t initial_window);

}  // namespace godwit
