// CongestionKind::kBbr: BBRv3 (draft-ietf-ccwg-bbr-06; its sections are cited at the steps). Paces at the bandwidth
// that the path has delivered, bounds what is in flight by bandwidth times round trip, and keeps both fresh by small
// experiments: a little faster (ProbeBW_UP), a little slower (ProbeBW_DOWN), nearly empty (ProbeRTT). Losses below 2 %
// a round, and what the path loses whatever is sent (LossNoise), are noise to it, which makes it the loss-tolerant
// controller (decisions 13, 16). Departures from the draft stand where they happen: BbrModel::loss_is_excessive,
// BbrModel::is_inflight_too_high, BbrModel::update_noise, on_persistent_timeout.
//
// Sources: bbr.cc (events, Startup, Drain, losses), bbr_probe_bw.cc, bbr_probe_rtt.cc, bbr_control.cc (pacing rate,
// window), bbr_model (what is known of the path). Owned by Connection.
#pragma once

#include <cstdint>
#include <optional>

#include "congestion/bbr_model.h"
#include "congestion/controller.h"

namespace godwit {

class BbrController final : public CongestionController {
 public:
  enum class State : std::uint8_t {
    kStartup,
    kDrain,
    kProbeBwDown,
    kProbeBwCruise,
    kProbeBwRefill,
    kProbeBwUp,
    kProbeRtt
  };

  explicit BbrController(const ControllerConfig& config);

  void on_packet_sent(const SentInfo& sent) override;
  void on_congestion_event(const CongestionEvent& event) override;
  void on_persistent_timeout(Instant now) override;
  void on_idle_restart(Instant now) override;
  [[nodiscard]] std::uint64_t window_bytes() const override { return window_; }
  [[nodiscard]] Bandwidth pacing_rate() const override { return pacing_rate_; }
  [[nodiscard]] CongestionKind kind() const override { return CongestionKind::kBbr; }
  [[nodiscard]] ControllerSnapshot snapshot() const override;

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] const BbrModel& model() const { return model_; }
  [[nodiscard]] bool full_bandwidth_reached() const { return full_bandwidth_reached_; }

 private:
  // What the acknowledgements that arrive now tell of (section 2.12).
  enum class AckPhase : std::uint8_t { kInit, kRefilling, kProbeStarting, kProbeFeedback, kProbeStopping };
  struct Gains {
    double pacing;
    double window;
  };
  struct Undo {
    std::optional<State> state;  // the state that the losses ended
    Bandwidth bandwidth_shortterm;
    std::uint64_t inflight_shortterm;
    std::uint64_t inflight_longterm;
  };

  // bbr.cc
  void start(Instant now);
  BbrSample sample_of(const CongestionEvent& event);
  void update_noise(const BbrSample& sample);
  void update_recovery(const CongestionEvent& event);
  void handle_losses(const CongestionEvent& event);
  void handle_marks(const CongestionEvent& event);
  void handle_inflight_too_high(Instant now, std::uint64_t tx_in_flight, bool is_app_limited);
  void handle_spurious_losses();
  void save_state_upon_loss();
  void save_window();
  void restore_window();
  void enter_startup();
  void check_full_bandwidth(const BbrSample& sample);
  void check_startup_done(const BbrSample& sample);
  void check_drain_done(const BbrSample& sample);
  void reset_full_bandwidth();

  // bbr_probe_bw.cc
  [[nodiscard]] bool in_probe_bw() const;
  [[nodiscard]] bool probing_bandwidth() const;
  void start_probe_down(Instant now);
  void start_probe_cruise();
  void start_probe_refill();
  void start_probe_up(const BbrSample& sample);
  void update_probe_bw(const BbrSample& sample);
  [[nodiscard]] bool adapt_long_term_model(const BbrSample& sample);
  [[nodiscard]] bool time_to_probe(Instant now) const;
  [[nodiscard]] bool time_to_cruise(const BbrSample& sample) const;
  [[nodiscard]] bool time_to_go_down(const BbrSample& sample);
  void raise_long_term_slope();
  void probe_long_term_upward(const BbrSample& sample);
  void pick_probe_wait();
  [[nodiscard]] std::uint64_t target_inflight() const;

  // bbr_probe_rtt.cc
  void check_probe_rtt(const BbrSample& sample);
  void handle_probe_rtt(const BbrSample& sample);
  void check_probe_rtt_done(Instant now);
  void exit_probe_rtt(Instant now);
  void mark_application_limited(const BbrSample& sample);
  [[nodiscard]] std::uint64_t probe_rtt_window() const;

  // bbr_control.cc
  [[nodiscard]] Gains gains() const;
  [[nodiscard]] std::uint64_t minimum_window() const;
  [[nodiscard]] std::uint64_t clamp(std::uint64_t window) const;
  [[nodiscard]] std::uint64_t send_quantum() const;
  [[nodiscard]] std::uint64_t inflight(Bandwidth bandwidth, double gain) const;
  [[nodiscard]] std::uint64_t with_budget(std::uint64_t inflight_cap) const;
  [[nodiscard]] bool is_window_limited() const { return window_limited_now_ || window_limited_before_; }
  void init_pacing_rate(Duration smoothed_rtt);
  void set_pacing_rate(double gain);
  void set_window(const BbrSample& sample);
  void bound_window_for_model();

  ControllerConfig config_;
  BbrModel model_;
  State state_ = State::kStartup;
  // Small members stand together: an idle connection keeps them.
  bool started_ = false;
  bool has_round_trip_ = false;
  bool idle_restart_ = false;
  bool window_limited_now_ = false;     // in the current round
  bool window_limited_before_ = false;  // in the round before
  AckPhase ack_phase_ = AckPhase::kInit;
  bool is_probe_sample_ = false;
  bool previous_probe_too_high_ = false;
  bool previous_probe_precautionary_ = false;
  bool probe_rtt_round_done_ = false;
  bool full_bandwidth_now_ = false;
  bool full_bandwidth_reached_ = false;
  std::uint8_t full_bandwidth_count_ = 0;
  int probe_up_rounds_ = 0;
  std::uint32_t startup_loss_ranges_ = 0;
  std::uint64_t window_;
  Bandwidth pacing_rate_;

  // Full-pipe detection, section 5.3.1.2.
  Bandwidth full_bandwidth_;
  std::uint64_t startup_marked_round_ = BbrModel::kUnbounded;  // the first with a mark
  std::uint64_t drain_start_round_ = 0;

  // ProbeBW, section 2.12.
  std::uint64_t probe_up_acked_ = 0;
  std::uint64_t probe_up_acked_per_increment_ = BbrModel::kUnbounded;
  Instant cycle_stamp_{};
  Duration probe_wait_{};
  std::uint64_t random_state_;

  // ProbeRTT, section 2.14.
  std::optional<Instant> probe_rtt_done_stamp_;
  // Samples of packets sent within these instants are application-limited: the small window limited them.
  std::optional<Instant> limited_from_;
  std::optional<Instant> limited_until_;
  std::uint64_t limited_mark_ = 0;  // the phase ends when more than this is delivered

  // Loss recovery, section 5.6.4.4.
  std::optional<Instant> recovery_start_;
  std::uint64_t prior_window_ = 0;
  std::optional<Undo> undo_;
};

[[nodiscard]] std::string_view to_string(BbrController::State state);

}  // namespace godwit
