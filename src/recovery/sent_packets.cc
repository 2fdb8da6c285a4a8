#include "recovery/sent_packets.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

#include "base/assert.h"
#include "base/low_bits.h"

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

SentPacket& SentPackets::add_run(Instant now, std::uint32_t first_id, const PacketContent& content, std::uint32_t bytes,
                                 std::uint32_t count) {
  GODWIT_ASSERT(count >= 1 && count <= SentRun::kMost && bytes <= kMostBytes);
  if (ring_.next() != first_id) [[unlikely]]
    fill_up_to(first_id);
  ring_.extend(count);
  runs_.push_back({});
  SentRun& run = runs_[runs_.size() - 1];
  run.first_id = first_id;
  run.count = count;
  run.in_flight = low_bits(count);
  run.first.kind = content.kind;
  run.first.owner = content.owner;
  run.first.fragment = content.fragment;
  run.first.count = content.count & 0x7f;
  run.first.transmissions = 1;
  run.first.sent_at = now;
  run.first.bytes = static_cast<std::uint16_t>(bytes);
  run.first.send_number = send_number_ + 1;
  send_number_ += count;
  bytes_in_flight_ += std::uint64_t{bytes} * count;
  packets_in_flight_ += count;
  order_.push_back({.id = first_id, .send_number = run.first.send_number, .count = count});
  return run.first;
}

// Acknowledgements go through the runs from the oldest on: nearly always it is the run of the time before, or the next.
std::size_t SentPackets::find_run(std::uint32_t id) const {
  const auto holds = [&](std::size_t at) { return id - runs_[at].first_id < runs_[at].count; };
  if (latest_run_ < runs_.size() && holds(latest_run_)) return latest_run_;
  if (latest_run_ + 1 < runs_.size() && holds(latest_run_ + 1)) return ++latest_run_;
  const std::uint32_t first = ring_.first();
  std::size_t low = 0;
  std::size_t high = runs_.size();
  while (low < high) {  // the first run that begins behind the id
    const std::size_t middle = low + (high - low) / 2;
    if (runs_[middle].first_id - first <= id - first) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == 0 || !holds(low - 1)) return kNoRun;
  latest_run_ = low - 1;
  return latest_run_;
}

// A second time changes nothing.
void SentPackets::take_apart(SentRun& run, std::uint32_t id) {
  const std::uint32_t index = id - run.first_id;
  const std::uint64_t bit = std::uint64_t{1} << index;
  if ((run.apart & bit) != 0) return;
  *ring_.find(id) = run.packet(index);
  run.apart |= bit;
  run.in_flight &= ~bit;
  ++packets_apart_;
}

std::optional<SentPacket> SentPackets::find(std::uint32_t id) const {
  if (!ring_.contains(id)) return std::nullopt;
  if (const std::size_t at = run_at(id); at != kNoRun) {
    const std::uint32_t index = id - runs_[at].first_id;
    if ((runs_[at].apart >> index & 1) == 0) return runs_[at].packet(index);
  }
  return *ring_.find(id);
}

SentPackets::RunSettled SentPackets::settle_run(std::uint32_t id, std::uint32_t most) {
  RunSettled result;
  if (!ring_.contains(id)) return result;
  const std::size_t at = run_at(id);
  if (at == kNoRun) return result;
  SentRun* const run = &runs_[at];
  std::uint32_t index = id - run->first_id;
  const std::uint32_t end = std::min(run->count, index + std::min(most, SentRun::kMost));
  const std::uint64_t known = run->in_flight | run->apart;
  result.skipped = std::min(static_cast<std::uint32_t>(std::countr_zero(known >> index)), end - index);
  index += result.skipped;
  if (index == end) return result;
  result.run = &run->first;
  result.index = index;
  result.count = std::min(static_cast<std::uint32_t>(std::countr_one(run->in_flight >> index)), end - index);
  if (result.count == 0) return result;
  run->in_flight &= ~(low_bits(result.count) << index);
  result.last_number = run->first.send_number + index + result.count - 1;
  bytes_in_flight_ -= std::uint64_t{result.count} * run->first.bytes;
  packets_in_flight_ -= result.count;
  return result;
}

// Of the run that the front of the ring is in, what is settled. True when the front has changed.
bool SentPackets::release_run_front() {
  if (runs_.empty() || runs_[0].first_id != ring_.first()) return false;
  SentRun& run = runs_[0];
  const std::uint64_t held = run.in_flight | run.apart;
  std::uint32_t gone = held == 0 ? run.count : static_cast<std::uint32_t>(std::countr_zero(held));
  if (gone == 0) {
    if ((run.apart & 1) == 0 || ring_.front().state != SentState::kSettled) return false;
    gone = 1;
  }
  ring_.pop_front(gone);
  if (gone == run.count) {
    runs_.pop_front();
    latest_run_ -= latest_run_ > 0 ? 1 : 0;
    return true;
  }
  // Where it begins now counts as where it began.
  const SentPacket first = run.packet(gone);
  run.first = first;
  run.first_id += gone;
  run.count -= gone;
  run.in_flight >>= gone;
  run.apart >>= gone;
  return true;
}

void SentPackets::release_front() {
  while (!ring_.empty()) {
    if (release_run_front()) continue;
    if (!runs_.empty() && runs_[0].first_id == ring_.first()) break;
    const SentState state = ring_.front().state;
    if (state != SentState::kSettled && state != SentState::kPlaceholder) break;
    ring_.pop_front();
  }
}

SentPacket* SentPackets::in_flight(const Transmission& transmission) {
  return std::as_const(*this).in_flight(transmission) ? find(transmission.id) : nullptr;
}

std::optional<SentPacket> SentPackets::in_flight(const Transmission& transmission) const {
  auto packet = find(transmission.id);
  const bool valid = packet && packet->state == SentState::kInFlight && packet->send_number == transmission.send_number;
  return valid ? packet : std::nullopt;
}

std::optional<SentPackets::Transmission> SentPackets::newest_in_order() {
  while (!order_.empty()) {
    Transmission& back = order_[order_.size() - 1];
    const Transmission last{.id = back.id + back.count - 1, .send_number = back.send_number + back.count - 1};
    if (std::as_const(*this).in_flight(last)) return last;
    if (--back.count == 0) order_.pop_back();
  }
  return std::nullopt;
}

std::uint32_t SentPackets::pop_settled_front() {
  const Transmission& front = order_.front();
  const std::size_t at = ring_.contains(front.id) ? run_at(front.id) : kNoRun;
  if (at == kNoRun) return 0;
  const SentRun* const run = &runs_[at];
  const std::uint32_t index = front.id - run->first_id;
  // What was sent again has another number.
  if (run->first.send_number + index != front.send_number) return 0;
  const std::uint64_t held = (run->in_flight | run->apart) >> index;
  const std::uint32_t settled =
      std::min(held == 0 ? run->count - index : static_cast<std::uint32_t>(std::countr_zero(held)), front.count);
  if (settled > 0) drop_order_front(settled);
  return settled;
}

SentPackets::EntryState SentPackets::state_of(const Transmission& entry) const {
  EntryState state;
  for (std::uint32_t i = 0; i < entry.count && !state.in_flight; ++i) {
    const auto packet = find(entry.id + i);
    state.in_flight = packet && packet->state == SentState::kInFlight && packet->send_number == entry.send_number + i;
    state.settled |= !packet || packet->state == SentState::kSettled;
  }
  return state;
}

// Retransmissions leave stale entries that an unsettled front keeps in the queue. Of acknowledged packets one in a row
// is kept: loss detection has to see that something got through between two losses.
void SentPackets::compact_queues() {
  backed_off_.retain(
      [&](const Transmission& transmission) { return std::as_const(*this).in_flight(transmission).has_value(); });
  bool after_settled = false;
  order_.retain([&](const Transmission& transmission) {
    const EntryState state = state_of(transmission);
    if (state.in_flight) {
      after_settled = false;
      return true;
    }
    const bool keep = state.settled && !after_settled;
    after_settled = after_settled || state.settled;
    return keep;
  });
}

void SentPackets::trim() {
  release_front();
  if (!ring_.empty()) return;
  ring_ = SequenceRing<SentPacket>(ring_.next(), capacity_limit_, 0);
  GODWIT_ASSERT(runs_.empty());
  runs_.trim();
  latest_run_ = 0;
  order_.clear();
  order_.trim();
  backed_off_.clear();
  backed_off_.trim();
}

}  // namespace godwit
