// Which packets are lost, judged from what was sent and what was acknowledged, in send order: a packet threshold and a
// time threshold (RFC 9002 section 6.1), both adapting to reordering (RFC 8985). Keeps no packets: it walks
// SentPackets, marks, and reports. Also tells whether a loss was spurious, and persistent congestion. Owned by
// Recovery. Acknowledgements name single ids and may be lost: nothing here takes one acknowledgement for that of
// any other packet.
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"
#include "recovery/ack_outcome.h"
#include "recovery/rtt_estimator.h"
#include "recovery/sent_packets.h"

namespace godwit {

struct LossConfig {
  std::uint32_t packet_threshold = 3;          // later transmissions acknowledged before a packet counts as lost
  std::uint32_t max_packet_threshold = 16384;  // beyond, the time threshold is what judges
  Duration granularity = 1ms;                  // least time threshold
  std::uint32_t reordering_memory = 16;        // loss episodes without reordering until the thresholds shrink again
  // A packet sent so often is not judged by later packets any more but by its own time-out with back-off: the peer may
  // have it and never say so again (wire spec W11).
  std::uint8_t fast_transmissions = 8;
};

class LossDetector {
 public:
  explicit LossDetector(LossConfig config = {}) : config_(config), packet_threshold_(config.packet_threshold) {}

  // --- What acknowledgements say; call before detect() ---
  // The packet sent last among those just acknowledged, by the transmission that arrived.
  void on_newest_acked(std::uint32_t send_number);
  // Nothing before the first acknowledgement.
  [[nodiscard]] std::optional<std::uint32_t> newest_acked() const { return newest_acked_; }
  // A packet sent only once was acknowledged after `extent` later transmissions were, in an earlier batch.
  void on_reordering(std::uint32_t extent);
  // A packet that had been declared lost turned out to have arrived, or its retransmission was what arrived.
  // True if that settled the last loss of the episode and shows the whole episode to be a mistake: undo the reaction.
  // `certain`: acknowledgements tell transmissions apart.
  [[nodiscard]] bool on_spurious_loss(const SentPacket& packet);
  [[nodiscard]] bool on_repaired_loss(const SentPacket& packet, bool certain = false);
  // After the retransmission had been acknowledged the one that was declared lost in `episode` has arrived, too.
  [[nodiscard]] bool on_late_arrival(std::uint8_t episode);

  // --- Detection: marks packets lost and appends them to `outcome` ---
  // What the thresholds condemn.
  void detect(Instant now, const RttEstimator& rtt, SentPackets& packets, LossOutcome& outcome);
  // The retransmission time-out has fired: the packet in flight sent first, and all that have waited for `patience`.
  void detect_on_timeout(Instant now, Duration patience, const RttEstimator& rtt, SentPackets& packets,
                         LossOutcome& outcome);
  // This packet, whatever the thresholds say. Requires it to be in flight.
  void declare_lost(Instant now, std::uint32_t id, SentPacket& packet, SentPackets& packets, LossOutcome& outcome);
  // Leaves a transmission in flight at the front of the send-order queue, or none.
  void prune(SentPackets& packets);

  // When detect() would find the next loss by time; nothing if no packet in flight was sent before an acknowledged one.
  [[nodiscard]] std::optional<Instant> loss_time() const { return loss_time_; }
  // How long after its transmission a packet counts as lost once a later one is acknowledged.
  [[nodiscard]] Duration time_threshold(const RttEstimator& rtt) const;
  [[nodiscard]] std::uint32_t packet_threshold() const { return packet_threshold_; }
  [[nodiscard]] const LossConfig& config() const { return config_; }

 private:
  void begin_episode(Instant now);
  void learn_patience(bool sent_again);
  [[nodiscard]] bool in_episode(const SentPacket& packet) const;
  [[nodiscard]] bool episode_was_mistake();
  void extend_chain(Instant sent_at, const RttEstimator& rtt, LossOutcome& outcome);

  LossConfig config_;
  std::uint32_t packet_threshold_;
  std::uint32_t window_steps_ = 0;  // quarters of the minimum round trip added to the time threshold
  std::uint32_t calm_episodes_ = 0;
  std::optional<Instant> loss_time_;
  std::optional<std::uint32_t> newest_acked_;  // send number

  // The loss episode: from the first loss on, as long as the packets lost were sent before it began.
  struct Episode {
    bool open = false;
    bool by_timeout = false;  // its first loss was declared by the retransmission time-out
    bool real = false;        // a packet of it was lost twice
    bool window_stepped = false;
    std::uint8_t number = 0;  // 1 to 255 once there was one
    Instant began{};
    std::uint32_t unsettled = 0;  // losses not yet known for what they were
    std::uint32_t repaired = 0;   // acknowledged by a retransmission alone: a loss, unless it arrives late
    std::uint32_t spurious = 0;
    std::uint32_t doubtful = 0;  // acknowledged after a retransmission, either copy may have arrived
  };
  Episode episode_;

  // Losses in a row in send order with nothing acknowledged in between, for persistent congestion.
  bool chain_open_ = false;
  Instant chain_began_{};
};

}  // namespace godwit
