// CongestionKind::kFixedRate: a constant pacing rate, deaf to loss and delay. What deployed nodes use (wire spec 8.2),
// for reserved links and for comparisons; on a shared path it takes what it is told to take.
// The window only bounds what a silent path can swallow: about what the rate carries in two round trips and a delayed
// acknowledgement. After a persistent time-out it is the initial window until something is acknowledged, the stop that
// wire spec 8.2 asks for. Owned by Connection.
#pragma once

#include "congestion/controller.h"

namespace godwit {

class FixedRateController final : public CongestionController {
 public:
  explicit FixedRateController(const ControllerConfig& config);

  void on_packet_sent(const SentInfo& sent) override;
  void on_congestion_event(const CongestionEvent& event) override;
  void on_persistent_timeout(Instant now) override;
  void on_idle_restart(Instant now) override;
  [[nodiscard]] std::uint64_t window_bytes() const override;
  [[nodiscard]] Bandwidth pacing_rate() const override { return rate_; }
  [[nodiscard]] CongestionKind kind() const override { return CongestionKind::kFixedRate; }
  [[nodiscard]] ControllerSnapshot snapshot() const override;

 private:
  ControllerConfig config_;
  Bandwidth rate_;
  Duration smoothed_rtt_{};
  bool silent_ = false;  // nothing acknowledged since the last persistent time-out
};

}  // namespace godwit
