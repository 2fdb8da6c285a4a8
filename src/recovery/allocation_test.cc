// Nothing allocates per packet in the steady state: the whole of recovery, both halves, under loss, reordering, lost
// acknowledgements and probes, with every allocation of the process counted.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <vector>

#include "base/counted_allocations_test_support.h"
#include "base/random.h"
#include "recovery/ack_tracker.h"
#include "recovery/pacer.h"
#include "recovery/recovery.h"

namespace godwit {
namespace {

constexpr std::size_t kBatch = 54;
constexpr std::size_t kBatchesUnderway = 40;

// A batch leaves every 100 us and arrives 4 ms later; one in 97 packets and one in 20 acknowledgement packets are lost,
// in a fixed rhythm: by chance a packet could be lost ever more often and raise the high-water marks after any warm-up.
class Loop {
 public:
  void turn() {
    now_ += 100us;
    Batch& slot = underway_[turn_++ % kBatchesUnderway];
    deliver(slot);
    slot.count = 0;
    if (const auto timeout = recovery_.next_timeout(); timeout && *timeout <= now_) {
      static_cast<void>(recovery_.handle_timeout(now_));
    }
    if (pacer_.budget(now_) == 0) return;
    while (slot.count < kBatch) {
      const auto packet = recovery_.poll_retransmit();
      if (!packet) break;
      recovery_.on_retransmitted(now_, packet->id, packet->bytes);
      put(slot, packet->id);
    }
    slot.resent = slot.count;
    while (slot.count < kBatch && recovery_.may_send_new()) {
      const std::uint32_t id = recovery_.next_packet_id();
      recovery_.on_sent(now_, id, {PacketContent::Kind::kFragment, 1, ++fragments_}, 1200);
      put(slot, id);
    }
    pacer_.on_sent(now_, slot.count * 1200);
  }
  [[nodiscard]] const Recovery& recovery() const { return recovery_; }

 private:
  struct Batch {
    std::array<std::uint32_t, kBatch> ids{};
    std::size_t count = 0;
    std::size_t resent = 0;  // the first ones are retransmissions
  };

  void put(Batch& batch, std::uint32_t id) { batch.ids[batch.count++] = id; }
  void deliver(Batch& batch) {
    if (turn_ % 4 == 0) std::swap(batch.ids[kBatch - 1], batch.ids[kBatch - 20]);
    for (std::size_t i = 0; i < batch.count; ++i) {
      if (batch.ids[i] % 97 == 0 && i >= batch.resent) continue;
      static_cast<void>(tracker_.on_packet(now_, batch.ids[i]));
      tracker_.queue_ack(now_, batch.ids[i]);
    }
    tracker_.on_batch_end(now_);
    if (!tracker_.due(now_)) return;
    const std::size_t count = tracker_.take(now_, acks_, true);
    if (++ack_packets_ % 20 == 0) return;  // lost; never two in a row
    recovery_.begin_acks(now_);
    for (std::size_t i = 0; i < count; ++i) recovery_.on_ack(acks_[i]);
    static_cast<void>(recovery_.finish_acks());
  }

  DeterministicRandom random_{11};
  Recovery recovery_{{.rtt = {.min_rto = 200ms}}, random_};
  AckTracker tracker_;
  Pacer pacer_{10_gbps};
  Instant now_{1s};
  std::uint32_t fragments_ = 0;
  std::size_t turn_ = 0;
  std::size_t ack_packets_ = 0;
  std::array<Batch, kBatchesUnderway> underway_{};
  std::array<std::uint32_t, 288> acks_{};
};

TEST(Allocation, NothingAllocatesInTheSteadyState) {
  Loop loop;
  for (int turn = 0; turn < 20'000; ++turn) loop.turn();
  const std::uint64_t before = allocation_counts.allocations.load();
  const std::uint64_t packets = loop.recovery().statistics().packets_sent;
  for (int turn = 0; turn < 40'000; ++turn) loop.turn();
  EXPECT_EQ(allocation_counts.allocations.load(), before);
  EXPECT_GT(loop.recovery().statistics().packets_sent - packets, 1'500'000u);
  EXPECT_GT(loop.recovery().statistics().packets_retransmitted, 10'000u);
}

TEST(Allocation, AnIdleConnectionGivesItsMemoryBack) {
  DeterministicRandom random(1);
  Recovery recovery({}, random);
  AckTracker tracker;
  const Instant now{1s};
  for (int i = 0; i < 10'000; ++i) {
    const std::uint32_t id = recovery.next_packet_id();
    recovery.on_sent(now, id, {PacketContent::Kind::kMessage, 1, 0}, 1200);
    static_cast<void>(tracker.on_packet(now, id));
    tracker.queue_ack(now, id);
  }
  std::vector<std::uint32_t> acks(10'000);
  acks.resize(tracker.take(now, acks, true));
  recovery.begin_acks(now);
  for (std::uint32_t id = 1; id < 10'100; ++id) recovery.on_ack(id);
  EXPECT_EQ(recovery.finish_acks().acked_packets, 10'000u);
  recovery.trim();
  tracker.trim();
  EXPECT_TRUE(recovery.sent().empty());
  EXPECT_LE(sizeof(Recovery) + sizeof(AckTracker), 1600u);
}

}  // namespace
}  // namespace godwit
