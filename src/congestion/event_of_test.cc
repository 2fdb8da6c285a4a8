#include "congestion/event_of.h"

#include <gtest/gtest.h>

#include <array>

#include "base/random.h"

namespace godwit {
namespace {

RecoveryConfig without_skipped_ids() {
  RecoveryConfig config;
  config.skip_ids = false;
  return config;
}

TEST(LossSampleOf, SumsUpAndDescribesThePacketSentLast) {
  const std::array lost{LostRecord{.id = 7, .bytes = 1200, .content = {}, .sent_at = Instant{1s}},
                        LostRecord{.id = 8, .bytes = 1200, .content = {}, .sent_at = Instant{2s}},
                        LostRecord{.id = 11,
                                   .bytes = 700,
                                   .content = {},
                                   .sent_at = Instant{3s},
                                   .tx_in_flight = 50'000,
                                   .lost_since = 3'100,
                                   .is_app_limited = true}};
  const LossSample sample = loss_sample_of(lost);
  EXPECT_EQ(sample.packets, 3u);
  EXPECT_EQ(sample.ranges, 2u);
  EXPECT_EQ(sample.bytes, 3'100u);
  EXPECT_EQ(sample.newest_sent_at, Instant{3s});
  EXPECT_EQ(sample.tx_in_flight, 50'000u);
  EXPECT_EQ(sample.lost_since_sent, 3'100u);
  EXPECT_TRUE(sample.is_app_limited);
}

TEST(LossSampleOf, IsEmptyWhenNothingIsLost) {
  EXPECT_EQ(loss_sample_of({}).packets, 0u);
}

TEST(LossSampleOf, CountsNeighboursAcrossTheWrapOfIdsAsOneRange) {
  const std::array lost{LostRecord{.id = 0xffffffff, .bytes = 1200, .content = {}},
                        LostRecord{.id = 0, .bytes = 1200, .content = {}}};
  EXPECT_EQ(loss_sample_of(lost).ranges, 1u);
}

TEST(CongestionEventOf, TellsWhatAnAckBatchFoundOut) {
  DeterministicRandom random(1);
  Recovery recovery(without_skipped_ids(), random);
  std::array<std::uint32_t, 10> ids{};
  for (std::uint32_t& id : ids) {
    id = recovery.next_packet_id();
    recovery.on_sent(Instant{1s}, id, {}, 1200);
  }
  const Instant now{1050ms};
  recovery.begin_acks(now);
  for (std::size_t i = 4; i < ids.size(); ++i) recovery.on_ack(ids[i]);
  const CongestionEvent event = congestion_event_of(now, recovery.finish_acks(), recovery);
  EXPECT_EQ(event.now, now);
  EXPECT_EQ(event.acked_packets, 6u);
  EXPECT_EQ(event.acked_bytes, 7'200u);
  EXPECT_EQ(event.prior_in_flight, 12'000u);
  EXPECT_EQ(event.bytes_in_flight, recovery.bytes_in_flight());
  EXPECT_EQ(event.latest_acked_sent_at, Instant{1s});
  EXPECT_EQ(event.rtt_sample, 50ms);
  EXPECT_EQ(event.smoothed_rtt, 50ms);
  EXPECT_EQ(event.minimum_rtt, 50ms);
  EXPECT_EQ(event.delivered, 7'200u);
  EXPECT_TRUE(event.rate.has_rate);
  EXPECT_EQ(event.rate.delivered, 7'200u);
  EXPECT_EQ(event.bytes_in_flight + event.acked_bytes + event.lost.bytes, 12'000u);
}

TEST(CongestionEventOf, TellsTheLossesOfATimeOut) {
  DeterministicRandom random(1);
  Recovery recovery(without_skipped_ids(), random);
  for (int i = 0; i < 4; ++i) {
    const std::uint32_t id = recovery.next_packet_id();
    recovery.on_sent(Instant{1s}, id, {}, 1200);
  }
  Instant now{1s};
  for (int i = 0; i < 10; ++i) {
    const std::optional<Instant> timeout = recovery.next_timeout();
    ASSERT_TRUE(timeout);
    now = *timeout;
    const TimeoutOutcome& outcome = recovery.handle_timeout(now);
    if (outcome.lost.empty()) continue;
    const CongestionEvent event = congestion_event_of(now, outcome, recovery);
    EXPECT_EQ(event.acked_bytes, 0u);
    EXPECT_GE(event.lost.packets, 1u);
    EXPECT_EQ(event.lost.bytes, event.lost.packets * 1200u);
    EXPECT_EQ(event.lost.newest_sent_at, Instant{1s});
    EXPECT_EQ(event.prior_in_flight, 4'800u);
    return;
  }
  FAIL() << "nothing was ever declared lost";
}

TEST(CongestionEventOf, TellsOfALossThatAProbeHasRepaired) {
  DeterministicRandom random(1);
  Recovery recovery(without_skipped_ids(), random);
  AckOutcome outcome;
  outcome.acked_packets = 1;
  outcome.acked_bytes = 700;
  outcome.prior_bytes_in_flight = 700;
  EXPECT_EQ(congestion_event_of(Instant{2s}, outcome, recovery).lost.packets, 0u);
  outcome.probe_repaired_loss = Instant{1s};
  const CongestionEvent event = congestion_event_of(Instant{2s}, outcome, recovery);
  EXPECT_EQ(event.lost.packets, 1u);
  EXPECT_EQ(event.lost.bytes, 700u);
  EXPECT_EQ(event.lost.newest_sent_at, Instant{1s});
  EXPECT_TRUE(event.lost.is_app_limited);
}

}  // namespace
}  // namespace godwit
