// A flow that is no Godwit: one TCP transfer with CUBIC, as a model of what shares real bottlenecks. Segments of 1448
// bytes (1500 on the wire), an acknowledgement for each, selective acknowledgement, HyStart, RFC 9438 in congestion
// avoidance, RFC 6298 time-outs. Not paced, as most senders of the field are not. Owned by Simulator.
#pragma once

#include <cstdint>
#include <deque>

#include "base/time.h"
#include "sim/scenario.h"

namespace godwit::sim {

class Simulator;

class Competitor {
 public:
  static constexpr std::uint32_t kPayload = 1448;
  static constexpr std::uint32_t kSegmentCharge = 1500;
  static constexpr std::uint32_t kAckCharge = 52;

  Competitor(Simulator& simulator, std::uint32_t index, const CompetitorSpec& spec);

  void on_timer(Instant now, std::uint32_t kind);
  void on_segment(Instant now, std::uint64_t transmission);
  void on_acknowledgement(Instant now, std::uint64_t transmission);

  // Payload bytes that have arrived; retransmissions replace what was lost, so each segment counts once.
  [[nodiscard]] std::uint64_t delivered_bytes() const { return delivered_ * kPayload; }
  [[nodiscard]] double window() const { return window_; }
  [[nodiscard]] std::uint64_t losses() const { return losses_; }

 private:
  struct Sent {
    Instant at{};
    bool acknowledged = false;
    bool lost = false;
  };
  void fill(Instant now);
  void on_loss(Instant now, std::uint64_t transmission);
  void grow(Instant now, Duration round_trip);
  void arm(Instant now);
  [[nodiscard]] Duration timeout() const;

  Simulator& simulator_;
  std::uint32_t index_;
  const CompetitorSpec* spec_;
  bool running_ = false;
  // Transmissions by number: what a segment carries does not matter, each lost one is sent again as a new one.
  std::deque<Sent> sent_;
  std::uint64_t first_ = 0;
  std::uint64_t in_flight_ = 0;
  std::uint64_t highest_acknowledged_ = 0;
  std::uint64_t recovery_until_ = 0;  // losses before this transmission belong to one episode
  std::uint64_t delivered_ = 0;
  std::uint64_t losses_ = 0;
  double window_ = 10;  // segments
  double threshold_ = 1e9;
  double window_max_ = 0;
  double estimate_ = 0;  // RFC 9438 section 4.3
  Instant epoch_{};
  bool in_epoch_ = false;
  double origin_ = 0;  // K
  Duration smoothed_{};
  Duration variance_{};
  Duration minimum_ = Duration::max();
  std::uint32_t backoff_ = 0;
  Instant timer_at_ = Instant::max();
  // HyStart.
  std::uint64_t round_end_ = 0;
  Duration round_minimum_ = Duration::max();
  Duration last_round_minimum_ = Duration::max();
  std::uint32_t round_samples_ = 0;
};

}  // namespace godwit::sim
