// What a peer's reports of duplicates tell: retransmissions that were needless (docs/adr/0003-acknowledgements.md).

#include <gtest/gtest.h>

#include <cstdint>

#include "recovery/recovery.h"

namespace godwit {
namespace {

class ReportedDuplicate : public testing::Test {
 protected:
  std::uint32_t send(Instant now) {
    const std::uint32_t id = recovery_.next_packet_id();
    recovery_.on_sent(now, id, {PacketContent::Kind::kMessage, 1, 0}, 1000);
    return id;
  }
  const AckOutcome& acknowledge(Instant now, std::initializer_list<std::uint32_t> ids) {
    recovery_.begin_acks(now);
    for (const std::uint32_t id : ids) recovery_.on_ack(id);
    return recovery_.finish_acks();
  }
  // Sixty packets, one after the other, each acknowledged after 50 ms.
  Instant learn_round_trip() {
    Instant now{1s};
    recovery_.rtt().on_ping_sample(now, 50ms);
    for (int i = 0; i < 60; ++i) {
      const std::uint32_t id = send(now);
      now += 50ms;
      acknowledge(now, {id});
    }
    return now;
  }
  std::size_t retransmit_all(Instant now) {
    std::size_t count = 0;
    for (; const auto packet = recovery_.poll_retransmit(); ++count) {
      recovery_.on_retransmitted(now, packet->id, packet->bytes);
    }
    return count;
  }

  DeterministicRandom random_{1};
  Recovery recovery_{{.skip_ids = false}, random_};
};

// An acknowledgement that comes one round trip after the retransmission may be that of either copy. The peer says when
// both came.
TEST_F(ReportedDuplicate, BelievesThePeerThatARetransmissionWasNeedless) {
  Instant now = learn_round_trip();
  for (int i = 0; i < 10; ++i) send(now);
  EXPECT_EQ(acknowledge(now + 50ms, {67, 68, 69, 70}).lost_packets, 6u);
  EXPECT_EQ(retransmit_all(now + 50ms), 6u);
  now += 100ms;
  recovery_.begin_acks(now);
  for (std::uint32_t id = 61; id <= 66; ++id) recovery_.on_duplicate_ack(id);
  const AckOutcome& outcome = recovery_.finish_acks();
  EXPECT_EQ(outcome.acked_packets, 6u);
  EXPECT_EQ(outcome.spurious_packets, 6u);
  EXPECT_TRUE(outcome.spurious_loss_undone);
  EXPECT_EQ(recovery_.statistics().packets_spuriously_lost, 6u);
}

TEST_F(ReportedDuplicate, UndoesNothingWhileOneLossOfTheEpisodeIsReal) {
  Instant now = learn_round_trip();
  for (int i = 0; i < 10; ++i) send(now);
  acknowledge(now + 50ms, {67, 68, 69, 70});
  ASSERT_EQ(retransmit_all(now + 50ms), 6u);
  now += 100ms;
  recovery_.begin_acks(now);
  for (std::uint32_t id = 61; id <= 65; ++id) recovery_.on_duplicate_ack(id);
  recovery_.on_ack(66);  // came once
  const AckOutcome& outcome = recovery_.finish_acks();
  EXPECT_EQ(outcome.spurious_packets, 5u);
  EXPECT_FALSE(outcome.spurious_loss_undone);
}

TEST_F(ReportedDuplicate, TakesANeedlessProbeForNoLoss) {
  Instant now = learn_round_trip();
  const std::uint32_t id = send(now);
  now = *recovery_.next_timeout();
  EXPECT_TRUE(recovery_.handle_timeout(now).probe_wanted);
  recovery_.on_retransmitted(now, id, 1000);
  recovery_.begin_acks(now + 50ms);
  recovery_.on_duplicate_ack(id);
  const AckOutcome& outcome = recovery_.finish_acks();
  EXPECT_FALSE(outcome.probe_repaired_loss);
  EXPECT_EQ(outcome.spurious_packets, 0u);
  EXPECT_EQ(recovery_.statistics().needless_probes, 1u);
}

// The network's copy of a packet sent once, a repetition, an id never sent: a hostile peer gains nothing by the form.
TEST_F(ReportedDuplicate, AReportOfADuplicateIsOtherwiseAnAck) {
  const Instant now = learn_round_trip();
  const std::uint32_t id = send(now);
  recovery_.begin_acks(now + 50ms);
  recovery_.on_duplicate_ack(id);
  recovery_.on_duplicate_ack(id);
  recovery_.on_duplicate_ack(id + 1000);
  const AckOutcome& outcome = recovery_.finish_acks();
  EXPECT_EQ(outcome.acked_packets, 1u);
  EXPECT_EQ(outcome.spurious_packets, 0u);
  EXPECT_EQ(outcome.stale_acks, 1u);
  EXPECT_EQ(outcome.misbehaving_acks, 1u);
  EXPECT_TRUE(outcome.rtt_sample.has_value());
}

}  // namespace
}  // namespace godwit
