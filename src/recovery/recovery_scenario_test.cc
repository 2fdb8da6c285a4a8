// Recovery and AckTracker against each other over scripted paths.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <tuple>

#include "recovery/test_path.h"

namespace godwit {
namespace {

// The deployed receiver, roughly: 20 acknowledgements at once, else a timer of 100 ms, no repetitions.
AckPolicy deployed_policy() {
  return {.threshold = 20, .min_delay = 100ms, .max_delay = 100ms, .initial_delay = 100ms, .prompt_packets = 0};
}

std::uint32_t deliveries_in_all(const TestPath& path) {
  std::uint32_t sum = 0;
  for (const auto& [id, times] : path.deliveries) sum += times;
  return sum;
}

TEST(RecoveryScenario, RepairsALostTailInOneAndAHalfRoundTripsPlusTheLearnedDelay) {
  TestPath path;
  path.ping();
  path.send_paced(200, 60ms);
  path.send(20);
  const std::uint32_t last = path.sent_ids.back();
  path.run_for(1s);
  path.lose_packet = [&](const TestPath::Transmission& sent) {
    return sent.id > last && sent.number == 1 && sent.id % 20 == last % 20;
  };
  const Instant sent_at = path.now;
  const std::uint32_t tail = path.send(20);
  const Duration learned = path.recovery.rtt().ack_delay();
  EXPECT_LT(learned, 10ms);
  EXPECT_TRUE(path.settle());
  const Duration repair = path.delivered_at.at(tail) - path.one_way - sent_at;  // when the second copy left
  EXPECT_GE(repair, 75ms);
  EXPECT_LE(repair, 75ms + learned + 50ms / 8 * 2 + 2ms) << repair.count();
  EXPECT_EQ(path.timeouts, 0u);
  EXPECT_EQ(path.retransmissions(), 1u);
}

TEST(RecoveryScenario, LearnsHowLongADeployedPeerHoldsItsAcks) {
  TestPath path({}, deployed_policy());
  path.ping();
  path.send_paced(100, 400ms);
  const std::uint32_t before = path.retransmissions();
  EXPECT_GE(path.recovery.rtt().ack_delay(), 90ms);
  path.send_paced(100, 400ms);
  EXPECT_EQ(path.retransmissions(), before) << "probes before the peer's timer can have fired";
}

TEST(RecoveryScenario, TakesAckDelaysOfSevenHundredMillisecondsForNoLoss) {
  const AckPolicy slow{
      .threshold = 10'000, .min_delay = 700ms, .max_delay = 700ms, .initial_delay = 700ms, .prompt_packets = 0};
  TestPath path({}, slow);
  path.ping();
  path.send_paced(30, 2s);
  const std::uint32_t learned_by = path.retransmissions();
  path.send_paced(100, 2s);
  EXPECT_TRUE(path.settle());
  EXPECT_EQ(path.retransmissions(), learned_by);
  EXPECT_TRUE(path.abandoned.empty());
  EXPECT_EQ(path.persistent, 0u);
}

TEST(RecoveryScenario, RepairsALossInTheMiddleAtOnce) {
  TestPath path;
  path.ping();
  path.send_paced(20, 60ms);
  std::uint32_t victim = 0;
  path.lose_packet = [&](const TestPath::Transmission& sent) { return sent.id == victim && sent.number == 1; };
  victim = path.sent_ids.back() + 50;
  path.send_paced(200, 1ms);
  EXPECT_TRUE(path.settle());
  EXPECT_EQ(path.retransmissions(), 1u);
  const auto sent = std::find_if(path.transmissions.begin(), path.transmissions.end(),
                                 [&](const auto& transmission) { return transmission.id == victim; });
  // One round trip to learn of it, the acknowledgements' delay and the packets it takes, and half a round trip to
  // arrive.
  EXPECT_LE(path.delivered_at.at(victim) - sent->at, 75ms + 10ms);
  EXPECT_EQ(path.undone, 0u);
}

TEST(RecoveryScenario, ToleratesReorderingOnceItIsKnown) {
  TestPath path;
  path.ping();
  // Every seventh packet comes after the twelve that follow it.
  path.extra_delay = [](const TestPath::Transmission& sent) { return sent.id % 7 == 0 ? Duration{12'500us} : 0ns; };
  path.send_paced(200, 1ms);
  path.run_for(500ms);
  const std::uint64_t learning = path.lost;
  EXPECT_LE(learning, 20u);
  path.send_paced(2000, 1ms);
  EXPECT_TRUE(path.settle());
  EXPECT_LE(path.lost, learning + 2);
  EXPECT_EQ(path.spurious, path.lost);
  EXPECT_GE(path.undone, 1u);
}

TEST(RecoveryScenario, UndoesTheReactionToASingleDelayedPacket) {
  TestPath path;
  path.ping();
  path.send_paced(100, 1ms);
  path.run_for(200ms);
  const std::uint32_t victim = path.sent_ids.back() + 10;
  path.extra_delay = [&](const TestPath::Transmission& sent) {
    return sent.id == victim && sent.number == 1 ? Duration{20ms} : 0ns;
  };
  path.send_paced(100, 1ms);
  EXPECT_TRUE(path.settle());
  EXPECT_EQ(path.lost, 1u);
  EXPECT_EQ(path.spurious, 1u);
  EXPECT_EQ(path.undone, 1u);
}

TEST(RecoveryScenario, UndoesATimeOutCausedByADelaySpike) {
  TestPath path;
  path.ping();
  path.send_paced(50, 20ms);
  path.run_for(1s);
  // The path stands still for a second; nothing is lost.
  const Instant end = path.now + 1s;
  path.extra_delay = [&](const TestPath::Transmission& sent) { return std::max<Duration>(end - sent.at, 0ns); };
  path.send_paced(20, 2ms);
  EXPECT_TRUE(path.settle());
  EXPECT_EQ(path.timeouts, 1u);
  EXPECT_EQ(path.persistent, 0u);
  EXPECT_EQ(deliveries_in_all(path), 70u);
}

TEST(RecoveryScenario, LosesNoPacketToLostAcks) {
  TestPath path;
  path.ping();
  path.send_paced(100, 100us);
  path.run_for(200ms);
  const std::uint32_t before = path.retransmissions();
  path.lose_acks = [](std::size_t number) { return number % 3 == 1; };
  path.send_paced(3000, 100us);
  path.lose_acks = [](std::size_t) { return false; };
  EXPECT_TRUE(path.settle());
  EXPECT_LE(path.retransmissions(), before + 1);  // a lost acknowledgement of the very tail takes a probe
}

TEST(RecoveryScenario, SendsAgainLittleMoreThanWasLost) {
  for (const std::uint64_t percent : {1u, 5u, 20u}) {
    TestPath path;
    path.ping();
    DeterministicRandom random(percent);
    std::uint32_t really_lost = 0;
    path.lose_packet = [&](const TestPath::Transmission&) {
      const bool lose = random.below(100) < percent;
      really_lost += lose ? 1 : 0;
      return lose;
    };
    path.send_paced(10'000, 50us);
    EXPECT_TRUE(path.settle());
    EXPECT_GE(path.retransmissions(), really_lost);
    EXPECT_LE(path.retransmissions(), really_lost + really_lost / 100 + 3) << percent;
    EXPECT_EQ(path.timeouts, 0u) << percent;
    EXPECT_EQ(path.persistent, 0u) << percent;
    EXPECT_EQ(path.undone, 0u) << percent;
  }
}

TEST(RecoveryScenario, RecoversFromLostAcksThatNobodyRepeats) {
  TestPath path({}, deployed_policy());
  path.repeat_acks = false;
  path.ping();
  path.lose_acks = [](std::size_t number) { return number % 4 == 1; };
  path.send_paced(2000, 500us);
  EXPECT_TRUE(path.settle());
  EXPECT_EQ(deliveries_in_all(path), 2000u);
  EXPECT_EQ(path.acknowledged.size(), 2000u);
  EXPECT_TRUE(path.abandoned.empty());
}

TEST(RecoveryScenario, WrapsAroundTheEndOfTheIds) {
  TestPath path({.first_packet_id = 0u - 300u});
  path.ping();
  path.lose_packet = [](const TestPath::Transmission& sent) { return sent.id % 10 == 3 && sent.number == 1; };
  path.send_paced(1000, 200us);
  EXPECT_TRUE(path.settle());
  EXPECT_EQ(path.deliveries.size(), 1000u);
  EXPECT_EQ(deliveries_in_all(path), 1000u);
  EXPECT_TRUE(path.deliveries.contains(0u));
  EXPECT_EQ(path.acknowledged.size(), 1000u);
  EXPECT_EQ(path.timeouts, 0u);
}

TEST(RecoveryScenario, AbandonsAPacketAfterTwelveTimeOuts) {
  TestPath path;
  path.lose_packet = [](const TestPath::Transmission&) { return true; };
  path.send(1);
  EXPECT_TRUE(path.settle(3600s));
  ASSERT_EQ(path.abandoned.size(), 1u);
  EXPECT_EQ(path.abandoned[0].id, 1u);
  EXPECT_EQ(path.abandoned[0].content, (PacketContent{PacketContent::Kind::kFragment, 1, 1}));
  EXPECT_EQ(path.transmissions.size(), 13u);
  EXPECT_EQ(path.recovery.bytes_in_flight(), 0u);
  EXPECT_FALSE(path.recovery.next_timeout());
}

// After ten minutes the receiver no longer knows that the id is missing, and would acknowledge the packet unread.
TEST(RecoveryScenario, SendsNothingAgainThatTheReceiverWouldTakeForADuplicate) {
  RecoveryConfig config;
  config.max_timeouts = 100;
  TestPath path(config);
  path.lose_packet = [](const TestPath::Transmission&) { return true; };
  const Instant sent_at = path.now;
  path.send(1);
  EXPECT_TRUE(path.settle(3600s));
  ASSERT_EQ(path.abandoned.size(), 1u);
  EXPECT_GT(path.transmissions.size(), 13u);
  EXPECT_LT(path.transmissions.back().at - sent_at, config.max_packet_age + 1ms);
}

TEST(RecoveryScenario, AbandonsAPacketThatIsNeverAcknowledgedWhileOthersAre) {
  TestPath path;
  path.ping();
  path.lose_packet = [](const TestPath::Transmission& sent) { return sent.id == 50; };
  path.send_paced(6'000, 100ms);
  EXPECT_TRUE(path.settle());
  ASSERT_EQ(path.abandoned.size(), 1u);
  EXPECT_EQ(path.abandoned[0].id, 50u);
  EXPECT_EQ(path.acknowledged.size(), 5'999u);
  EXPECT_EQ(path.timeouts, 0u) << "one packet's time-outs are not the connection's";
  EXPECT_LE(path.retransmissions(), 8u + 12u);
  EXPECT_GE(path.retransmissions(), 12u);
}

TEST(RecoveryScenario, RecoversSoonAfterABlackOut) {
  TestPath path;
  path.ping();
  path.send_paced(100, 10ms);
  const Instant dark_until = path.now + 5s;
  path.lose_packet = [&](const TestPath::Transmission& sent) { return sent.at < dark_until; };
  path.send(50);
  path.run_until(dark_until + 1ms);
  path.recovery.on_path_proven();  // a ping was answered
  EXPECT_TRUE(path.settle());
  EXPECT_LE(path.now, dark_until + 2s);
  EXPECT_EQ(path.acknowledged.size(), 150u);
  EXPECT_GE(path.persistent, 1u);
}

TEST(RecoveryScenario, SendsNothingTwiceOnAPerfectPath) {
  for (const Duration one_way : {Duration{50us}, Duration{500us}, Duration{25ms}, Duration{300ms}}) {
    TestPath path;
    path.one_way = one_way;
    path.ping();
    path.send_paced(500, one_way / 20);
    path.run_for(10 * one_way);
    path.send_paced(100, 3 * one_way);
    path.send(300);
    EXPECT_TRUE(path.settle());
    EXPECT_EQ(path.retransmissions(), 0u) << one_way.count();
    EXPECT_EQ(path.acknowledged.size(), 900u);
  }
}

using RandomPathParameter = std::tuple<bool, bool>;  // deployed peer, ids that wrap

class RandomPath : public testing::TestWithParam<RandomPathParameter> {};

// Loss both ways, reordering, bursts and pauses: everything is acknowledged exactly once, delivered at least once to
// the tracker and once beyond it, and nothing is left over. TestPath checks the accounting at each step.
TEST_P(RandomPath, DeliversAndAcknowledgesEverything) {
  const auto [deployed, wraps] = GetParam();
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(seed);
    DeterministicRandom random(seed);
    TestPath path({.first_packet_id = wraps ? 0u - 100u : 1u, .skip_least = 20, .skip_most = 60, .skip_interval = 0s},
                  deployed ? deployed_policy() : AckPolicy{});
    path.repeat_acks = !deployed;
    path.one_way = Duration{static_cast<Duration::rep>(50'000 + random.below(100'000'000))};
    const std::uint64_t loss = random.below(21);
    const std::uint64_t ack_loss = random.below(21);
    const std::uint64_t disorder = random.below(3) == 0 ? random.below(30) : 0;
    path.lose_packet = [&](const TestPath::Transmission&) { return random.below(100) < loss; };
    path.lose_acks = [&](std::size_t) { return random.below(100) < ack_loss; };
    path.extra_delay = [&](const TestPath::Transmission&) {
      if (random.below(100) >= disorder) return Duration{0};
      return Duration{static_cast<Duration::rep>(random.below(static_cast<std::uint64_t>(path.one_way.count())))};
    };
    if (random.below(2) == 0) path.ping();
    std::uint32_t sent = 0;
    while (sent < 400) {
      const auto count = static_cast<std::uint32_t>(1 + random.below(30));
      path.send(count, static_cast<std::uint32_t>(random.below(3)));
      sent += count;
      path.run_for(
          Duration{static_cast<Duration::rep>(random.below(static_cast<std::uint64_t>(path.one_way.count())))});
    }
    EXPECT_TRUE(path.settle(3600s));
    EXPECT_TRUE(path.abandoned.empty());
    EXPECT_EQ(path.acknowledged.size(), sent);
    EXPECT_EQ(path.deliveries.size(), sent);
    EXPECT_EQ(deliveries_in_all(path), sent);
    EXPECT_EQ(path.recovery.bytes_in_flight(), 0u);
    EXPECT_EQ(path.recovery.statistics().packets_acked, sent);
  }
}

INSTANTIATE_TEST_SUITE_P(Peers, RandomPath, testing::Combine(testing::Bool(), testing::Bool()));

// One packet of acknowledgements in three, at random: within a few round trips no more packets are sent twice for it,
// and what was is known for needless.
TEST(RecoveryScenario, LostAcksAreMadeGoodByRepetitionsAndNeedlessRetransmissionsAreKnown) {
  TestPath path;
  path.ping();
  path.send_paced(100, 1ms);
  path.run_for(200ms);
  DeterministicRandom dice(3);
  path.lose_acks = [&](std::size_t) { return dice.unit() < 0.33; };
  path.send_paced(2000, 1ms);
  const std::uint64_t learning = path.lost;
  path.send_paced(8000, 1ms);
  EXPECT_GE(path.tracker.repetitions(), 3u);
  EXPECT_TRUE(path.settle());
  EXPECT_LE(path.lost - learning, 8000u / 100);
  EXPECT_GE(path.spurious * 10, path.lost * 9);
  EXPECT_EQ(deliveries_in_all(path), 10'100u);
}

}  // namespace
}  // namespace godwit
