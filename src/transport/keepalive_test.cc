#include "transport/keepalive.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace godwit::keepalive_test {
namespace {

constexpr Instant kStart{100s};

class KeepAliveTest : public testing::Test {
 protected:
  // Runs the timers with a peer that never answers; returns the times of the pings.
  std::vector<Duration> pings_in_silence(KeepAlive& alive, Duration until) {
    std::vector<Duration> pings;
    for (;;) {
      const Instant now = alive.next_timeout();
      if (now - kStart > until) return pings;
      const KeepAlive::Outcome outcome = alive.handle_timeout(now);
      if (outcome.became_suspect) suspected_at_ = now - kStart;
      if (outcome.proof_failed) failed_at_ = now - kStart;
      if (outcome.idle_expired) {
        expired_at_ = now - kStart;
        return pings;
      }
      if (outcome.ping) {
        last_sequence_ = alive.begin_ping(now);
        pings.push_back(now - kStart);
      }
    }
  }

  KeepAliveConfig config_;
  DeterministicRandom random_{1};
  std::uint64_t last_sequence_ = 0;
  std::optional<Duration> suspected_at_;
  std::optional<Duration> failed_at_;
  std::optional<Duration> expired_at_;
};

TEST_F(KeepAliveTest, PingsEveryFiveSecondsWhateverArrives) {
  KeepAlive alive(config_, kStart, ProofRule::kProven, random_);
  for (int i = 1; i <= 100; ++i) {
    const Instant due = kStart + 5s * i;
    // Traffic in between moves nothing.
    for (int j = 1; j < 50; ++j) alive.on_authentic(due - 5s + 100ms * j);
    EXPECT_EQ(alive.next_timeout(), due);
    const KeepAlive::Outcome outcome = alive.handle_timeout(due);
    EXPECT_TRUE(outcome.ping);
    EXPECT_FALSE(outcome.idle_expired || outcome.became_suspect || outcome.proof_failed || outcome.suspended);
    static_cast<void>(alive.begin_ping(due));
  }
}

TEST_F(KeepAliveTest, BacksOffAfterFiveUnansweredPings) {
  KeepAlive alive(config_, kStart, ProofRule::kProven, random_);
  const std::vector<Duration> pings = pings_in_silence(alive, 100s);
  // wire spec 7: 5 s up to five unanswered, 10 s after the sixth, 15 s from the seventh on.
  const std::vector<Duration> expected = {5s, 10s, 15s, 20s, 25s, 30s, 40s, 55s, 70s, 85s, 100s};
  EXPECT_EQ(pings, expected);
}

TEST_F(KeepAliveTest, ReturnsToItsRhythmWhenThePeerIsBack) {
  KeepAlive alive(config_, kStart, ProofRule::kProven, random_);
  static_cast<void>(pings_in_silence(alive, 60s));
  alive.on_authentic(kStart + 60s);
  const Instant next = alive.next_timeout();
  EXPECT_LE(next, kStart + 70s);
  ASSERT_TRUE(alive.handle_timeout(next).ping);
  static_cast<void>(alive.begin_ping(next));
  EXPECT_EQ(alive.next_timeout(), next + 5s);
}

TEST_F(KeepAliveTest, Item67ExpiresAfter120SecondsWithoutAnythingAuthentic) {
  KeepAlive alive(config_, kStart, ProofRule::kProven, random_);
  static_cast<void>(pings_in_silence(alive, 200s));
  EXPECT_EQ(expired_at_, Duration{120s});
}

TEST_F(KeepAliveTest, Item66StaysWhileAuthenticDatagramsArriveWithoutPongs) {
  KeepAlive alive(config_, kStart, ProofRule::kProven, random_);
  Instant now = kStart;
  for (int i = 0; i < 100; ++i) {
    now += 10s;
    while (alive.next_timeout() <= now) {
      const Instant due = alive.next_timeout();
      const KeepAlive::Outcome outcome = alive.handle_timeout(due);
      ASSERT_FALSE(outcome.idle_expired);
      if (outcome.ping) static_cast<void>(alive.begin_ping(due));
    }
    alive.on_authentic(now);
  }
}

TEST_F(KeepAliveTest, Item65NeverLetsFifteenSecondsPassWithoutAPing) {
  config_.ping_jitter = 20s;
  KeepAlive alive(config_, kStart, ProofRule::kProven, random_);
  Duration last{};
  for (const Duration at : pings_in_silence(alive, 119s)) {
    EXPECT_LE(at - last, Duration{15s});
    EXPECT_GT(at - last, Duration::zero());
    last = at;
  }
}

TEST_F(KeepAliveTest, JitterSpreadsThePings) {
  config_.ping_jitter = 1s;
  KeepAlive alive(config_, kStart, ProofRule::kProven, random_);
  std::vector<Duration> gaps;
  Instant last = kStart;
  for (int i = 0; i < 200; ++i) {
    const Instant due = alive.next_timeout();
    ASSERT_TRUE(alive.handle_timeout(due).ping);
    static_cast<void>(alive.begin_ping(due));
    alive.on_authentic(due);
    gaps.push_back(due - last);
    last = due;
  }
  const auto [least, most] = std::ranges::minmax(gaps);
  EXPECT_GE(least, Duration{4s});
  EXPECT_LE(most, Duration{6s});
  EXPECT_LT(least, Duration{4500ms});
  EXPECT_GT(most, Duration{5500ms});
}

TEST_F(KeepAliveTest, Item29PingsEvery250MillisecondsUntilProvenAndFailsAfterFiveSeconds) {
  KeepAlive alive(config_, kStart, ProofRule::kPingOrFail, random_);
  std::vector<Duration> pings;
  while (!failed_at_) {
    const Instant now = alive.next_timeout();
    const KeepAlive::Outcome outcome = alive.handle_timeout(now);
    if (outcome.proof_failed) failed_at_ = now - kStart;
    if (outcome.ping && !failed_at_) {
      static_cast<void>(alive.begin_ping(now));
      pings.push_back(now - kStart);
    }
  }
  ASSERT_EQ(pings.size(), 20u);
  for (std::size_t i = 0; i < pings.size(); ++i) EXPECT_EQ(pings[i], 250ms * static_cast<int>(i));
  EXPECT_EQ(failed_at_, Duration{5s});
}

TEST_F(KeepAliveTest, Item29ASuccessAckProvesNothing) {
  KeepAlive alive(config_, kStart, ProofRule::kPingOrFail, random_);
  alive.on_authentic(kStart + 100ms, true);
  EXPECT_TRUE(alive.proof_pending());
  alive.on_authentic(kStart + 200ms);
  EXPECT_FALSE(alive.proof_pending());
}

TEST_F(KeepAliveTest, FallsIntoTheOrdinaryRhythmOnceProven) {
  KeepAlive alive(config_, kStart, ProofRule::kPingOrFail, random_);
  ASSERT_TRUE(alive.handle_timeout(kStart).ping);
  static_cast<void>(alive.begin_ping(kStart));
  alive.on_authentic(kStart + 30ms);
  // The timer of the hurried ping still fires, and sends nothing.
  EXPECT_FALSE(alive.handle_timeout(kStart + 250ms).ping);
  EXPECT_EQ(alive.next_timeout(), kStart + 5s);
}

TEST_F(KeepAliveTest, AnAcceptorPingsForProofButDoesNotFail) {
  KeepAlive alive(config_, kStart, ProofRule::kPing, random_);
  const std::vector<Duration> pings = pings_in_silence(alive, 60s);
  EXPECT_FALSE(failed_at_.has_value());
  EXPECT_EQ(std::ranges::count_if(pings, [](Duration at) { return at < 5s; }), 20);
}

TEST_F(KeepAliveTest, MatchesAPongOnceAndGivesTheRoundTrip) {
  KeepAlive alive(config_, kStart, ProofRule::kProven, random_);
  const std::uint64_t sequence = alive.begin_ping(kStart + 5s);
  EXPECT_EQ(alive.outstanding_pings(), 1u);
  EXPECT_EQ(alive.on_pong(kStart + 5040ms, sequence), Duration{40ms});
  EXPECT_EQ(alive.on_pong(kStart + 5050ms, sequence), std::nullopt);
  EXPECT_EQ(alive.outstanding_pings(), 0u);
}

TEST_F(KeepAliveTest, IgnoresPongsOfPingsNeverSent) {
  KeepAlive alive(config_, kStart, ProofRule::kProven, random_);
  const std::uint64_t sequence = alive.begin_ping(kStart);
  for (const std::uint64_t other : {sequence + 1, sequence - 1, std::uint64_t{0}, UINT64_MAX, sequence + 32}) {
    EXPECT_EQ(alive.on_pong(kStart + 1s, other), std::nullopt);
  }
  EXPECT_EQ(alive.on_pong(kStart + 1s, sequence), Duration{1s});
}

TEST_F(KeepAliveTest, SequencesStartWhereNobodyCanGuess) {
  KeepAlive one(config_, kStart, ProofRule::kProven, random_);
  KeepAlive two(config_, kStart, ProofRule::kProven, random_);
  EXPECT_NE(one.begin_ping(kStart), two.begin_ping(kStart));
}

TEST_F(KeepAliveTest, ForgetsPingsAfter120Seconds) {
  KeepAlive alive(config_, kStart, ProofRule::kProven, random_);
  const std::uint64_t sequence = alive.begin_ping(kStart);
  EXPECT_EQ(alive.on_pong(kStart + 121s, sequence), std::nullopt);
}

TEST_F(KeepAliveTest, ForgetsEarlierPingsOverALongPause) {
  KeepAlive alive(config_, kStart, ProofRule::kProven, random_);
  const std::uint64_t earlier = alive.begin_ping(kStart);
  static_cast<void>(alive.begin_ping(kStart + 75min));  // ticks have come round
  EXPECT_EQ(alive.outstanding_pings(), 1u);
  EXPECT_EQ(alive.on_pong(kStart + 75min + 1s, earlier), std::nullopt);
}

TEST_F(KeepAliveTest, MeasuresAnEarlierPingToAMicrosecond) {
  KeepAlive alive(config_, kStart, ProofRule::kProven, random_);
  const std::uint64_t earlier = alive.begin_ping(kStart + 333ns);
  static_cast<void>(alive.begin_ping(kStart + 7ms));
  const auto round_trip = alive.on_pong(kStart + 12345678ns, earlier);
  ASSERT_TRUE(round_trip);
  EXPECT_NEAR(static_cast<double>(round_trip->count()), 12345345, 1024);
}

TEST_F(KeepAliveTest, RemembersABoundedNumberOfPings) {
  KeepAlive alive(config_, kStart, ProofRule::kProven, random_);
  std::vector<std::uint64_t> sequences;
  for (int i = 0; i < 1000; ++i) sequences.push_back(alive.begin_ping(kStart + 1ms * i));
  EXPECT_EQ(alive.outstanding_pings(), 32u);
  EXPECT_EQ(alive.on_pong(kStart + 2s, sequences.front()), std::nullopt);
  EXPECT_TRUE(alive.on_pong(kStart + 2s, sequences.back()).has_value());
}

TEST_F(KeepAliveTest, SuspectsASilentPeerOnceAnEpisode) {
  KeepAlive alive(config_, kStart, ProofRule::kProven, random_);
  static_cast<void>(pings_in_silence(alive, 60s));
  EXPECT_EQ(suspected_at_, Duration{15s});
  EXPECT_TRUE(alive.suspect());
  alive.on_authentic(kStart + 61s);
  EXPECT_FALSE(alive.suspect());
  suspected_at_.reset();
  static_cast<void>(pings_in_silence(alive, 75s));
  EXPECT_FALSE(alive.suspect());
  static_cast<void>(pings_in_silence(alive, 100s));
  EXPECT_EQ(suspected_at_, Duration{76s});
}

TEST_F(KeepAliveTest, TellsHowLongTheFirstPingWaits) {
  KeepAlive alive(config_, kStart, ProofRule::kProven, random_);
  EXPECT_EQ(alive.unanswered_for(kStart + 4s), Duration::zero());
  static_cast<void>(alive.begin_ping(kStart + 5s));
  static_cast<void>(alive.begin_ping(kStart + 6s));
  EXPECT_EQ(alive.unanswered_for(kStart + 7s), Duration{2s});
  alive.on_authentic(kStart + 8s);
  EXPECT_EQ(alive.unanswered_for(kStart + 9s), Duration::zero());
}

TEST_F(KeepAliveTest, DoesNotSuspectAPeerThatWasNotAsked) {
  config_.ping_interval = 15s;
  config_.suspect_after = 10s;
  KeepAlive alive(config_, kStart, ProofRule::kProven, random_);
  EXPECT_EQ(alive.next_timeout(), kStart + 15s);
  EXPECT_FALSE(alive.handle_timeout(kStart + 15s).became_suspect);
}

TEST_F(KeepAliveTest, PingsAtOnceAfterASuspension) {
  KeepAlive alive(config_, kStart, ProofRule::kProven, random_);
  const Instant woken = kStart + 1h;
  KeepAlive::Outcome outcome = alive.handle_timeout(woken);
  EXPECT_TRUE(outcome.suspended);
  EXPECT_TRUE(outcome.ping);
  EXPECT_FALSE(outcome.idle_expired);  // the silence was ours
  EXPECT_FALSE(outcome.became_suspect);
  const std::uint64_t sequence = alive.begin_ping(woken);
  EXPECT_EQ(alive.next_timeout(), woken + 250ms);
  EXPECT_TRUE(alive.on_pong(woken + 20ms, sequence).has_value());
  alive.on_authentic(woken + 20ms);
  EXPECT_FALSE(alive.handle_timeout(woken + 250ms).ping);
  EXPECT_EQ(alive.next_timeout(), woken + 5s);
}

TEST_F(KeepAliveTest, GivesAPeerFiveSecondsToAnswerAfterALongSuspension) {
  KeepAlive alive(config_, kStart, ProofRule::kProven, random_);
  const Instant woken = kStart + 1h;
  static_cast<void>(alive.handle_timeout(woken));
  static_cast<void>(pings_in_silence(alive, 2h));
  EXPECT_EQ(expired_at_, Duration{1h + 5s});
}

TEST_F(KeepAliveTest, ALateTimerIsNoSuspension) {
  KeepAlive alive(config_, kStart, ProofRule::kProven, random_);
  EXPECT_FALSE(alive.handle_timeout(kStart + 9s).suspended);
}

TEST_F(KeepAliveTest, ARequestedPingIsDueAtOnce) {
  KeepAlive alive(config_, kStart, ProofRule::kProven, random_);
  alive.request_ping(kStart + 1s);
  EXPECT_EQ(alive.next_timeout(), kStart + 1s);
  EXPECT_TRUE(alive.handle_timeout(kStart + 1s).ping);
}

TEST_F(KeepAliveTest, APingThatDoesNotBeginIsAskedForAgainButIsNotDueForEver) {
  KeepAlive alive(config_, kStart, ProofRule::kProven, random_);
  ASSERT_TRUE(alive.handle_timeout(kStart + 5s).ping);
  EXPECT_FALSE(alive.handle_timeout(kStart + 5s).ping);
  EXPECT_EQ(alive.next_timeout(), kStart + 5250ms);
  EXPECT_TRUE(alive.handle_timeout(kStart + 5250ms).ping);
}

TEST_F(KeepAliveTest, ANewSessionIsPingedForProofAndOldPingsAreForgotten) {
  KeepAlive alive(config_, kStart, ProofRule::kProven, random_);
  const std::uint64_t sequence = alive.begin_ping(kStart);
  alive.restart_proof(kStart + 1s);
  EXPECT_EQ(alive.on_pong(kStart + 1s, sequence), std::nullopt);
  EXPECT_TRUE(alive.proof_pending());
  EXPECT_TRUE(alive.handle_timeout(kStart + 1s).ping);
}

TEST_F(KeepAliveTest, PingsAtLeastThreeTimesWithinTheIdleTimeout) {
  for (const Duration idle : {Duration(300ms), Duration(3s), Duration(9s), Duration(120s)}) {
    config_.idle_timeout = idle;
    KeepAlive alive(config_, kStart, ProofRule::kProven, random_);
    const std::vector<Duration> pings = pings_in_silence(alive, 10min);
    EXPECT_EQ(expired_at_, idle);
    EXPECT_GE(pings.size(), 2U) << "before the one that coincides with the end";
    EXPECT_EQ(pings.front(), std::min(idle / 3, Duration(5s)));
  }
}

TEST_F(KeepAliveTest, AnOverdueAnswerIsAskedForAndItsLackIsSuspectSoon) {
  KeepAlive alive(config_, kStart, ProofRule::kProven, random_);
  const Instant overdue = kStart + 1s;
  alive.expect_answer(overdue, 500ms);
  EXPECT_EQ(alive.next_timeout(), overdue);
  const std::vector<Duration> pings = pings_in_silence(alive, 4s);
  ASSERT_FALSE(pings.empty());
  EXPECT_EQ(pings.front(), 1s);
  EXPECT_EQ(suspected_at_, 1s + config_.prompt_suspect_after) << "the least patience, not 500 ms";
}

TEST_F(KeepAliveTest, AnAnswerEndsTheSuspicionAndTheNextSilenceIsAnOrdinaryOne) {
  KeepAlive alive(config_, kStart, ProofRule::kProven, random_);
  alive.expect_answer(kStart + 1s, 3s);
  static_cast<void>(pings_in_silence(alive, 4s));
  EXPECT_EQ(suspected_at_, 4s);
  EXPECT_TRUE(alive.suspect());
  alive.on_authentic(kStart + 4500ms);
  EXPECT_FALSE(alive.suspect());
  suspected_at_.reset();
  static_cast<void>(pings_in_silence(alive, 60s));
  EXPECT_EQ(suspected_at_, 4500ms + config_.suspect_after);
}

TEST_F(KeepAliveTest, ClaimsOfAnOverdueAnswerCauseOnePingASecondAtMost) {
  KeepAlive alive(config_, kStart, ProofRule::kProven, random_);
  std::size_t pings = 0;
  for (Instant now = kStart; now < kStart + 10s; now += 1ms) {
    alive.expect_answer(now, Duration::zero());
    if (alive.next_timeout() > now || !alive.handle_timeout(now).ping) continue;
    static_cast<void>(alive.begin_ping(now));
    alive.on_authentic(now);
    ++pings;
  }
  EXPECT_GE(pings, 2U);
  EXPECT_LE(pings, 11U);
}

}  // namespace
}  // namespace godwit::keepalive_test
