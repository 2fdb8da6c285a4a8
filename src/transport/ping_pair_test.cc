#include "transport/ping_pair.h"

#include <gtest/gtest.h>

namespace godwit {
namespace {

constexpr Instant kNow{100s};

PingPair sent_pair() {
  PingPair pair;
  pair.begin(kNow, 7);
  EXPECT_FALSE(pair.second_due(kNow)) << "nothing lies between yet";
  pair.on_acknowledgements(200);
  EXPECT_TRUE(pair.second_due(kNow + 100us));
  pair.end(8, 80);
  EXPECT_FALSE(pair.second_due(kNow + 100us));
  return pair;
}

TEST(PingPair, TheSpreadIsWhatTheSecondOneTookLonger) {
  PingPair pair = sent_pair();
  EXPECT_FALSE(pair.on_answer(7, 30ms));
  EXPECT_TRUE(pair.is_second(8));
  const auto spread = pair.on_answer(8, 52ms);
  ASSERT_TRUE(spread);
  EXPECT_EQ(spread->bytes, 280u);
  EXPECT_EQ(spread->apart, 22ms);
  EXPECT_FALSE(pair.on_answer(8, 60ms)) << "once";
}

TEST(PingPair, AnswersMayChangePlaces) {
  PingPair pair = sent_pair();
  EXPECT_FALSE(pair.on_answer(8, 29ms));
  EXPECT_FALSE(pair.on_answer(6, 10ms)) << "another ping";
  const auto spread = pair.on_answer(7, 30ms);
  ASSERT_TRUE(spread);
  EXPECT_EQ(spread->apart, 0ms);
}

TEST(PingPair, OneThatIsInterruptedSaysNothing) {
  PingPair pair;
  pair.begin(kNow, 7);
  pair.on_acknowledgements(200);
  EXPECT_FALSE(pair.second_due(kNow + 1ms));
  EXPECT_FALSE(pair.second_due(kNow));
  EXPECT_FALSE(pair.on_answer(7, 30ms));
  pair.on_acknowledgements(200);
  EXPECT_FALSE(pair.second_due(kNow + 1ms));
}

}  // namespace
}  // namespace godwit
