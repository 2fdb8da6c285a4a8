// Recovery's packet ids: skipping, the span, and ids that no tracked packet has.
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "recovery/recovery.h"

namespace godwit::recovery_ids_test {
namespace {

constexpr Instant kStart{1s};
using Kind = PacketContent::Kind;

TEST(RecoveryIds, SkipsIdsAndTreatsTheirAcksAsMisbehaviour) {
  DeterministicRandom random(4);
  Recovery recovery({.skip_least = 50, .skip_most = 150, .skip_interval = 0s}, random);
  std::vector<std::uint32_t> skipped;
  std::uint32_t previous = 0;
  for (int i = 0; i < 5000; ++i) {
    const std::uint32_t id = recovery.next_packet_id();
    if (id != previous + 1) {
      EXPECT_EQ(id, previous + 2);
      skipped.push_back(id - 1);
    }
    previous = id;
    recovery.on_sent(kStart, id, {Kind::kMessage, 1, 0}, 1000);
  }
  EXPECT_GT(skipped.size(), 5000u / 150 - 2);
  EXPECT_LT(skipped.size(), 5000u / 50 + 1);
  EXPECT_EQ(recovery.statistics().ids_skipped, skipped.size());
  recovery.begin_acks(kStart + 1ms);
  for (const std::uint32_t id : skipped) recovery.on_ack(id);
  EXPECT_EQ(recovery.finish_acks().misbehaving_acks, skipped.size());
  EXPECT_EQ(recovery.bytes_in_flight(), 5'000'000u);
  // Also soon after the ids around it are settled.
  recovery.begin_acks(kStart + 2ms);
  for (std::uint32_t id = 1; id <= previous; ++id) recovery.on_ack(id);
  EXPECT_EQ(recovery.finish_acks().acked_packets, 5000u);
  recovery.begin_acks(kStart + 3ms);
  recovery.on_ack(skipped.back());
  EXPECT_EQ(recovery.finish_acks().misbehaving_acks, 1u);
}

TEST(RecoveryIds, SkipsRarelyEnoughForAReceiverThatRemembersEveryGap) {
  DeterministicRandom random(4);
  Recovery recovery({}, random);
  Instant now = kStart;
  for (int i = 0; i < 1'000'000; ++i) {
    now += 10us;
    recovery.on_sent(now, recovery.next_packet_id(), {Kind::kMessage, 1, 0}, 1000);
    recovery.discard(recovery.sent().oldest_id());
  }
  EXPECT_GE(recovery.statistics().ids_skipped, 35u);
  EXPECT_LE(recovery.statistics().ids_skipped, 41u);
}

TEST(RecoveryIds, HoldsNewPacketsWhenTheOldestIsTooFarBehind) {
  DeterministicRandom random(4);
  Recovery recovery({.span_limit = 1024, .skip_least = 20, .skip_most = 40, .skip_interval = 0s}, random);
  std::uint32_t sent = 0;
  while (recovery.may_send_new()) {
    const std::uint32_t room = recovery.new_packet_room();
    for (std::uint32_t i = 0; i < room; ++i) {  // as many as it said, without looking again
      recovery.on_sent(kStart, recovery.next_packet_id(), {Kind::kMessage, 1, 0}, 1000);
      ++sent;
    }
  }
  EXPECT_GT(sent, 850u);
  // All but the first are acknowledged: the span is still used up.
  recovery.begin_acks(kStart + 1ms);
  for (std::uint32_t id = 2; id < 1024; ++id) recovery.on_ack(id);
  static_cast<void>(recovery.finish_acks());
  EXPECT_FALSE(recovery.may_send_new());
  recovery.begin_acks(kStart + 1ms);
  recovery.on_ack(1);
  static_cast<void>(recovery.finish_acks());
  EXPECT_GT(recovery.new_packet_room(), 850u);
}

TEST(RecoveryIds, PingsOnAnIdleConnectionTakeNoRoom) {
  DeterministicRandom random(4);
  Recovery recovery({.span_limit = 1024}, random);
  for (int i = 0; i < 100'000; ++i) static_cast<void>(recovery.next_packet_id());
  EXPECT_TRUE(recovery.may_send_new());
  recovery.on_sent(kStart, recovery.next_packet_id(), {Kind::kMessage, 1, 0}, 1000);
  EXPECT_TRUE(recovery.may_send_new());
}

}  // namespace
}  // namespace godwit::recovery_ids_test
