// CongestionKind::kNewReno: the reference among the controllers, RFC 9002 appendix B. One segment a round trip in
// congestion avoidance, half the window at a loss, at most one reduction a round trip (the recovery period takes the
// place of the fast recovery of RFC 6582: no inflation, losses of the same flight count once).
// A loss episode that proves spurious is undone (RFC 4015 section 3). Owned by Connection.
#pragma once

#include <limits>
#include <optional>

#include "congestion/controller.h"
#include "congestion/window_control.h"

namespace godwit {

class NewRenoController final : public CongestionController {
 public:
  explicit NewRenoController(const ControllerConfig& config);

  void on_packet_sent(const SentInfo& sent) override;
  void on_congestion_event(const CongestionEvent& event) override;
  void on_persistent_timeout(Instant now) override;
  void on_idle_restart(Instant now) override;
  [[nodiscard]] std::uint64_t window_bytes() const override { return window_; }
  [[nodiscard]] Bandwidth pacing_rate() const override;
  [[nodiscard]] CongestionKind kind() const override { return CongestionKind::kNewReno; }
  [[nodiscard]] ControllerSnapshot snapshot() const override;

 private:
  static constexpr std::uint64_t kNoThreshold = std::numeric_limits<std::uint64_t>::max();
  struct Undo {
    std::uint64_t window;
    std::uint64_t threshold;
  };

  [[nodiscard]] bool in_slow_start() const { return window_ < threshold_; }
  [[nodiscard]] std::uint64_t clamp(std::uint64_t window) const;
  void reduce();
  void grow(std::uint64_t acked_bytes);
  void undo();

  ControllerConfig config_;
  std::uint64_t window_;
  std::uint64_t threshold_ = kNoThreshold;
  std::uint64_t acked_in_avoidance_ = 0;  // towards the next segment of growth
  LossEpisode episode_;
  std::optional<Undo> undo_;  // before the latest reduction
  RoundTripCounter rounds_;
  WindowUsage usage_;
  Duration smoothed_rtt_{};
  Instant last_activity_{};
};

}  // namespace godwit
