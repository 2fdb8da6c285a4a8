// Any sequence of operations on the rings of packet ids, each against a model: SequenceRing, AckTracker (every id new
// once), SentPackets (bytes in flight are the sum over what is in flight).
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <set>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/sequence_ring.h"
#include "recovery/ack_tracker.h"
#include "recovery/sent_packets.h"

namespace {

using namespace godwit;

void check_ring(const std::uint8_t* data, std::size_t size) {
  const std::uint32_t first = size > 4 ? load_le<std::uint32_t>(data) : 0;
  SequenceRing<std::uint32_t> ring(first, 64, data[0] % 2 == 0 ? 0 : 4);
  std::deque<std::uint32_t> model;
  std::uint32_t next = first;
  for (std::size_t i = 0; i < size; ++i) {
    if (data[i] & 1 && !ring.full()) {
      ring.push(next * 3);
      model.push_back(next++ * 3);
    } else if (!ring.empty()) {
      GODWIT_ASSERT(ring.front() == model.front());
      ring.pop_front();
      model.pop_front();
    }
    GODWIT_ASSERT(ring.size() == model.size() && ring.next() == next);
    const std::uint32_t probe = next - data[i];
    const bool inside = data[i] != 0 && data[i] <= model.size();
    GODWIT_ASSERT(ring.contains(probe) == inside);
    if (inside) GODWIT_ASSERT(*ring.find(probe) == probe * 3);
  }
}

void check_acks(const std::uint8_t* data, std::size_t size) {
  AckTracker acks;
  std::set<std::uint32_t> seen;
  std::set<std::uint32_t> owed;  // new, and not acknowledged yet
  std::uint32_t base = size > 4 ? load_le<std::uint32_t>(data) : 0;
  Instant now{1h};
  for (std::size_t i = 0; i + 2 <= size; i += 2) {
    base += data[i] % 4U;
    const std::uint32_t id = base - data[i + 1] % 64U;
    const bool duplicate = acks.is_duplicate(id);
    const DuplicateCheck duplicate_check = acks.on_packet(now, id);
    GODWIT_ASSERT((duplicate_check == DuplicateCheck::kDuplicate) == duplicate);
    // Too few gaps and too little time for any to be given up: new once, exactly.
    GODWIT_ASSERT(duplicate == !seen.insert(id).second);
    acks.queue_ack(now, id);
    if (!duplicate) owed.insert(id);
    if (data[i] & 0x40) acks.on_batch_end(now);
    if (data[i] & 0x80) {
      std::array<std::uint32_t, 288> out;
      const std::size_t count = acks.take(now, std::span(out).first(1 + data[i + 1] % 288U), data[i] & 0x20);
      for (std::size_t k = 0; k < count; ++k) {
        GODWIT_ASSERT(seen.contains(out[k]));
        owed.erase(out[k]);
      }
      if (data[i] & 0x10) acks.trim();
    }
    // Acknowledgements of duplicates wait as well, once or twice.
    GODWIT_ASSERT(owed.size() <= acks.pending() && acks.pending() <= i + 2);
    GODWIT_ASSERT(acks.deadline().has_value() || acks.pending() == 0);
    now += Duration{data[i + 1]} * 1'000;
  }
}

void check_sent(const std::uint8_t* data, std::size_t size) {
  SentPackets packets(data[0] % 2 == 0 ? 1 : 0xfffffff0, 1024, 8);
  std::map<std::uint32_t, std::uint32_t> in_flight;  // id -> bytes
  std::uint32_t next = packets.next_id();
  Instant now{1h};
  for (std::size_t i = 0; i + 2 <= size; i += 2) {
    now += 1ms;
    const std::uint32_t bytes = 45 + data[i + 1] * 4U;
    const std::uint32_t id = next - 1 - data[i + 1] % 32U;
    SentPacket* packet = packets.find(id);
    switch (data[i] % 5) {
      case 0:
        next += data[i] / 5 % 3U;  // ids of untracked packets in between
        if (!packets.empty() && next - packets.oldest_id() >= 1000) break;
        packets.add(now, next, {.kind = PacketContent::Kind::kFragment, .owner = 1, .fragment = next}, bytes);
        in_flight[next++] = bytes;
        break;
      case 1:
        if (packet == nullptr || packet->state != SentState::kInFlight) break;
        packets.mark_lost(*packet);
        in_flight.erase(id);
        break;
      case 2:
        if (packet == nullptr || (packet->state != SentState::kInFlight && packet->state != SentState::kLost)) break;
        packets.resend(now, id, *packet, bytes);
        in_flight[id] = bytes;
        break;
      case 3:
        if (packet == nullptr || (packet->state != SentState::kInFlight && packet->state != SentState::kLost)) break;
        packets.settle(*packet);
        in_flight.erase(id);
        break;
      default: packets.release_front(); break;
    }
    std::uint64_t sum = 0;
    for (const auto& [each, its] : in_flight) sum += its;
    GODWIT_ASSERT(packets.bytes_in_flight() == sum);
    GODWIT_ASSERT(packets.packets_in_flight() == in_flight.size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  switch (data[0] % 3) {
    case 0: check_ring(data + 1, size - 1); break;
    case 1: check_acks(data + 1, size - 1); break;
    default: check_sent(data + 1, size - 1); break;
  }
  return 0;
}
