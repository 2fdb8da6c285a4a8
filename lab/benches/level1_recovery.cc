// Level 1: what arrived and what is outstanding.

#include <fmt/format.h>

#include <numeric>

#include "base/random.h"
#include "benches/suite.h"
#include "recovery/ack_tracker.h"
#include "recovery/recovery.h"

namespace godwit::bench {
namespace {

using namespace std::chrono_literals;

enum class Arrival { kInOrder, kReversed, kLossy };

// Packet ids of a window of 512, in the order of arrival.
std::vector<std::uint32_t> arrival(Arrival order) {
  std::vector<std::uint32_t> ids(512);
  std::iota(ids.begin(), ids.end(), 0U);
  if (order == Arrival::kReversed) {
    // Batches of eight backwards: what a path with reordering does.
    for (std::size_t i = 0; i + 8 <= ids.size(); i += 8)
      std::reverse(ids.begin() + static_cast<std::ptrdiff_t>(i), ids.begin() + static_cast<std::ptrdiff_t>(i + 8));
  }
  if (order == Arrival::kLossy)
    std::stable_partition(ids.begin(), ids.end(), [](std::uint32_t id) { return id % 100 != 17; });
  return ids;
}

Case ack_tracker_case(std::string name, std::string title, Arrival order) {
  return {.name = "level1/acks/" + name, .title = std::move(title), .body = [order](Bench& bench) {
            const std::vector<std::uint32_t> ids = arrival(order);
            AckTracker tracker;
            Instant now{1000s};
            std::array<std::uint32_t, 288> out;
            std::uint32_t base = 1;
            std::size_t at = 0;
            std::uint64_t seen = 0;
            std::uint64_t acknowledged = 0;
            bool right = true;
            bench.outcome.proof = "every packet is new once and acknowledged once";
            bench.measure([&] {
              const std::uint32_t id = base + ids[at];
              right = tracker.on_packet(now, id) == DuplicateCheck::kNew && right;
              tracker.queue_ack(now, id);
              ++seen;
              if (++at % 64 == 0) {
                now += 10us;
                tracker.on_batch_end(now);
                if (tracker.pending() >= 144) acknowledged += tracker.take(now, out, false);
              }
              if (at == ids.size()) {
                at = 0;
                base += static_cast<std::uint32_t>(ids.size());
              }
            });
            bench.outcome.verified = right && acknowledged <= seen && acknowledged + 512 >= seen;
          }};
}

// A packet's life at its sender: sent, and acknowledged in batches of 144 when 512 are outstanding.
Case sent_ring_case(std::string name, std::string title, Arrival order) {
  return {.name = "level1/sent/" + name, .title = std::move(title), .body = [order](Bench& bench) {
            DeterministicRandom random(7);
            Recovery recovery({.skip_ids = false}, random);
            const std::vector<std::uint32_t> ids = arrival(order);
            Instant now{1000s};
            std::uint32_t fragment = 1;
            std::uint64_t acked = 0;
            std::uint64_t sent = 0;
            std::uint32_t base = 1;
            bench.outcome.proof = "every packet sent is acknowledged";
            bench.measure([&] {
              const std::uint32_t id = recovery.next_packet_id();
              recovery.on_sent(now, id, {.kind = PacketContent::Kind::kFragment, .owner = 1, .fragment = fragment++},
                               1200);
              ++sent;
              if (sent % 512 != 0) return;
              now += 100us;
              for (std::size_t at = 0; at < ids.size();) {
                recovery.begin_acks(now);
                for (const std::size_t end = std::min(at + 144, ids.size()); at < end; ++at)
                  recovery.on_ack(base + ids[at]);
                acked += recovery.finish_acks().acked_packets;
                now += 10us;
              }
              base += static_cast<std::uint32_t>(ids.size());
              // What a gap made look lost has arrived meanwhile.
              while (const auto lost = recovery.poll_retransmit()) recovery.discard(lost->id);
            });
            bench.outcome.verified = sent < 512 || acked + 512 >= sent;
          }};
}

}  // namespace

void add_level1_recovery(Cases& cases) {
  cases.push_back(
      ack_tracker_case("in-order", "duplicate filter and acknowledgement of a packet, in order", Arrival::kInOrder));
  cases.push_back(ack_tracker_case("reversed", "the same, batches of eight backwards", Arrival::kReversed));
  cases.push_back(ack_tracker_case("lossy", "the same, one in a hundred comes late", Arrival::kLossy));
  cases.push_back(sent_ring_case("in-order", "sent ring, loss detection and delivery rate of a packet, in order",
                                 Arrival::kInOrder));
  cases.push_back(
      sent_ring_case("reversed", "the same, acknowledgements of batches of eight backwards", Arrival::kReversed));
  cases.push_back(sent_ring_case("lossy", "the same, acknowledgements of one in a hundred come late", Arrival::kLossy));
}

}  // namespace godwit::bench
