// Round-trip time of one connection: smoothed value and variance (RFC 6298, constants of wire spec 5.4), windowed
// minimum, and the acknowledgement delay learned of the peer (the deployed wire has no field for it). Fed by Recovery
// with samples from acknowledgements and by the connection with answered pings; owned by Recovery. Back-off is not part
// of it. Invariant: minimum() <= every sample of the last minute; rto() is within [min_rto, max_rto].
#pragma once

#include <cstdint>

#include "base/time.h"

namespace godwit {

struct RttConfig {
  Duration initial_rto = 1s;  // before the first sample
  Duration min_rto = 500ms;   // what a deployed peer's acknowledgement delay asks for; 200 ms suits a Godwit
  Duration max_rto = 60s;
  Duration min_probe_timeout = 2ms;    // below this a probe only tells of the peer's scheduler
  Duration initial_ack_delay = 100ms;  // the deployed peer's acknowledgement timer (wire spec 5.3)
  Duration max_ack_delay = 700ms;      // the longest a peer may hold acknowledgements (wire spec 11, item 51)
};

class RttEstimator {
 public:
  explicit RttEstimator(RttConfig config = {});

  // The time from a packet's only possible transmission to its acknowledgement; contains the peer's acknowledgement
  // delay. `tail` says that nothing was sent after the packet, so that its acknowledgement waited for the peer's timer
  // and not for more packets.
  void on_ack_sample(Instant now, Duration round_trip, bool tail);
  // The same where the peer says how long it has held the acknowledgement (RFC 9002 section 5.3): what it says counts
  // up to the configured most, and never makes a sample less than the least round trip.
  void on_ack_sample(Instant now, Duration round_trip, bool tail, Duration ack_delay);
  // An answered ping: no acknowledgement delay in it. Starts the estimate where no acknowledgement has come yet, else
  // tells the acknowledgement delay from the path.
  void on_ping_sample(Instant now, Duration round_trip);

  // So much after a packet's first transmission came an acknowledgement that its probe does not explain: the peer may
  // have held the original's acknowledgement all that time. No round-trip sample (Karn), but the next probe waits
  // longer.
  void on_doubtful_probe(Duration since_first_transmission);

  [[nodiscard]] bool has_sample() const { return has_sample_; }
  // Zero before the first sample.
  [[nodiscard]] Duration latest() const { return latest_; }
  [[nodiscard]] Duration smoothed() const { return smoothed_; }
  [[nodiscard]] Duration variance() const { return variance_; }
  // Least sample of the last one to two minutes, from acknowledgements and pings; zero before the first sample.
  [[nodiscard]] Duration minimum() const;

  // Retransmission time-out without back-off: smoothed + max(10 ms, 4 * variance), clamped.
  [[nodiscard]] Duration rto() const;
  // Tail-loss probe after 1.5 * smoothed + acknowledgement delay (decision 6); the initial RTO before the first sample.
  [[nodiscard]] Duration probe_timeout() const;
  // How long the peer is known to hold the acknowledgement of a packet that nothing follows.
  [[nodiscard]] Duration ack_delay() const { return ack_delay_; }

  [[nodiscard]] const RttConfig& config() const { return config_; }

 private:
  void update_minimum(Instant now, Duration round_trip);
  void restart(Duration round_trip);
  void update(Duration round_trip);
  void learn_ack_delay(Duration delay);

  RttConfig config_;
  bool has_sample_ = false;
  bool pinged_ = false;
  std::uint8_t ack_samples_ = 0;    // saturates
  std::uint8_t delay_samples_ = 0;  // saturates
  Duration latest_{};
  Duration smoothed_{};
  Duration variance_{};
  Duration
      path_{};  // round trip without acknowledgement delay: the latest pings, or any acknowledgement that was faster
  Duration ack_delay_;
  // Two buckets of one minute make the windowed minimum.
  Duration minimum_current_ = Duration::max();
  Duration minimum_previous_ = Duration::max();
  Instant bucket_began_{};
};

}  // namespace godwit
