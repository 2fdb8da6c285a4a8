#include "transport/rate_limiter.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>

#include "base/random.h"

namespace godwit::rate_limiter_test {
namespace {

constexpr Instant kStart{10s};

TEST(RateLimiter, AllowsABurstAndThenTheRate) {
  RateLimiter limiter(Rate::per_second(10, 5));
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(limiter.admit(kStart)) << i;
  EXPECT_FALSE(limiter.admit(kStart));
  EXPECT_FALSE(limiter.admit(kStart + 99ms));
  EXPECT_TRUE(limiter.admit(kStart + 100ms));
  EXPECT_FALSE(limiter.admit(kStart + 100ms));
}

TEST(RateLimiter, IsFullAgainAfterARest) {
  RateLimiter limiter(Rate::per_second(10, 5));
  while (limiter.admit(kStart)) {
  }
  const Instant later = kStart + 1h;
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(limiter.admit(later));
  EXPECT_FALSE(limiter.admit(later));
}

TEST(RateLimiter, NeverExceedsRateAndBurstOverAnyWindow) {
  DeterministicRandom random(7);
  RateLimiter limiter(Rate::per_second(100, 20));
  std::deque<Instant> admitted;
  Instant now = kStart;
  for (int i = 0; i < 20'000; ++i) {
    now += Duration{static_cast<Duration::rep>(random.below(8'000'000))};
    if (!limiter.admit(now)) continue;
    admitted.push_back(now);
    while (now - admitted.front() >= 1s) admitted.pop_front();
    ASSERT_LE(admitted.size(), 120u);
  }
}

TEST(RateLimiter, OnePerIntervalAdmitsTheFirstOnly) {
  RateLimiter limiter(Rate::one_per(1s));
  EXPECT_TRUE(limiter.admit(kStart));
  EXPECT_FALSE(limiter.admit(kStart + 999ms));
  EXPECT_TRUE(limiter.admit(kStart + 1s));
}

TEST(HashedLimiter, LimitsEachKeyOnItsOwn) {
  HashedLimiter limiter(64, Rate::one_per(1s));
  for (std::uint64_t key = 1; key <= 3; ++key) {
    const std::uint64_t hash = key << 32;
    EXPECT_TRUE(limiter.would_admit(kStart, hash));
    limiter.record(kStart, hash);
    EXPECT_FALSE(limiter.would_admit(kStart + 500ms, hash));
  }
  EXPECT_TRUE(limiter.would_admit(kStart + 1s, std::uint64_t{1} << 32));
}

TEST(HashedLimiter, MatchesAnUnboundedModelWhileItHasRoom) {
  DeterministicRandom random(11);
  HashedLimiter limiter(4096, Rate::per_second(4, 3));
  std::map<std::uint64_t, RateLimiter> model;
  std::vector<std::uint64_t> keys(64);
  for (std::uint64_t& key : keys) key = random.next_u64();
  Instant now = kStart;
  for (int i = 0; i < 20'000; ++i) {
    now += Duration{static_cast<Duration::rep>(random.below(5'000'000))};
    const std::uint64_t key = keys[random.below(keys.size())];
    const bool expected = model.try_emplace(key, Rate::per_second(4, 3)).first->second.admit(now);
    const bool admitted = limiter.would_admit(now, key);
    ASSERT_EQ(admitted, expected) << i;
    if (admitted) limiter.record(now, key);
  }
}

TEST(HashedLimiter, KeepsTheBusyEntriesOfAFullSet) {
  HashedLimiter limiter(4, Rate::one_per(1s));
  // One set: the fifth key replaces the one that was recorded first.
  for (std::uint64_t key = 1; key <= 5; ++key) limiter.record(kStart + Duration{1ms} * static_cast<int>(key), key);
  const Instant now = kStart + 10ms;
  EXPECT_TRUE(limiter.would_admit(now, 1));
  for (std::uint64_t key = 2; key <= 5; ++key) EXPECT_FALSE(limiter.would_admit(now, key)) << key;
}

TEST(HashedLimiter, NeverGrows) {
  DeterministicRandom random(3);
  HashedLimiter limiter(256, Rate::one_per(1s));
  limiter.record(kStart, 1);
  const std::size_t bytes = limiter.memory_bytes();
  EXPECT_EQ(bytes, 256u * 16);
  for (int i = 0; i < 100'000; ++i) limiter.record(kStart, random.next_u64());
  EXPECT_EQ(limiter.memory_bytes(), bytes);
}

}  // namespace
}  // namespace godwit::rate_limiter_test
