// Recovery where the peer acknowledges packet numbers: which transmission has come is known.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "recovery/recovery.h"

namespace godwit::recovery_numbers_test {
namespace {

constexpr Instant kStart{1h};
constexpr std::uint32_t kBytes = 1200;

class RecoveryByNumber : public ::testing::Test {
 protected:
  RecoveryByNumber() { recovery_.use_numbers(); }

  // Returns the packet number.
  std::uint64_t send(Instant now) {
    const std::uint32_t id = recovery_.next_packet_id();
    recovery_.begin_packet(number_);
    recovery_.on_sent(now, id, {.kind = PacketContent::Kind::kFragment, .owner = 1, .fragment = id}, kBytes);
    return number_++;
  }
  std::uint64_t send_again(Instant now) {
    const auto lost = recovery_.poll_retransmit();
    EXPECT_TRUE(lost);
    recovery_.begin_packet(number_);
    recovery_.on_retransmitted(now, lost->id, kBytes);
    return number_++;
  }
  AckOutcome acknowledge(Instant now, std::vector<NumberRange> newest_first, Duration delay = {}) {
    recovery_.begin_acks(now);
    static_cast<void>(recovery_.on_ranges(newest_first, delay, number_));
    return recovery_.finish_acks();
  }
  static NumberRange only(std::uint64_t number) { return {.first = number, .last = number}; }
  // Six packets at the start, of which the first seems lost at 100 ms and is sent again.
  std::uint64_t lose_the_first() {
    for (int i = 0; i < 6; ++i) static_cast<void>(send(kStart));
    EXPECT_EQ(acknowledge(kStart + 100ms, {{.first = 1, .last = 5}}).lost_packets, 1u);
    return send_again(kStart + 100ms);
  }

  DeterministicRandom random_{1};
  Recovery recovery_{{.skip_least = 2, .skip_most = 2, .skip_interval = 0s}, random_};
  std::uint64_t number_ = 0;
};

TEST_F(RecoveryByNumber, OneRangeConfirmsAllInTheirOrder) {
  for (int i = 0; i < 100; ++i) static_cast<void>(send(kStart));
  const AckOutcome outcome = acknowledge(kStart + 50ms, {{.first = 0, .last = 99}});
  EXPECT_EQ(outcome.acked_packets, 100u);
  EXPECT_EQ(outcome.acked.size(), 1u);
  EXPECT_EQ(recovery_.bytes_in_flight(), 0u);
  const AckOutcome again = acknowledge(kStart + 51ms, {{.first = 0, .last = 99}});
  EXPECT_EQ(again.acked_packets, 0u);
  EXPECT_EQ(again.stale_acks, 0u);
}

TEST_F(RecoveryByNumber, TheFramesOfAPacketAreAcknowledgedTogetherAndCountAsOneForReordering) {
  recovery_.begin_packet(number_++);
  for (int i = 0; i < 10; ++i) {
    const std::uint32_t id = recovery_.next_packet_id();
    recovery_.on_sent(kStart, id, {.kind = PacketContent::Kind::kMessage, .owner = id, .fragment = 0}, 100);
  }
  const std::uint64_t later = send(kStart);
  EXPECT_EQ(acknowledge(kStart + 50ms, {only(later)}).lost_packets, 0u);  // overtaken by one packet, not by ten
  EXPECT_EQ(acknowledge(kStart + 51ms, {{.first = 0, .last = later}}).acked_packets, 10u);
}

TEST_F(RecoveryByNumber, ASampleOfARetransmissionIsNotAmbiguous) {
  const std::uint64_t again = lose_the_first();
  const AckOutcome outcome = acknowledge(kStart + 190ms, {{.first = 1, .last = again}});
  EXPECT_EQ(outcome.rtt_sample, Duration{90ms});
  EXPECT_EQ(outcome.spurious_packets, 0u);
}

TEST_F(RecoveryByNumber, TheDelayIsTakenOffTheSampleButNotBelowTheLeastRoundTrip) {
  acknowledge(kStart + 100ms, {only(send(kStart))}, 5ms);
  EXPECT_EQ(recovery_.rtt().smoothed(), Duration{100ms});  // the first sample as it is
  acknowledge(kStart + 1140ms, {only(send(kStart + 1s))}, 40ms);
  EXPECT_EQ(recovery_.rtt().smoothed(), Duration{100ms});
  EXPECT_EQ(recovery_.rtt().latest(), Duration{140ms});
  // A peer that says it has waited longer than that makes no sample vanish.
  acknowledge(kStart + 2180ms, {only(send(kStart + 2s))}, 10s);
  EXPECT_EQ(recovery_.rtt().smoothed(), Duration{110ms});
  EXPECT_LE(recovery_.rtt().ack_delay(), recovery_.rtt().config().max_ack_delay);
}

TEST_F(RecoveryByNumber, ATailProbeWaitsAsLongAsThePeerSaysThatItDoes) {
  for (int i = 0; i < 20; ++i) {
    const Instant now = kStart + i * 1s;
    acknowledge(now + 60ms, {only(send(now))}, 10ms);
  }
  EXPECT_LT(recovery_.rtt().ack_delay(), 25ms);
  EXPECT_GE(recovery_.rtt().ack_delay(), 10ms);
}

TEST_F(RecoveryByNumber, AnOriginalThatArrivesBeforeItsRepetitionUndoesTheReaction) {
  static_cast<void>(lose_the_first());
  const AckOutcome outcome = acknowledge(kStart + 110ms, {{.first = 0, .last = 5}});
  EXPECT_EQ(outcome.spurious_packets, 1u);
  EXPECT_TRUE(outcome.spurious_loss_undone);
  EXPECT_EQ(outcome.acked_packets, 1u);
  EXPECT_EQ(recovery_.statistics().packets_spuriously_lost, 1u);
}

TEST_F(RecoveryByNumber, AnOriginalThatArrivesAfterItsRepetitionUndoesTheReactionToo) {
  const std::uint64_t again = lose_the_first();
  const AckOutcome repaired = acknowledge(kStart + 200ms, {{.first = 1, .last = again}});
  EXPECT_FALSE(repaired.spurious_loss_undone);
  const AckOutcome late = acknowledge(kStart + 210ms, {{.first = 0, .last = again}});
  EXPECT_EQ(late.acked_packets, 0u);
  EXPECT_EQ(late.spurious_packets, 1u);
  EXPECT_TRUE(late.spurious_loss_undone);
  EXPECT_EQ(recovery_.statistics().packets_spuriously_lost, 1u);
  EXPECT_GT(recovery_.losses().packet_threshold(), 3u);
}

TEST_F(RecoveryByNumber, WhatWasLostIsNeverCalledSpurious) {
  const std::uint64_t again = lose_the_first();
  const AckOutcome outcome = acknowledge(kStart + 101ms, {{.first = 1, .last = again}});  // sooner than any round trip
  EXPECT_EQ(outcome.spurious_packets, 0u);
  EXPECT_FALSE(outcome.spurious_loss_undone);
}

TEST_F(RecoveryByNumber, OneRealLossAmongMistakesKeepsTheReaction) {
  for (int i = 0; i < 7; ++i) static_cast<void>(send(kStart));
  EXPECT_EQ(acknowledge(kStart + 100ms, {{.first = 2, .last = 6}}).lost_packets, 2u);
  static_cast<void>(send_again(kStart + 100ms));
  const std::uint64_t second = send_again(kStart + 100ms);
  const AckOutcome outcome = acknowledge(kStart + 200ms, {only(second), {.first = 1, .last = 6}});
  EXPECT_EQ(outcome.spurious_packets, 1u);  // of the second one both have come
  EXPECT_FALSE(outcome.spurious_loss_undone);
  EXPECT_FALSE(acknowledge(kStart + 201ms, {{.first = second - 1, .last = second}}).spurious_loss_undone);
}

TEST_F(RecoveryByNumber, AProbeThatIsNamedWithoutItsOriginalHasRepairedALoss) {
  acknowledge(kStart + 50ms, {only(send(kStart))}, 0ms);
  const std::uint64_t tail = send(kStart + 1s);
  const Instant probe_at = *recovery_.next_timeout();
  EXPECT_TRUE(recovery_.handle_timeout(probe_at).probe_wanted);
  const std::uint64_t probe = send_again(probe_at);
  const AckOutcome outcome = acknowledge(probe_at + 50ms, {only(probe), only(0)});
  EXPECT_EQ(outcome.probe_repaired_loss, kStart + 1s);
  EXPECT_EQ(tail, 1u);
}

TEST_F(RecoveryByNumber, AProbeThatIsNamedWithItsOriginalWasNeedless) {
  acknowledge(kStart + 50ms, {only(send(kStart))}, 0ms);
  static_cast<void>(send(kStart + 1s));
  const Instant probe_at = *recovery_.next_timeout();
  EXPECT_TRUE(recovery_.handle_timeout(probe_at).probe_wanted);
  const std::uint64_t probe = send_again(probe_at);
  const AckOutcome outcome = acknowledge(probe_at + 50ms, {{.first = 0, .last = probe}});
  EXPECT_FALSE(outcome.probe_repaired_loss);
  EXPECT_EQ(recovery_.statistics().needless_probes, 1u);
  EXPECT_EQ(outcome.acked_packets, 1u);
}

TEST_F(RecoveryByNumber, WhoAcknowledgesANumberThatWasNeverSentIsFoundOut) {
  const std::uint64_t last = send(kStart);
  EXPECT_EQ(acknowledge(kStart + 50ms, {{.first = 0, .last = last + 1}}).misbehaving_acks, 1u);
  EXPECT_EQ(acknowledge(kStart + 50ms, {only(~std::uint64_t{0})}).misbehaving_acks, 1u);
}

TEST_F(RecoveryByNumber, NumbersAreLeftOutInsteadOfIdsAndFindOutWhoNamesThem) {
  static_cast<void>(send(kStart));
  static_cast<void>(send(kStart + 1ms));
  ASSERT_TRUE(recovery_.number_to_leave_out());
  recovery_.on_left_out(number_);
  const std::uint64_t left_out = number_++;
  EXPECT_FALSE(recovery_.number_to_leave_out());
  static_cast<void>(send(kStart + 2ms));
  EXPECT_EQ(recovery_.sent().next_id(), 4u);  // ids 1 to 3
  EXPECT_EQ(acknowledge(kStart + 50ms, {only(left_out + 1), {.first = 0, .last = left_out - 1}}).misbehaving_acks, 0u);
  EXPECT_EQ(acknowledge(kStart + 51ms, {{.first = 0, .last = left_out + 1}}).misbehaving_acks, 1u);
}

TEST_F(RecoveryByNumber, AcknowledgementsOfWhatHasBeenForgottenChangeNothing) {
  static_cast<void>(send(kStart));
  recovery_.discard(1);
  EXPECT_EQ(acknowledge(kStart + 50ms, {only(0)}).acked_packets, 0u);
  recovery_.trim();
  EXPECT_EQ(acknowledge(kStart + 60ms, {only(0)}).stale_acks, 0u);
}

}  // namespace
}  // namespace godwit::recovery_numbers_test
