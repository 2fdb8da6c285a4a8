#include "runtime/idle_policy.h"

#include <gtest/gtest.h>

#include <array>

namespace godwit::idle_policy_test {
namespace {

constexpr Duration kSpinFor = 50us;

// One side of a conversation. Every pause is either polled through, or slept through to the end with the time of a
// wake-up behind it.
struct Side {
  IdlePolicy policy{IdleStrategy::kSpinBlock, kSpinFor};
  Instant idle_at{};
  std::uint64_t polled = 0;
  std::uint64_t slept = 0;

  void rest(Instant now) { idle_at = now; }
  // A datagram arrives; when this side sees it.
  Instant wake(Instant arrival, Duration wake_up) {
    bool polls = policy.polls(idle_at);
    if (polls && arrival - idle_at >= kSpinFor) {
      polls = policy.polls(idle_at + kSpinFor);
      EXPECT_FALSE(polls);
    }
    ++(polls ? polled : slept);
    const Instant seen = polls ? arrival : arrival + wake_up;
    policy.on_work(seen);
    return seen;
  }
};

// The two sides answer each other at once: `path` one way and `wake_up` for whoever sleeps. The last round trip.
Duration talk(std::array<Side, 2>& sides, int rounds, Duration wake_up, Duration path = 3us) {
  Instant now{1h};
  Duration last{};
  for (int round = 0; round < rounds; ++round) {
    const Instant begin = now;
    for (Side* const each : {&sides[1], &sides[0]}) now = each->wake(now + path, wake_up);
    last = now - begin;
    sides[0].rest(now);
    sides[1].rest(now - path);
  }
  return last;
}

TEST(IdlePolicy, PollsThroughShortPauses) {
  std::array<Side, 2> sides;
  EXPECT_EQ(talk(sides, 1000, 10us), 6us);
  EXPECT_GT(sides[0].polled, 990U);
}

// Where two wake-ups take longer than spin_for, two sides that sleep saw nothing but long pauses, and slept for ever.
TEST(IdlePolicy, TwoSidesThatSleepFindOutThatTheirPausesAreShort) {
  for (const Duration wake_up : {26us, 30us, 40us}) {
    std::array<Side, 2> sides;
    EXPECT_EQ(talk(sides, 1000, wake_up), 6us);
    EXPECT_GT(sides[0].polled, 900U);
    EXPECT_GT(sides[1].polled, 900U);
  }
}

TEST(IdlePolicy, ADisturbanceDoesNotLast) {
  std::array<Side, 2> sides;
  ASSERT_EQ(talk(sides, 1000, 30us), 6us);
  for (Side& side : sides) {
    side.rest(Instant{2h});
    EXPECT_GT(side.wake(Instant{2h} + 60us, 30us), Instant{2h} + 60us);
  }
  EXPECT_EQ(talk(sides, 100, 30us), 6us);
}

TEST(IdlePolicy, RareEventsCostNoPolling) {
  Side side;
  Instant now{1h};
  for (int i = 0; i < 10'000; ++i) {
    side.rest(now);
    now = side.wake(now + 2ms, 30us);
  }
  EXPECT_EQ(side.polled, 0U);
  EXPECT_EQ(side.slept, 10'000U);
}

// Pauses that look as if they might be short, and are not.
TEST(IdlePolicy, AttemptsInVainBecomeRare) {
  IdlePolicy policy(IdleStrategy::kSpinBlock, kSpinFor);
  Instant now{1h};
  std::uint64_t begun = 0;
  for (int i = 0; i < 10'000; ++i) {
    if (policy.polls(now)) {
      ++begun;
      EXPECT_FALSE(policy.polls(now + kSpinFor));
    }
    now += 100us;
    policy.on_work(now);
  }
  EXPECT_GT(begun, 5U);
  EXPECT_LT(begun, 10'000U / IdlePolicy::kLastTrial + 10U);
}

TEST(IdlePolicy, TheOtherStrategiesDoNotLearn) {
  IdlePolicy block(IdleStrategy::kBlock, kSpinFor);
  IdlePolicy spin(IdleStrategy::kSpin, kSpinFor);
  for (Instant now{1h}; now < Instant{1h} + 1ms; now += 1us) {
    EXPECT_FALSE(block.polls(now));
    block.on_work(now);
    EXPECT_TRUE(spin.polls(now));
    spin.on_work(now);
  }
}

}  // namespace
}  // namespace godwit::idle_policy_test
