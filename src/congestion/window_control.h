// What the window-based controllers (NewReno, CUBIC, LEDBAT++) share: round trips counted by packets, which losses ask
// for a reduction, whether the window was used and so may grow, what idleness leaves of it, and the pacing rate that
// spreads it over a round trip. Plain values owned by one controller each; how much to reduce or grow is theirs.
#pragma once

#include <cstdint>
#include <optional>

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

// The recovery period of RFC 9002 section 7.3.2: losses of one flight are answered once. It begins with the first loss
// and ends with the first acknowledgement of something sent after that. Losses while nothing sent since is acknowledged
// are of the same episode: an outage of many time-outs reduces once (RFC 5681 section 3.1, "ssthresh" under repeated
// ones).
class LossEpisode {
 public:
  // Whether the losses or marks of this event ask for a reduction. Before on_acknowledgement of the same event.
  [[nodiscard]] bool begins_with(const CongestionEvent& event) const;
  void begin(Instant now) {
    start_ = now;
    open_ = true;
  }
  // A time-out without losses begins an episode too; what is sent at this very instant is after it.
  void begin_at_timeout(Instant now) { begin(now - 1ns); }
  // False if all that the event acknowledges was sent before the episode: such acknowledgements do not grow the window.
  [[nodiscard]] bool on_acknowledgement(const CongestionEvent& event);
  // The reduction has been undone; late losses of the same flight still do not count.
  void close() { open_ = false; }
  [[nodiscard]] bool open() const { return open_; }

 private:
  [[nodiscard]] bool acknowledges_newer(const CongestionEvent& event) const {
    return event.acked_bytes > 0 && (!start_ || event.latest_acked_sent_at > *start_);
  }

  std::optional<Instant> start_;
  bool open_ = false;
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

// The pacing rate that spends `window` `gain` times a round trip, so that pacing shapes bursts without becoming the
// limit (RFC 9002 section 7.7). Unlimited before the first sample: the initial window is the burst that section allows.
inline constexpr double kSlowStartPacingGain = 2.0;
inline constexpr double kAvoidancePacingGain = 1.25;
[[nodiscard]] Bandwidth window_pacing_rate(std::uint64_t window, Duration smoothed_rtt, double gain);

// A window validated before `idle` began stays valid for five minutes, since pacing prevents the burst that RFC 5681
// section 4.1 fears; it halves for every five minutes more, down to the initial window (RFC 7661 section 4.4.3).
inline constexpr Duration kWindowValidity = 5min;
[[nodiscard]] std::uint64_t window_after_idle(std::uint64_t window, Duration idle, std::uint64_t initial_window);

}  // namespace godwit
