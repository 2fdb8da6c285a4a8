// Recovery under random operations, hostile acknowledgements included, against a map of what each id must be.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "recovery/recovery.h"
#include "recovery/test_path.h"

namespace godwit {
namespace {

using Kind = PacketContent::Kind;

class Model {
 public:
  explicit Model(std::uint64_t seed)
      : random_(seed),
        ids_(seed + 1000),
        first_(seed % 2 == 0 ? 1u : 0u - 400u),
        recovery_(
            {.first_packet_id = first_, .span_limit = 2048, .skip_least = 10, .skip_most = 30, .skip_interval = 0s},
            ids_) {}

  void step() {
    now_ += Duration{static_cast<Duration::rep>(random_.below(20'000'000))};
    const std::uint64_t action = random_.below(100);
    if (action < 45) {
      send();
    } else if (action < 50) {
      static_cast<void>(take_id());
    } else if (action < 72) {
      acks();
    } else if (action < 86) {
      retransmit();
    } else if (action < 96) {
      timeout();
    } else if (action < 97) {
      forget();
    } else if (action < 98) {
      discard();
    } else if (action < 99) {
      recovery_.on_path_proven();
    } else {
      recovery_.trim();
    }
    check();
  }

 private:
  struct Packet {
    std::uint32_t bytes = 0;
    PacketContent content;
    bool in_flight = false;  // else lost
  };

  std::uint32_t take_id() {
    const std::uint32_t id = recovery_.next_packet_id();
    if (any_id_) {
      EXPECT_TRUE(id == latest_ + 1 || id == latest_ + 2);
      if (id == latest_ + 2) skipped_.insert(id - 1);
    } else {
      EXPECT_EQ(id, first_);
    }
    any_id_ = true;
    latest_ = id;
    return id;
  }
  void send() {
    for (std::uint64_t count = random_.below(8); count > 0 && recovery_.may_send_new(); --count) {
      const std::uint32_t id = take_id();
      const PacketContent content{random_.below(2) == 0 ? Kind::kFragment : Kind::kMessage,
                                  static_cast<std::uint32_t>(random_.below(4)), id};
      const auto bytes = static_cast<std::uint32_t>(random_.below(1501));
      recovery_.on_sent(now_, id, content, bytes);
      unsettled_[id] = {.bytes = bytes, .content = content, .in_flight = true};
    }
  }
  std::uint32_t any_id() {
    if (!unsettled_.empty() && random_.below(5) != 0) {
      auto it = unsettled_.begin();
      std::advance(it, static_cast<std::ptrdiff_t>(random_.below(unsettled_.size())));
      return it->first;
    }
    if (random_.below(3) == 0) return static_cast<std::uint32_t>(random_.next_u64());
    return latest_ + 20 - static_cast<std::uint32_t>(random_.below(200));
  }
  void acks() {
    const std::uint64_t before = recovery_.bytes_in_flight();
    std::uint64_t bytes = 0;
    std::vector<PacketContent> acknowledged;
    recovery_.begin_acks(now_);
    for (std::uint64_t count = random_.below(12); count > 0; --count) {
      const std::uint32_t id = any_id();
      recovery_.on_ack(id);
      const auto it = unsettled_.find(id);
      if (it == unsettled_.end()) continue;
      bytes += it->second.bytes;
      acknowledged.push_back(it->second.content);
      unsettled_.erase(it);
    }
    const AckOutcome& outcome = recovery_.finish_acks();
    EXPECT_EQ(outcome.prior_bytes_in_flight, before);
    EXPECT_EQ(outcome.acked_bytes, bytes);
    EXPECT_EQ(outcome.acked_packets, acknowledged.size());
    std::size_t next = 0;
    for (const AckedRange& range : outcome.acked) {
      for (std::uint32_t i = 0; i < range.count; ++i) {
        ASSERT_LT(next, acknowledged.size());
        EXPECT_EQ((PacketContent{range.kind, range.owner, range.first_fragment + i}), acknowledged[next++]);
      }
    }
    EXPECT_EQ(next, acknowledged.size());
    EXPECT_EQ(outcome.rate.newly_acked, bytes);
    EXPECT_EQ(outcome.rate.newly_lost, outcome.lost_bytes);
    book(outcome);
  }
  void retransmit() {
    for (std::uint64_t count = random_.below(6); count > 0; --count) {
      const auto packet = recovery_.poll_retransmit();
      const bool any_lost =
          std::any_of(unsettled_.begin(), unsettled_.end(), [](const auto& p) { return !p.second.in_flight; });
      if (!packet) {
        EXPECT_FALSE(any_lost);
        return;
      }
      const auto it = unsettled_.find(packet->id);
      ASSERT_NE(it, unsettled_.end());
      EXPECT_EQ(it->second.content, packet->content);
      EXPECT_EQ(it->second.bytes, packet->bytes);
      EXPECT_TRUE(packet->is_probe || !it->second.in_flight);
      it->second.bytes = static_cast<std::uint32_t>(random_.below(1501));
      it->second.in_flight = true;
      recovery_.on_retransmitted(now_, packet->id, it->second.bytes);
    }
  }
  void timeout() {
    const auto due = recovery_.next_timeout();
    if (due && *due > now_ && random_.below(3) == 0) now_ = *due;
    const std::uint64_t before = recovery_.bytes_in_flight();
    const TimeoutOutcome& outcome = recovery_.handle_timeout(now_);
    EXPECT_EQ(before, outcome.prior_bytes_in_flight);
    book(outcome);
    for (const AbandonedPacket& packet : outcome.abandoned) EXPECT_EQ(unsettled_.erase(packet.id), 1u);
    EXPECT_TRUE(!recovery_.next_timeout() || *recovery_.next_timeout() > now_);
  }
  void book(const LossOutcome& outcome) {
    std::uint64_t bytes = 0;
    for (const LostRecord& record : outcome.lost) {
      const auto it = unsettled_.find(record.id);
      ASSERT_NE(it, unsettled_.end());
      EXPECT_TRUE(it->second.in_flight);
      EXPECT_EQ(it->second.bytes, record.bytes);
      EXPECT_GE(record.lost_since, record.bytes);
      it->second.in_flight = false;
      bytes += record.bytes;
    }
    EXPECT_EQ(outcome.lost_bytes, bytes);
    EXPECT_EQ(outcome.lost_packets, outcome.lost.size());
  }
  void forget() {
    const auto kind = random_.below(2) == 0 ? Kind::kFragment : Kind::kMessage;
    const auto owner = static_cast<std::uint32_t>(random_.below(4));
    std::uint64_t bytes = 0;
    PacketIdRange sent{.first = first_, .last = first_};  // from the first packet of all: longer than need be
    for (auto it = unsettled_.begin(); it != unsettled_.end();) {
      const bool hit = it->second.content.kind == kind && it->second.content.owner == owner;
      if (hit && it->second.in_flight) bytes += it->second.bytes;
      if (hit && it->first - first_ > sent.last - first_) sent.last = it->first;
      it = hit ? unsettled_.erase(it) : std::next(it);
    }
    EXPECT_EQ(recovery_.forget_owner(kind, owner, sent), bytes);
  }
  void discard() {
    const std::uint32_t id = any_id();
    recovery_.discard(id);
    unsettled_.erase(id);
  }
  void check() {
    std::uint64_t bytes = 0;
    std::uint32_t packets = 0;
    for (const auto& [id, packet] : unsettled_) {
      bytes += packet.in_flight ? packet.bytes : 0;
      packets += packet.in_flight ? 1 : 0;
    }
    ASSERT_EQ(recovery_.bytes_in_flight(), bytes);
    ASSERT_EQ(recovery_.packets_in_flight(), packets);
    ASSERT_EQ(ring_bytes(recovery_), bytes);
    ASSERT_EQ(recovery_.outstanding(), !unsettled_.empty());
    ASSERT_TRUE(packets == 0 || recovery_.next_timeout().has_value()) << "packets in flight without a timer";
  }

  DeterministicRandom random_;
  DeterministicRandom ids_;
  std::uint32_t first_;
  Recovery recovery_;
  Instant now_{1s};
  bool any_id_ = false;
  std::uint32_t latest_ = 0;
  std::set<std::uint32_t> skipped_;
  std::map<std::uint32_t, Packet> unsettled_;
};

TEST(RecoveryModel, AgreesWithAMapUnderRandomOperations) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    Model model(seed);
    for (int step = 0; step < 1500; ++step) {
      model.step();
      if (testing::Test::HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace godwit
