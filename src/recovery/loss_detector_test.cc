#include "recovery/loss_detector.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace godwit::loss_detector_test {
namespace {

constexpr Instant kStart{1s};
constexpr PacketContent kContent{PacketContent::Kind::kFragment, 1, 1};

class LossDetectorTest : public testing::Test {
 protected:
  LossDetectorTest() { learn_round_trip(80ms); }

  struct Outcome : LossOutcome {
    using LossOutcome::reset_losses;
  };

  void learn_round_trip(Duration round_trip) {
    for (int i = 0; i < 200; ++i) rtt_.on_ack_sample(kStart, round_trip, true);
  }
  // Sends ids first to last, one a millisecond.
  void send(std::uint32_t first, std::uint32_t last) {
    for (std::uint32_t id = first; id <= last; ++id) packets_.add(kStart + (id - 1) * 1ms, id, kContent, 1000);
  }
  void acknowledge(std::uint32_t id) {
    SentPacket& packet = *packets_.find(id);
    losses_.on_newest_acked(packet.send_number);
    packets_.settle(packet);
  }
  std::vector<std::uint32_t> detect(Instant now) {
    outcome_.reset_losses();
    losses_.detect(now, rtt_, packets_, outcome_);
    return lost_ids();
  }
  std::vector<std::uint32_t> lost_ids() const {
    std::vector<std::uint32_t> ids;
    for (const LostRecord& record : outcome_.lost) ids.push_back(record.id);
    return ids;
  }
  using Ids = std::vector<std::uint32_t>;

  RttEstimator rtt_;
  SentPackets packets_{1, 1024, 8};
  LossDetector losses_;
  Outcome outcome_;
};

TEST_F(LossDetectorTest, CountsAPacketAsLostThreeTransmissionsLater) {
  send(1, 10);
  acknowledge(3);
  EXPECT_EQ(detect(kStart + 82ms), Ids{});
  acknowledge(4);
  EXPECT_EQ(detect(kStart + 83ms), Ids{1});
  EXPECT_EQ(packets_.find(1)->state, SentState::kLost);
  EXPECT_EQ(packets_.bytes_in_flight(), 7000u);
  acknowledge(10);
  EXPECT_EQ(detect(kStart + 89ms), (Ids{2, 5, 6, 7}));
}

TEST_F(LossDetectorTest, CountsAPacketAsLostAnEighthOfARoundTripLate) {
  send(1, 3);
  acknowledge(2);
  EXPECT_EQ(detect(kStart + 81ms), Ids{});
  EXPECT_EQ(losses_.loss_time(), kStart + 90ms);
  EXPECT_EQ(detect(kStart + 89ms), Ids{});
  EXPECT_EQ(detect(kStart + 90ms), Ids{1});
  EXPECT_FALSE(losses_.loss_time());
}

TEST_F(LossDetectorTest, DecidesNothingThatWasSentAfterAllThatIsAcknowledged) {
  send(1, 5);
  EXPECT_EQ(detect(kStart + 10s), Ids{});
  acknowledge(1);
  EXPECT_EQ(detect(kStart + 10s), Ids{});
  EXPECT_FALSE(losses_.loss_time());
}

TEST_F(LossDetectorTest, DetectsRetransmissionsByTheirOwnPlaceInSendOrder) {
  send(1, 5);
  acknowledge(5);
  EXPECT_EQ(detect(kStart + 84ms), (Ids{1, 2}));  // 3 and 4 are within the threshold
  packets_.resend(kStart + 85ms, 1, *packets_.find(1), 1000);
  packets_.resend(kStart + 85ms, 2, *packets_.find(2), 1000);
  EXPECT_EQ(detect(kStart + 92ms), Ids{3});
  for (std::uint32_t id = 6; id <= 10; ++id) packets_.add(kStart + 93ms, id, kContent, 1000);
  acknowledge(9);
  EXPECT_EQ(detect(kStart + 100ms), (Ids{4, 1, 2, 6}));
}

TEST_F(LossDetectorTest, KeepsALeastTimeThreshold) {
  rtt_ = RttEstimator{};
  learn_round_trip(100us);
  EXPECT_EQ(losses_.time_threshold(rtt_), 1ms);
}

TEST_F(LossDetectorTest, GrowsThePacketThresholdWithReordering) {
  losses_.on_reordering(1);
  EXPECT_EQ(losses_.packet_threshold(), 3u);
  losses_.on_reordering(7);
  EXPECT_EQ(losses_.packet_threshold(), 8u);
  losses_.on_reordering(1'000'000'000);
  EXPECT_EQ(losses_.packet_threshold(), losses_.config().max_packet_threshold);
}

TEST_F(LossDetectorTest, ShrinksItsThresholdsWhenReorderingIsOver) {
  losses_.on_reordering(99);
  std::uint32_t id = 1;
  for (int episode = 0; episode < 200; ++episode) {
    const Instant now = kStart + episode * 1s;
    packets_.add(now, id, kContent, 1000);
    packets_.add(now, id + 1, kContent, 1000);
    acknowledge(id + 1);
    EXPECT_EQ(detect(now + 200ms), Ids{id});
    packets_.settle(*packets_.find(id));
    packets_.release_front();
    id += 2;
  }
  EXPECT_EQ(losses_.packet_threshold(), 3u);
}

TEST_F(LossDetectorTest, WidensTheTimeThresholdAfterASpuriousLoss) {
  send(1, 2);
  acknowledge(2);
  EXPECT_EQ(losses_.time_threshold(rtt_), 90ms);
  EXPECT_EQ(detect(kStart + 90ms), Ids{1});
  EXPECT_TRUE(losses_.on_spurious_loss(*packets_.find(1)));
  packets_.settle(*packets_.find(1));
  EXPECT_EQ(losses_.time_threshold(rtt_), 100ms);
}

TEST_F(LossDetectorTest, CallsAnEpisodeAMistakeWhenAllItsLossesWere) {
  send(1, 10);
  acknowledge(10);
  EXPECT_EQ(detect(kStart + 85ms).size(), 7u);
  for (std::uint32_t id = 1; id <= 6; ++id) {
    EXPECT_FALSE(losses_.on_spurious_loss(*packets_.find(id))) << id;
    packets_.settle(*packets_.find(id));
  }
  EXPECT_TRUE(losses_.on_spurious_loss(*packets_.find(7)));
}

TEST_F(LossDetectorTest, CallsAnEpisodeRealWhenOneLossWas) {
  send(1, 6);
  acknowledge(6);
  EXPECT_EQ(detect(kStart + 85ms), (Ids{1, 2, 3}));
  EXPECT_FALSE(losses_.on_repaired_loss(*packets_.find(2)));
  packets_.settle(*packets_.find(2));
  EXPECT_FALSE(losses_.on_spurious_loss(*packets_.find(1)));
  EXPECT_FALSE(losses_.on_spurious_loss(*packets_.find(3)));
}

TEST_F(LossDetectorTest, DoubtsRepairsAfterATimeOut) {
  send(1, 5);
  losses_.detect_on_timeout(kStart + 1s, 100ms, rtt_, packets_, outcome_);
  EXPECT_EQ(lost_ids(), (Ids{1, 2, 3, 4, 5}));
  packets_.resend(kStart + 1s, 1, *packets_.find(1), 1000);
  EXPECT_FALSE(losses_.on_repaired_loss(*packets_.find(1)));  // either copy may have arrived
  for (std::uint32_t id = 2; id <= 4; ++id) EXPECT_FALSE(losses_.on_spurious_loss(*packets_.find(id)));
  EXPECT_TRUE(losses_.on_spurious_loss(*packets_.find(5)));
}

TEST_F(LossDetectorTest, TakesTheOldestAndAllOldOnesOnATimeOut) {
  send(1, 5);
  losses_.detect_on_timeout(kStart + 100ms, 98ms, rtt_, packets_, outcome_);
  EXPECT_EQ(lost_ids(), (Ids{1, 2, 3}));
  outcome_.reset_losses();
  losses_.detect_on_timeout(kStart + 100ms, 10s, rtt_, packets_, outcome_);
  EXPECT_EQ(lost_ids(), (Ids{4}));
}

TEST_F(LossDetectorTest, FindsPersistentCongestionWhenNothingGetsThroughForLong) {
  const auto lose = [&](Duration apart, bool one_in_between_arrives) {
    packets_ = SentPackets(1, 1024, 8);
    losses_ = LossDetector{};
    packets_.add(kStart, 1, kContent, 1000);
    packets_.add(kStart + apart / 2, 2, kContent, 1000);
    packets_.add(kStart + apart, 3, kContent, 1000);
    packets_.add(kStart + apart + 1ms, 4, kContent, 1000);
    acknowledge(4);
    if (one_in_between_arrives) acknowledge(2);
    detect(kStart + apart + 1s);
    return outcome_.persistent_congestion;
  };
  EXPECT_TRUE(lose(600ms, false));
  EXPECT_FALSE(lose(600ms, true));
  EXPECT_FALSE(lose(150ms, false));
}

}  // namespace
}  // namespace godwit::loss_detector_test
