#include "recovery/pacer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/random.h"

namespace godwit::pacer_test {
namespace {

constexpr Instant kStart{1s};

TEST(Pacer, GrantsAnythingAtAnUnlimitedRate) {
  Pacer pacer;
  EXPECT_EQ(pacer.budget(kStart), Pacer::kUnlimited);
  pacer.on_sent(kStart, 1'000'000'000);
  EXPECT_EQ(pacer.budget(kStart), Pacer::kUnlimited);
  EXPECT_EQ(pacer.until_release(kStart), 0ns);
  EXPECT_FALSE(pacer.next_release(kStart));
}

TEST(Pacer, StartsWithAFullBucket) {
  Pacer pacer(10_mbps);
  EXPECT_EQ(pacer.burst(), 12'000u);
  EXPECT_EQ(pacer.budget(kStart), 12'000u);
}

TEST(Pacer, FitsBatchesToTheRate) {
  EXPECT_EQ(Pacer(100_kbps).release_bytes(), 2400u);
  EXPECT_EQ(Pacer(100_mbps).release_bytes(), 12'500u);
  EXPECT_EQ(Pacer(10_gbps).release_bytes(), 65'536u);
  EXPECT_EQ(Pacer(100_mbps).burst(), 25'000u);
}

TEST(Pacer, WaitsForAWholeBatchOnceUsedUp) {
  Pacer pacer(100_mbps);  // 12.5 bytes a microsecond
  pacer.on_sent(kStart, pacer.budget(kStart));
  EXPECT_EQ(pacer.budget(kStart), 0u);
  EXPECT_EQ(pacer.until_release(kStart), 1ms);
  EXPECT_EQ(pacer.next_release(kStart), kStart + 1ms);
  EXPECT_EQ(pacer.budget(kStart + 900us), 0u);  // an acknowledgement coming in does not cut the batch
  EXPECT_EQ(pacer.budget(kStart + 1ms), 12'500u);
  EXPECT_EQ(pacer.until_release(kStart + 1ms), 0ns);
}

TEST(Pacer, GrantsTheRestOfItsCreditAtOnce) {
  Pacer pacer(100_mbps);
  pacer.on_sent(kStart, 20'000);
  EXPECT_EQ(pacer.budget(kStart), 5000u);
}

TEST(Pacer, CapsCreditAfterAnIdlePeriodOrAJumpOfTheClock) {
  Pacer pacer(100_mbps);
  pacer.on_sent(kStart, pacer.budget(kStart));
  EXPECT_EQ(pacer.budget(kStart + std::chrono::hours(24 * 365)), pacer.burst());
  pacer.on_sent(kStart + 1h, pacer.burst());  // time ran backwards
  EXPECT_EQ(pacer.budget(kStart + 1h), 0u);
  EXPECT_EQ(pacer.budget(kStart + 1h + 1ms), 12'500u);
}

TEST(Pacer, PaysBackWhatWasNotGranted) {
  Pacer pacer(100_mbps);
  pacer.on_sent(kStart, 25'000 + 12'500);
  EXPECT_EQ(pacer.until_release(kStart), 2ms);
  pacer.on_sent(kStart, 1'000'000'000'000);  // bounded to a second
  EXPECT_EQ(pacer.until_release(kStart), 1001ms);
}

TEST(Pacer, StopsAtARateOfZero) {
  Pacer pacer(Bandwidth::from_bytes_per_second(0));
  EXPECT_EQ(pacer.budget(kStart), pacer.burst());
  pacer.on_sent(kStart, pacer.burst());
  EXPECT_EQ(pacer.budget(kStart + 1h), 0u);
  EXPECT_EQ(pacer.until_release(kStart + 1h), Duration::max());
  EXPECT_FALSE(pacer.next_release(kStart + 1h));
}

TEST(Pacer, TakesANewRateFromNowOn) {
  Pacer pacer(100_mbps);
  pacer.on_sent(kStart, pacer.budget(kStart));
  pacer.set_rate(kStart + 1ms, 10_mbps);  // 12'500 bytes earned, 12'000 fit
  EXPECT_EQ(pacer.budget(kStart + 1ms), 12'000u);
  pacer.on_sent(kStart + 1ms, 12'000);
  EXPECT_EQ(pacer.until_release(kStart + 1ms), 1920us);
  pacer.set_rate(kStart + 1ms, Bandwidth::unlimited());
  EXPECT_EQ(pacer.budget(kStart + 1ms), Pacer::kUnlimited);
  pacer.set_rate(kStart + 2ms, 10_mbps);
  EXPECT_EQ(pacer.budget(kStart + 2ms), 12'000u);
}

TEST(Pacer, HoldsItsRateAlthoughWakeUpsAreLate) {
  DeterministicRandom random(3);
  for (const Bandwidth rate : {1_mbps, 100_mbps, 1_gbps, 10_gbps}) {
    Pacer pacer(rate);
    Instant now = kStart;
    std::uint64_t bytes = 0;
    while (now < kStart + 2s) {
      for (std::uint64_t budget = pacer.budget(now); budget >= 1200; budget = pacer.budget(now)) {
        const std::uint64_t batch = std::min<std::uint64_t>(budget / 1200, 54) * 1200;
        pacer.on_sent(now, batch);
        bytes += batch;
      }
      now +=
          std::max(pacer.until_release(now), Duration{1}) + Duration{static_cast<Duration::rep>(random.below(900'000))};
    }
    const auto expected = static_cast<double>(rate.bytes_in(now - kStart));
    EXPECT_NEAR(static_cast<double>(bytes) / expected, 1.0, rate < 10_mbps ? 0.06 : 0.02) << rate.bits_per_second();
  }
}

// Whatever the rate, the sizes, the waiting: over any window no more than rate * window + burst.
TEST(Pacer, NeverExceedsItsRateOverAnyWindow) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    DeterministicRandom random(seed);
    const Bandwidth rate = Bandwidth::from_bytes_per_second(1 + random.below(std::uint64_t{1} << (10 + seed % 22)));
    Pacer pacer(rate);
    struct Sent {
      Instant at;
      std::uint64_t bytes;
    };
    std::vector<Sent> sent;
    Instant now = kStart;
    for (int step = 0; step < 400; ++step) {
      const std::uint64_t budget = pacer.budget(now);
      if (budget > 0) {
        const std::uint64_t bytes = 1 + random.below(budget);
        pacer.on_sent(now, bytes);
        sent.push_back({now, bytes});
      }
      switch (random.below(4)) {
        case 0: break;
        case 1: now += Duration{static_cast<Duration::rep>(random.below(5'000'000))}; break;
        case 2: now += std::min<Duration>(pacer.until_release(now), 100s); break;
        default: now += Duration{static_cast<Duration::rep>(random.below(std::uint64_t{1} << (10 + seed % 24)))}; break;
      }
    }
    for (std::size_t first = 0; first < sent.size(); ++first) {
      std::uint64_t sum = 0;
      for (std::size_t last = first; last < sent.size(); ++last) {
        sum += sent[last].bytes;
        // One byte for the rounding of bytes_in.
        ASSERT_LE(sum, rate.bytes_in(sent[last].at - sent[first].at) + pacer.burst() + 1) << "seed " << seed;
      }
    }
  }
}

// With a rate that changes, the greatest rate and burst bound every window.
TEST(Pacer, NeverExceedsTheGreatestOfChangingRates) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    DeterministicRandom random(seed);
    Pacer pacer(50_mbps);
    const Pacer greatest(100_mbps);
    std::vector<std::pair<Instant, std::uint64_t>> sent;
    Instant now = kStart;
    for (int step = 0; step < 400; ++step) {
      pacer.set_rate(now, Bandwidth::from_bytes_per_second(1000 + random.below(12'499'000)));
      if (const std::uint64_t budget = pacer.budget(now); budget > 0) {
        pacer.on_sent(now, budget);
        sent.emplace_back(now, budget);
      }
      now += Duration{static_cast<Duration::rep>(random.below(3'000'000))};
    }
    for (std::size_t first = 0; first < sent.size(); ++first) {
      std::uint64_t sum = 0;
      for (std::size_t last = first; last < sent.size(); ++last) {
        sum += sent[last].second;
        ASSERT_LE(sum, greatest.rate().bytes_in(sent[last].first - sent[first].first) + greatest.burst() + 1);
      }
    }
  }
}

TEST(Pacer, LetsAShortMessageGoBeforeAWholeBatchHasBeenSavedUp) {
  Pacer pacer(Bandwidth::from_bytes_per_second(1'000'000));
  Instant now{1s};
  pacer.on_sent(now, pacer.budget(now));  // a batch has used up the credit
  EXPECT_EQ(pacer.budget(now), 0U);
  EXPECT_EQ(pacer.until_credit(now, 100), 100us);
  now += 100us;
  EXPECT_EQ(pacer.budget(now), 0U) << "batches wait on";
  EXPECT_EQ(pacer.until_credit(now, 100), Duration::zero());
  pacer.on_sent(now, 100);
  EXPECT_EQ(pacer.until_credit(now, 100), 100us);
}

TEST(Pacer, AMessageLargerThanTheBucketWaitsForAFullOne) {
  Pacer pacer(Bandwidth::from_bytes_per_second(1'000'000));
  Instant now{1s};
  pacer.on_sent(now, pacer.budget(now));
  const Duration full = pacer.until_credit(now, std::uint64_t{1} << 40);
  EXPECT_EQ(full, pacer.until_credit(now, pacer.burst()));
  EXPECT_LT(full, 1s);
  EXPECT_EQ(Pacer(Bandwidth::unlimited()).until_credit(now, 1000), Duration::zero());
}

}  // namespace
}  // namespace godwit::pacer_test
