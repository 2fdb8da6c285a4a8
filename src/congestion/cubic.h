// CongestionKind::kCubic: RFC 9438 with HyStart++ (RFC 9406) in the first slow start. Between losses the window follows
// a cubic of the time since the last one, flat around the window where that loss happened, or Reno's line where Reno
// would have more. A reduction keeps 70 % of the window; a loss episode that proves spurious is undone (RFC 9438
// section 4.9). Time in which the application or silence kept the window from being used does not count. Owned by
// Connection. Invariant: windows are bytes in a double, whose fraction carries growth below a byte from event to event.
#pragma once

#include <optional>

#include "congestion/controller.h"
#include "congestion/hystart.h"
#include "congestion/window_control.h"

namespace godwit {

class CubicController final : public CongestionController {
 public:
  explicit CubicController(const ControllerConfig& config);

  void on_packet_sent(const SentInfo& sent) override;
  void on_congestion_event(const CongestionEvent& event) override;
  void on_persistent_timeout(Instant now) override;
  void on_idle_restart(Instant now) override;
  [[nodiscard]] std::uint64_t window_bytes() const override { return static_cast<std::uint64_t>(state_.window); }
  [[nodiscard]] Bandwidth pacing_rate() const override;
  [[nodiscard]] CongestionKind kind() const override { return CongestionKind::kCubic; }
  [[nodiscard]] ControllerSnapshot snapshot() const override;

 private:
  // A congestion avoidance stage, RFC 9438 section 4.1.2: between two reductions.
  struct Epoch {
    Instant start;              // t_epoch, moved on by time that does not count
    double seconds_to_plateau;  // K
    double reno_estimate;       // W_est, bytes
  };
  // What RFC 9438 section 4.9.2 saves before a reduction and restores when its cause proves spurious.
  struct State {
    double window;               // cwnd, bytes
    double prior_window;         // cwnd_prior: of the latest reduction, or of the end of the first slow start
    double threshold;            // ssthresh; infinite until something ends the first slow start
    double plateau;              // W_max
    std::optional<Epoch> epoch;  // nothing: the next growth in congestion avoidance begins one
    bool first_slow_start;       // HyStart++ watches over the first one only (RFC 9406 section 4.3)
    HyStart hystart;
  };

  [[nodiscard]] bool in_slow_start() const { return state_.window < state_.threshold; }
  [[nodiscard]] double clamp(double window) const;
  void reduce();
  void undo();
  double grow_in_slow_start(double acked_bytes);
  void grow_in_avoidance(Instant now, double acked_bytes);
  void begin_epoch(Instant now);

  ControllerConfig config_;
  double segment_;
  State state_;
  std::optional<State> undo_;
  LossEpisode episode_;
  bool restart_curve_ = false;  // the next stage begins at its own plateau: K = 0
  RoundTripCounter rounds_;
  WindowUsage usage_;
  Duration smoothed_rtt_{};
  Instant last_growth_check_{};  // when time was last known to count towards the epoch
  Instant last_activity_{};
};

}  // namespace godwit
