// CongestionKind::kLedbat: LEDBAT++ (draft-irtf-iccrg-ledbat-plus-plus-01, whose sections are cited; RFC 6817 below
// it), for bulk traffic that should get out of everybody's way. Grows while it causes less than 60 ms of queue, gives
// way by a share of the window beyond that, halves at a loss, and now and then empties the queue on purpose to see the
// bare path again (slowdown), which keeps late comers from mistaking a standing queue for the path. Queueing delay is
// measured on round trips, as the wire carries no timestamps (section 4.5). Owned by Connection.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

#include "congestion/controller.h"
#include "congestion/window_control.h"

namespace godwit {

// The least round trip of the last ten minutes, in buckets of one minute (RFC 6817 section 3.4.2, BASE_HISTORY 10).
class BaseDelayHistory {
 public:
  void update(Instant now, Duration sample);
  // Nothing before the first sample.
  [[nodiscard]] std::optional<Duration> minimum() const;

 private:
  static constexpr std::size_t kBuckets = 10;
  static constexpr Duration kBucketLength = 60s;
  std::array<std::optional<Duration>, kBuckets> buckets_{};
  std::size_t current_ = 0;
  std::optional<Instant> bucket_start_;
};

// The least of the last four round trips: acknowledgements that waited say nothing about the queue (RFC 6817
// section 3.4.2, CURRENT_FILTER 4).
class CurrentDelayFilter {
 public:
  void update(Duration sample);
  [[nodiscard]] std::optional<Duration> minimum() const;

 private:
  std::array<Duration, 4> samples_{};
  std::size_t size_ = 0;
  std::size_t next_ = 0;
};

class LedbatController final : public CongestionController {
 public:
  static constexpr Duration kTarget = 60ms;              // section 4.5
  static constexpr Duration kSlowStartExitDelay = 45ms;  // three quarters of the target, section 4.1
  static constexpr int kMaxGainDivisor = 16;             // section 4.2
  static constexpr double kDecreaseConstant = 1.0;       // section 4.3
  static constexpr int kSlowdownRounds = 2;              // section 4.4
  static constexpr int kSlowdownInterval = 9;            // section 4.4: times the duration of the last one
  static constexpr double kSlowdownReturn = 7.0 / 8.0;   // of the window, where the queue was at the target

  explicit LedbatController(const ControllerConfig& config);

  void on_packet_sent(const SentInfo& sent) override;
  void on_congestion_event(const CongestionEvent& event) override;
  void on_persistent_timeout(Instant now) override;
  void on_idle_restart(Instant now) override;
  [[nodiscard]] std::uint64_t window_bytes() const override { return static_cast<std::uint64_t>(window_); }
  [[nodiscard]] Bandwidth pacing_rate() const override;
  [[nodiscard]] CongestionKind kind() const override { return CongestionKind::kLedbat; }
  [[nodiscard]] ControllerSnapshot snapshot() const override;

  // Queueing delay as estimated now; nothing before the first sample.
  [[nodiscard]] std::optional<Duration> queueing_delay() const;
  // GAIN of section 4.2: 1/16 on the shortest paths up to 1 where the round trip is at least twice the target.
  [[nodiscard]] double gain() const;

 private:
  enum class Phase : std::uint8_t {
    kSlowStart,  // the first, or after a time-out
    kCongestionAvoidance,
    kSlowdown,     // window held at its least
    kSlowdownRamp  // back to where the slowdown began
  };
  static constexpr int kSamplesPerRound = 4;
  static constexpr double kNoThreshold = std::numeric_limits<double>::infinity();

  [[nodiscard]] double clamp(double window) const;
  [[nodiscard]] bool in_slowdown() const { return phase_ == Phase::kSlowdown || phase_ == Phase::kSlowdownRamp; }
  std::optional<Duration> measure(const CongestionEvent& event, bool round_ended);
  void reduce(Instant now);
  void undo();
  // `acked_bytes`: zero while the window is not used. `standing_delay`: of the round that this event has ended.
  void slow_start(Instant now, double acked_bytes, std::optional<Duration> standing_delay);
  void avoid_congestion(Instant now, double acked_bytes, std::optional<Duration> standing_delay);
  [[nodiscard]] double decrease(double window, Duration standing_delay) const;
  void leave_slow_start(Instant now);
  void begin_slowdown(Instant now);
  void end_slowdown(Instant now);
  [[nodiscard]] bool advance_slowdown(Instant now);
  [[nodiscard]] bool others_slow_down(Instant now) const;

  ControllerConfig config_;
  double segment_;
  Phase phase_ = Phase::kSlowStart;
  double window_;
  double threshold_ = kNoThreshold;
  bool first_slow_start_ = true;

  BaseDelayHistory base_delay_;
  CurrentDelayFilter current_delay_;
  Duration smoothed_rtt_{};

  Instant next_round_sample_{};
  std::optional<Instant> decreased_at_;
  std::optional<Duration> round_minimum_delay_;  // least queueing delay in the current round
  std::optional<Instant> slowdown_due_;
  std::optional<Instant> slowdown_start_;
  Duration slowdown_wait_{};     // from the end of the last one to slowdown_due_
  bool queue_was_full_ = false;  // near the target, since the last slowdown or decrease

  LossEpisode episode_;
  struct Undo {
    double window;
    double threshold;
  };
  std::optional<Undo> undo_;
  RoundTripCounter rounds_;
  WindowUsage usage_;
  Instant last_activity_{};
};

}  // namespace godwit
