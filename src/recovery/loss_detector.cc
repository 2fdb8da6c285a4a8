#include "recovery/loss_detector.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace godwit {
namespace {

constexpr std::uint32_t kMostWindowSteps = 16;
constexpr int kPersistentProbeTimeouts = 3;  // RFC 9002 section 7.6.1
constexpr Duration kTimerGranularity = 1ms;

}  // namespace

void LossDetector::on_newest_acked(std::uint32_t send_number) {
  if (!newest_acked_ || sent_before(*newest_acked_, send_number)) newest_acked_ = send_number;
}

void LossDetector::on_reordering(std::uint32_t extent) {
  const std::uint32_t needed = std::min(extent, config_.max_packet_threshold - 1) + 1;
  if (needed > packet_threshold_ / 2) calm_episodes_ = 0;
  packet_threshold_ = std::max(packet_threshold_, needed);
}

// RFC 8985 section 6.2.4 widens the window once a round trip in which a duplicate was reported; here once an episode.
void LossDetector::learn_patience(bool sent_again) {
  calm_episodes_ = 0;
  if (episode_.window_stepped) return;
  episode_.window_stepped = true;
  window_steps_ = std::min(window_steps_ + 1, kMostWindowSteps);
  // How far it was overtaken is forgotten once it has been sent again.
  if (sent_again) packet_threshold_ = std::min(2 * packet_threshold_, config_.max_packet_threshold);
}

bool LossDetector::on_spurious_loss(const SentPacket& packet) {
  learn_patience(packet.transmissions > 1);
  if (!in_episode(packet)) return false;
  --episode_.unsettled;
  ++episode_.spurious;
  return episode_was_mistake();
}

// After a time-out it is likely that only the first packets were sent again when the acknowledgements of all come in
// late. These few are then in doubt, not proof of a loss (the idea of RFC 5682).
bool LossDetector::on_repaired_loss(const SentPacket& packet, bool certain) {
  if (!in_episode(packet)) return false;
  --episode_.unsettled;
  ++(episode_.by_timeout && !certain ? episode_.doubtful : episode_.repaired);
  return episode_was_mistake();
}

bool LossDetector::on_late_arrival(std::uint8_t episode) {
  learn_patience(true);
  if (!episode_.open || episode != episode_.number || episode_.repaired == 0) return false;
  --episode_.repaired;
  ++episode_.spurious;
  return episode_was_mistake();
}

void LossDetector::detect(Instant now, const RttEstimator& rtt, SentPackets& packets, LossOutcome& outcome) {
  loss_time_.reset();
  const Duration threshold = time_threshold(rtt);
  for (prune(packets); !packets.order().empty(); prune(packets)) {
    const SentPackets::Transmission oldest = packets.order().front();
    // Only what was sent before an acknowledged packet is judged: of the rest nothing is known.
    if (!newest_acked_ || !sent_before(oldest.send_number, *newest_acked_)) return;
    SentPacket& packet = *packets.in_flight(oldest);
    const bool passed = *newest_acked_ - oldest.send_number >= packet_threshold_;
    if (!passed && packet.sent_at + threshold > now) {
      loss_time_ = packet.sent_at + threshold;
      return;
    }
    extend_chain(packet.sent_at, rtt, outcome);
    declare_lost(now, oldest.id, packet, packets, outcome);
  }
}

void LossDetector::detect_on_timeout(Instant now, Duration patience, const RttEstimator& rtt, SentPackets& packets,
                                     LossOutcome& outcome) {
  const std::size_t before = outcome.lost.size();
  for (prune(packets); !packets.order().empty(); prune(packets)) {
    const SentPackets::Transmission oldest = packets.order().front();
    SentPacket& packet = *packets.in_flight(oldest);
    const bool first = outcome.lost.size() == before;
    if (!first && packet.sent_at + patience > now) break;
    const bool opens = !episode_.open || packet.sent_at > episode_.began;
    extend_chain(packet.sent_at, rtt, outcome);
    declare_lost(now, oldest.id, packet, packets, outcome);
    if (opens) episode_.by_timeout = true;
  }
  detect(now, rtt, packets, outcome);
}

void LossDetector::declare_lost(Instant now, std::uint32_t id, SentPacket& packet, SentPackets& packets,
                                LossOutcome& outcome) {
  GODWIT_ASSERT(packet.state == SentState::kInFlight);
  if (!episode_.open || packet.sent_at > episode_.began) begin_episode(now);
  if (packet.loss_episode == episode_.number) {
    episode_.real = true;  // lost twice within one episode: no mistake
  } else {
    packet.loss_episode = episode_.number;
    ++episode_.unsettled;
  }

  packets.mark_lost(packet);
  outcome.lost.push_back({.id = id,
                          .bytes = packet.bytes,
                          .content = packet.content(),
                          .sent_at = packet.sent_at,
                          .tx_in_flight = packet.in_flight_at_send,
                          .is_app_limited = packet.application_limited});
  outcome.lost_bytes += packet.bytes;
  ++outcome.lost_packets;
  outcome.latest_lost_sent_at = std::max(outcome.latest_lost_sent_at, packet.sent_at);
}

void LossDetector::prune(SentPackets& packets) {
  while (!packets.order().empty()) {
    if (packets.pop_settled_front() > 0) {
      chain_open_ = false;  // something got through
      continue;
    }
    const SentPackets::Transmission oldest = packets.order().front();
    const auto packet = std::as_const(packets).find(oldest.id);
    const bool settled = !packet || packet->state == SentState::kSettled;
    if (settled) {
      chain_open_ = false;  // something got through
    } else if (packet->state == SentState::kInFlight && packet->send_number == oldest.send_number) {
      return;
    }
    packets.pop_order_front();
  }
}

// RFC 9002 section 6.1.2, widened by what RFC 8985 section 6.2.4 has learned of reordering, at most one round trip.
Duration LossDetector::time_threshold(const RttEstimator& rtt) const {
  if (!rtt.has_sample()) return rtt.rto();
  const Duration base = std::max(rtt.smoothed(), rtt.latest());
  const Duration learned = std::min(window_steps_ * rtt.minimum() / 4, rtt.smoothed());
  return std::max(base + std::max(base / 8, learned), config_.granularity);
}

// Thresholds that no reordering has needed for a while shrink again, so that passing reordering does not slow loss
// recovery down for good.
void LossDetector::begin_episode(Instant now) {
  const auto number = static_cast<std::uint8_t>(episode_.number == 255 ? 1 : episode_.number + 1);
  episode_ = {.open = true, .number = number, .began = now};
  if (++calm_episodes_ < config_.reordering_memory) return;
  calm_episodes_ = 0;
  packet_threshold_ = std::max(config_.packet_threshold, packet_threshold_ / 2);
  window_steps_ /= 2;
}

bool LossDetector::in_episode(const SentPacket& packet) const {
  return episode_.open && packet.loss_episode == episode_.number && episode_.unsettled > 0;
}

bool LossDetector::episode_was_mistake() {
  if (episode_.unsettled > 0 || episode_.repaired > 0 || episode_.real) return false;
  if (episode_.spurious <= episode_.doubtful) return false;
  episode_.open = false;
  return true;
}

// RFC 9002 section 7.6.2: two packets lost, sent far apart, and none in between acknowledged. The send-order queue is
// walked front to back, so an acknowledged packet in between has closed the chain in prune().
void LossDetector::extend_chain(Instant sent_at, const RttEstimator& rtt, LossOutcome& outcome) {
  if (!rtt.has_sample()) return;
  if (!chain_open_) {
    chain_open_ = true;
    chain_began_ = sent_at;
    return;
  }
  const Duration probe_timeout = rtt.smoothed() + std::max(4 * rtt.variance(), kTimerGranularity) + rtt.ack_delay();
  if (sent_at - chain_began_ < kPersistentProbeTimeouts * probe_timeout) return;
  outcome.persistent_congestion = true;
  chain_open_ = false;
}

}  // namespace godwit
