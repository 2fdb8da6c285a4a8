// Which packets are lost, judged from what was sent and what was confirmed, in send order: a packet threshold and a
// time threshold (RFC 9002 section 6.1), both adapting to reordering (RFC 8985). Keeps no packets: it walks SentPackets,
// marks, and reports. Also tells whether a loss was spurious, and persistent congestion. Owned by Recovery.
// Receipts name single ids and may be lost: nothing here takes one receipt to confirm any other packet.
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"
#include "recovery/ack_outcome.h"
#include "recovery/rtt_estimator.h"
#include "recovery/sent_packets.h"

namespace godwit {

struct LossConfig {
  std::uint32_t packet_threshold = 3;          // later transmissions confirmed before a packet counts as lost
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

  // The packet sent last among those just confirmed, by the transmission that arrived.
  void on_newest_acked(std::uint32_t send_number, Instant sent_at);
  // A packet confirmed for the first time, never retransmitted, although `extent` later transmissions had been
  // confirmed in earlier runs.
  void on_reordering(std::uint32_t extent);
  // A packet that had been declared lost turned out to have arrived. True if that was the last open loss of the
  // episode and none of it was real: the reaction to the episode may be undone.
  [[nodiscard]] bool on_spurious_loss(const SentPacket& packet);
  // A retransmission, not the original, was confirmed: the loss was real.
  void on_real_loss(const SentPacket& packet);

  // Marks lost what the thresholds condemn, appends to `outcome`.
  void detect(Instant now, const RttEstimator& rtt, SentPackets& packets, LossOutcome& outcome);
  // The retransmission time-out has fired: marks the oldest packet in flight and all that have waited long enough.
  void detect_on_timeout(Instant now, const RttEstimator& rtt, SentPackets& packets, LossOutcome& outcome);
  // When detect() would find the next loss by time; nothing if no packet in flight was sent before a confirmed one.
  [[nodiscard]] std::optional<Instant> loss_time() const { return loss_time_; }

  [[nodiscard]] std::uint32_t packet_threshold() const { return packet_threshold_; }
  // How long after its transmission a packet counts as lost once a later one is confirmed.
  [[nodiscard]] Duration time_threshold(const RttEstimator& rtt) const;
  [[nodiscard]] std::uint64_t spurious_losses() const { return spurious_losses_; }

 private:
  void declare_lost(Instant now, std::uint32_t id, SentPacket& packet, const RttEstimator& rtt, SentPackets& packets,
                    LossOutcome& outcome);
  void begin_episode(Instant now);

  LossConfig config_;
  std::uint32_t packet_threshold_;
  std::uint32_t window_steps_ = 0;  // quarters of the minimum round trip added to the time threshold
  std::uint32_t calm_episodes_ = 0;
  std::optional<Instant> loss_time_;

  bool any_acked_ = false;
  std::uint32_t newest_acked_ = 0;  // send number
  Instant newest_acked_sent_at_{};

  // The loss episode: from the first loss on, as long as the packets lost were sent before it began.
  bool episode_open_ = false;
  bool episode_real_ = false;
  std::uint8_t episode_ = 0;
  Instant episode_began_{};
  std::uint32_t episode_losses_ = 0;  // not yet known to be spurious

  // Losses in a row in send order, with nothing confirmed in between.
  bool chain_open_ = false;
  Instant chain_began_{};
  std::uint64_t spurious_losses_ = 0;
};

}  // namespace godwit
