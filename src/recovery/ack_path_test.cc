#include "recovery/ack_path.h"

#include <gtest/gtest.h>

namespace godwit::ack_path_test {
namespace {

constexpr Instant kStart{100s};

class AckPathTest : public testing::Test {
 protected:
  AckPathTest() {
    path_.set_minimum(minimum_);
    path_.on_round_trip(minimum_, minimum_);
  }
  // `count` duplicates a second apart, each among a few new packets.
  void duplicates(int count) {
    for (int i = 0; i < count; ++i) {
      now_ += 1s;
      path_.on_needless_duplicate(now_);
      path_.on_batch_end(now_, 100);
    }
  }

  Duration minimum_ = 20ms;
  Instant now_ = kStart;
  AckPath path_{kDefaultAckPolicy};
};

TEST_F(AckPathTest, RepeatsOnceWhileNothingSeemsLost) {
  for (int i = 0; i < 1000; ++i) path_.on_batch_end(now_ += 10ms, 100);
  EXPECT_EQ(path_.repetitions(), 1u);
  EXPECT_FALSE(path_.lossy());
  EXPECT_EQ(path_.threshold(), 144u);
}

TEST_F(AckPathTest, RepeatsMoreOftenWithEachRoundTripThatShowsDuplicates) {
  path_.on_needless_duplicate(now_);
  EXPECT_EQ(path_.repetitions(), 2u);
  path_.on_needless_duplicate(now_ + 1ms);
  EXPECT_EQ(path_.repetitions(), 2u) << "the sender has not seen the change yet";
  path_.on_needless_duplicate(now_ + 30ms);
  EXPECT_EQ(path_.repetitions(), 3u);
  EXPECT_TRUE(path_.lossy());
}

TEST_F(AckPathTest, StopsAtTheMostRepetitionsAndLeavesRoomForThem) {
  duplicates(20);
  EXPECT_EQ(path_.repetitions(), kDefaultAckPolicy.max_repetitions);
  EXPECT_LE(path_.threshold() * (1 + path_.repetitions()), 288u);
}

TEST_F(AckPathTest, ForgetsLossesOneStepAtATime) {
  duplicates(4);
  ASSERT_EQ(path_.repetitions(), 5u);
  for (std::uint32_t left = 5; left > 1; --left) {
    path_.on_batch_end(now_ + 4900ms, 100);
    EXPECT_EQ(path_.repetitions(), left);
    now_ += 5s;
    path_.on_batch_end(now_, 100);
    EXPECT_EQ(path_.repetitions(), left - 1);
  }
  path_.on_batch_end(now_ + 1h, 100);
  EXPECT_EQ(path_.repetitions(), 1u);
}

TEST_F(AckPathTest, ToleratesTheOddDuplicateAmongManyPackets) {
  duplicates(1);
  ASSERT_EQ(path_.repetitions(), 2u);
  path_.on_batch_end(now_, 10'000);
  path_.on_needless_duplicate(now_ + 1s);
  EXPECT_EQ(path_.repetitions(), 2u);
  for (int i = 0; i < 30; ++i) path_.on_needless_duplicate(now_ + 2s);
  EXPECT_EQ(path_.repetitions(), 3u) << "not so many of them";
}

TEST_F(AckPathTest, WaitsAnEighthOfTheRoundTripWithoutAQueue) {
  EXPECT_EQ(path_.delay(), 2500us);
  path_.on_round_trip(28ms, minimum_);
  EXPECT_EQ(path_.delay(), 2500us) << "a burst of data explains this much";
  EXPECT_EQ(path_.spacing(), 0ns);
}

TEST_F(AckPathTest, WaitsForNoQueueWhileNoAcknowledgementGetsLost) {
  const Duration before = path_.delay();
  for (int i = 0; i < 100; ++i) path_.on_round_trip(60ms, minimum_);
  EXPECT_EQ(path_.delay(), before);
}

TEST_F(AckPathTest, GivesUpForAWhileWhenWaitingIsInVain) {
  duplicates(1);
  const Duration before = path_.delay();
  for (int i = 0; i < 48; ++i) path_.on_round_trip(60ms, minimum_);
  EXPECT_GT(path_.delay(), before);
  for (int i = 0; i < 30; ++i) path_.on_round_trip(60ms, minimum_);
  EXPECT_EQ(path_.delay(), before) << "the queue is that of the data";
  for (int i = 0; i < 10; ++i) path_.on_round_trip(60ms, minimum_);
  EXPECT_GT(path_.delay(), before) << "it is tried again";
}

TEST_F(AckPathTest, WaitsLongerAsLongAsAQueueShowsAndShorterOnceItHasGone) {
  duplicates(1);
  Duration before = path_.delay();
  for (int i = 0; i < 3; ++i) {
    path_.on_round_trip(60ms, minimum_);
    EXPECT_GT(path_.delay(), before);
    before = path_.delay();
  }
  for (int i = 0; i < 40; ++i) path_.on_round_trip(60ms, minimum_);
  EXPECT_LE(path_.delay(), 2500us + 20ms) << "at most a third of the round trip besides";
  EXPECT_GT(path_.spacing(), 5ms) << "gaps and duplicates do not get a packet each";
  before = path_.delay();
  path_.on_round_trip(minimum_, minimum_);
  EXPECT_LT(path_.delay(), before);
  EXPECT_GT(path_.delay(), 10ms) << "the queue comes back as soon as the delay is too short";
  for (int i = 0; i < 200; ++i) path_.on_round_trip(minimum_, minimum_);
  EXPECT_LT(path_.delay(), 2501us);
}

class AckPathOnANarrowWay : public AckPathTest {
 protected:
  // 11,500 bytes of acknowledgements a second.
  AckPathOnANarrowWay() {
    path_.on_probe_sent(now_);
    for (int second = 0; second < 4; ++second) {
      for (int i = 0; i < 100; ++i) path_.on_packet_sent(10);
      path_.on_probe_sent(now_ += 1s);
    }
  }
};

TEST_F(AckPathOnANarrowWay, WaitsAsLongAsAQueueShows) {
  EXPECT_FALSE(path_.pair_due(now_)) << "there is no queue";
  const Duration before = path_.delay();
  path_.on_round_trip(60ms, minimum_);
  EXPECT_EQ(path_.delay(), before) << "whose queue it is remains to be seen";
  EXPECT_TRUE(path_.pair_due(now_));
  path_.on_pair_sent(now_);
  EXPECT_FALSE(path_.pair_due(now_ + 100ms));
  path_.on_pair(200, 16ms);  // 100 kbit/s
  for (int i = 0; i < 200; ++i) path_.on_round_trip(60ms, minimum_);
  EXPECT_GT(path_.delay(), before + 15ms) << "it is not given up";
  EXPECT_EQ(path_.repetitions(), 0u);
  const Duration longest = path_.delay();
  for (int i = 0; i < 100; ++i) path_.on_round_trip(minimum_, minimum_);
  EXPECT_EQ(path_.delay(), longest) << "acknowledgements still take nearly all of it";
  path_.on_probe_sent(now_ += 1s);
  for (int i = 0; i < 100; ++i) path_.on_round_trip(minimum_, minimum_);
  EXPECT_LT(path_.delay(), before + 1us);
}

TEST_F(AckPathOnANarrowWay, GoesOnWaitingWhenOnlyTheQueueOfTheDataIsLeft) {
  path_.on_pair(200, 16ms);  // 100 kbit/s
  path_.on_round_trip(150ms, minimum_);
  path_.on_round_trip(150ms, minimum_);
  const Duration longest = path_.delay();
  EXPECT_GT(longest, 30ms);
  for (int i = 0; i < 20; ++i) path_.on_round_trip(50ms, minimum_);
  EXPECT_EQ(path_.delay(), longest) << "with a shorter delay their own queue would come back";
}

TEST_F(AckPathOnANarrowWay, CountsWhatElseTakesTheSameWay) {
  path_.on_pair(200, 16ms);
  path_.on_round_trip(150ms, minimum_);
  const Duration longest = path_.delay();
  const auto second = [this](std::size_t others) {
    for (int i = 0; i < 25; ++i) path_.on_packet_sent(40);
    path_.on_sent(std::size_t{25} * (75 + 4 * 40) + others);
    path_.on_probe_sent(now_ += 1s);
    path_.on_round_trip(50ms, minimum_);
  };
  for (int i = 0; i < 5; ++i) second(4000);
  EXPECT_EQ(path_.delay(), longest) << "acknowledgements take half of it, messages most of the rest";
  for (int i = 0; i < 5; ++i) second(0);
  EXPECT_LT(path_.delay(), longest);
}

TEST_F(AckPathOnANarrowWay, LooksAgainWhetherItStillIs) {
  path_.on_round_trip(60ms, minimum_);
  path_.on_pair_sent(now_);
  path_.on_pair(200, 16ms);
  path_.on_round_trip(minimum_, minimum_);
  EXPECT_FALSE(path_.pair_due(now_ + 1s));
  EXPECT_TRUE(path_.pair_due(now_ + 2s));
  for (int i = 0; i < 8; ++i) {
    EXPECT_TRUE(path_.pair_due(now_ + 2s));
    path_.on_pair(200, 0ms);
  }
  EXPECT_FALSE(path_.pair_due(now_ + 2s));
}

TEST_F(AckPathOnANarrowWay, DoesNotWaitForTheQueueOfTheData) {
  const Duration before = path_.delay();
  path_.on_pair(200, 1ms);  // 1.6 Mbit/s, of which acknowledgements take 6 %
  for (int i = 0; i < 20; ++i) path_.on_round_trip(60ms, minimum_);
  EXPECT_EQ(path_.delay(), before);
  path_.on_pair(1200, 4ms);  // 2.4 Mbit/s
  for (int i = 0; i < 20; ++i) path_.on_round_trip(60ms, minimum_);
  EXPECT_EQ(path_.delay(), before);
}

TEST_F(AckPathOnANarrowWay, StopsWaitingWhenSeveralPairsShowAWideOne) {
  const Duration before = path_.delay();
  path_.on_pair(200, 16ms);
  path_.on_round_trip(60ms, minimum_);
  const Duration waiting = path_.delay();
  EXPECT_GT(waiting, before);
  for (int i = 0; i < 7; ++i) path_.on_pair(200, 10us);
  path_.on_round_trip(60ms, minimum_);
  EXPECT_GE(path_.delay(), waiting) << "the peer may have been busy";
  path_.on_pair(200, 16ms);
  for (int i = 0; i < 7; ++i) path_.on_pair(200, 10us);
  path_.on_round_trip(60ms, minimum_);
  EXPECT_GE(path_.delay(), waiting) << "they were not in a row";
  path_.on_pair(200, 10us);
  for (int i = 0; i < 100; ++i) path_.on_round_trip(60ms, minimum_);
  EXPECT_LT(path_.delay(), before + 1us);
}

TEST_F(AckPathTest, NeverWaitsLongerThanADeployedPeersTimer) {
  minimum_ = 500ms;
  path_.set_minimum(minimum_);
  for (int i = 0; i < 100; ++i) path_.on_round_trip(3s, minimum_);
  EXPECT_LE(path_.delay(), 100ms);
}

TEST_F(AckPathTest, RepeatsOnceLessWhileAQueueHoldsAcknowledgementsBack) {
  duplicates(1);
  EXPECT_EQ(path_.repetitions(), 2u);
  for (int i = 0; i < 10; ++i) path_.on_round_trip(100ms, minimum_);
  EXPECT_EQ(path_.repetitions(), 1u);
  duplicates(10);
  EXPECT_EQ(path_.repetitions(), 4u);
}

TEST_F(AckPathTest, ProbesOnlyWhereManyAcknowledgementsGoOut) {
  EXPECT_FALSE(path_.probe_due(now_));
  for (int i = 0; i < 4; ++i) path_.on_packet_sent(10);
  EXPECT_TRUE(path_.probe_due(now_));
  path_.on_probe_sent(now_);
  for (int i = 0; i < 1000; ++i) path_.on_packet_sent(10);
  EXPECT_FALSE(path_.probe_due(now_ + 99ms));
  EXPECT_TRUE(path_.probe_due(now_ + 100ms));
  path_.on_round_trip(400ms, minimum_);
  EXPECT_FALSE(path_.probe_due(now_ + 399ms)) << "the last one has had time to come back";
  EXPECT_TRUE(path_.probe_due(now_ + 400ms));
}

}  // namespace
}  // namespace godwit::ack_path_test
