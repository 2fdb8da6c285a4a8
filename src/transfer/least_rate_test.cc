#include "transfer/least_rate.h"

#include <gtest/gtest.h>

namespace godwit::least_rate_test {
namespace {

constexpr Instant kStart{1h};

TEST(LeastRate, IsAskedForAfterAWhile) {
  LeastRate rate;
  rate.start(kStart);
  EXPECT_TRUE(rate.kept(kStart + 4999ms));
  EXPECT_FALSE(rate.kept(kStart + 5s));
}

TEST(LeastRate, IsKeptByWhoSendsThatMuch) {
  LeastRate rate;
  rate.start(kStart);
  for (int second = 0; second < 1000; ++second) {
    rate.on_bytes(kStart + second * 1s, LeastRate::kBytesPerSecond + 100);
    EXPECT_TRUE(rate.kept(kStart + second * 1s + 999ms)) << second;
  }
}

TEST(LeastRate, IsNotKeptByAByteNowAndThen) {
  LeastRate rate;
  rate.start(kStart);
  for (int second = 1; second < 1000; ++second) {
    rate.on_bytes(kStart + second * 1s, 1);
    EXPECT_EQ(rate.kept(kStart + second * 1s + 1ms), second < 5) << second;
  }
}

TEST(LeastRate, NoAmountOfBytesIsCreditForLongerThanHalfAMinute) {
  LeastRate rate;
  rate.start(kStart);
  rate.on_bytes(kStart, UINT64_MAX);
  rate.on_bytes(kStart, UINT64_MAX);
  EXPECT_TRUE(rate.kept(kStart + 29s));
  EXPECT_FALSE(rate.kept(kStart + 31s));
}

TEST(LeastRate, WhoHadToWaitIsExcused) {
  LeastRate rate;
  rate.start(kStart);
  rate.excuse(20s);
  EXPECT_TRUE(rate.kept(kStart + 24s));
  EXPECT_FALSE(rate.kept(kStart + 25s));
}

}  // namespace
}  // namespace godwit::least_rate_test
