#include "recovery/sent_packets.h"

#include <algorithm>
#include <limits>

#include "base/assert.h"

namespace godwit {
SentPackets::SentPackets(std::uint32_t first_id, std::size_t capacity_limit, std::uint8_t fast_transmissions)
    : capacity_limit_(capacity_limit), fast_transmissions_(fast_transmissions), ring_(first_id, capacity_limit, 0) {}

// Ids that no tracked packet has hold their place, but only behind a packet that is not settled.
void SentPackets::fill_up_to(std::uint32_t id) {
  GODWIT_ASSERT(ring_.empty() || id - ring_.first() < capacity_limit_);
  while (ring_.next() != id) {
    ring_.push(SentPacket{});
    if (ring_.size() == 1) ring_.pop_front();
  }
}

void SentPackets::resend(Instant now, std::uint32_t id, SentPacket& packet, std::uint32_t bytes) {
  const auto age = std::chrono::duration_cast<std::chrono::microseconds>(now - packet.first_transmission_at()).count();
  packet.original_age =
      static_cast<std::uint32_t>(std::clamp<std::int64_t>(age, 0, std::numeric_limits<std::uint32_t>::max()));
  packet.transmissions = static_cast<std::uint8_t>(std::min(packet.transmissions + 1, 255));
  leave_flight(packet);
  enter_flight(now, packet, bytes);
  const bool backed_off = packet.transmissions > fast_transmissions_;
  queue(backed_off ? backed_off_ : order_, id, packet.send_number);
  // Only retransmissions make either queue longer than the ring.
  if (order_.size() + backed_off_.size() > 4 * ring_.size() + 64) compact_queues();
}

void SentPackets::release_front() {
  while (!ring_.empty()) {
    const SentState state = ring_.front().state;
    if (state != SentState::kSettled && state != SentState::kPlaceholder) break;
    ring_.pop_front();
  }
}

SentPacket* SentPackets::in_flight(const Transmission& transmission) {
  SentPacket* packet = ring_.find(transmission.id);
  if (packet == nullptr || packet->state != SentState::kInFlight) return nullptr;
  return packet->send_number == transmission.send_number ? packet : nullptr;
}

const SentPacket* SentPackets::in_flight(const Transmission& transmission) const {
  const SentPacket* packet = ring_.find(transmission.id);
  if (packet == nullptr || packet->state != SentState::kInFlight) return nullptr;
  return packet->send_number == transmission.send_number ? packet : nullptr;
}

std::optional<SentPackets::Transmission> SentPackets::newest_in_order() {
  while (!order_.empty() && in_flight(order_.back()) == nullptr) order_.pop_back();
  if (order_.empty()) return std::nullopt;
  return order_.back();
}

// Retransmissions leave stale entries that an unsettled front keeps in the queue. Of acknowledged packets one in a row
// is kept: loss detection has to see that something got through between two losses.
void SentPackets::compact_queues() {
  backed_off_.retain([&](const Transmission& transmission) { return in_flight(transmission) != nullptr; });
  bool after_settled = false;
  order_.retain([&](const Transmission& transmission) {
    if (in_flight(transmission) != nullptr) {
      after_settled = false;
      return true;
    }
    const SentPacket* packet = ring_.find(transmission.id);
    const bool settled = packet == nullptr || packet->state == SentState::kSettled;
    const bool keep = settled && !after_settled;
    after_settled = after_settled || settled;
    return keep;
  });
}

void SentPackets::trim() {
  release_front();
  if (!ring_.empty()) return;
  ring_ = SequenceRing<SentPacket>(ring_.next(), capacity_limit_, 0);
  order_.clear();
  order_.trim();
  backed_off_.clear();
  backed_off_.trim();
}

}  // namespace godwit
