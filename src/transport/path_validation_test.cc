#include "transport/path_validation.h"

#include <gtest/gtest.h>

#include "handshake/handshake_test_support.h"

namespace godwit::path_validation_test {
namespace {

using test::kStart;

class PathValidationTest : public testing::Test {
 protected:
  DeterministicRandom random_{3};
  PathValidation paths_;
  PathAddress there_{.local = {}, .remote = test::kAlice};
  PathAddress elsewhere_{.local = {}, .remote = test::kBob};
};

TEST_F(PathValidationTest, MovesWhenTheAnswerComesFromTheNewAddress) {
  ASSERT_TRUE(paths_.on_packet(kStart, there_, 100, random_));
  const auto challenge = paths_.poll(kStart, 53);
  ASSERT_TRUE(challenge);
  EXPECT_EQ(challenge->path, there_);
  EXPECT_FALSE(paths_.poll(kStart, 53)) << "one at a time";
  EXPECT_FALSE(paths_.on_response(challenge->data ^ 1, there_));
  EXPECT_FALSE(paths_.on_response(challenge->data, elsewhere_));
  EXPECT_TRUE(paths_.on_response(challenge->data, there_));
  EXPECT_FALSE(paths_.on_response(challenge->data, there_)) << "once";
}

TEST_F(PathValidationTest, AnAnswerBeforeTheQuestionMovesNothing) {
  EXPECT_FALSE(paths_.on_response(0, there_));
  ASSERT_TRUE(paths_.on_packet(kStart, there_, 100, random_));
  EXPECT_FALSE(paths_.on_response(0, there_));
}

TEST_F(PathValidationTest, SendsAtMostThreeTimesWhatHasComeAndGivesUp) {
  ASSERT_TRUE(paths_.on_packet(kStart, there_, 50, random_));
  std::size_t sent = 0;
  Instant now = kStart;
  for (int i = 0; i < 100 && paths_.next_timeout(); ++i) {
    now = std::max(now, *paths_.next_timeout());
    if (paths_.poll(now, 53)) sent += 53;
    paths_.handle_timeout(now);
    EXPECT_LE(sent, 150u);
  }
  EXPECT_EQ(sent, 106u);
  ASSERT_TRUE(paths_.on_packet(now + 1s, there_, 1000, random_));
  int challenges = 0;
  for (int i = 0; i < 100 && paths_.next_timeout(); ++i) {
    now = std::max(now, *paths_.next_timeout());
    challenges += paths_.poll(now, 53) ? 1 : 0;
    paths_.handle_timeout(now);
  }
  EXPECT_LE(challenges, PathValidation::kMostChallenges);
  EXPECT_FALSE(paths_.next_timeout()) << "given up";
}

TEST_F(PathValidationTest, AFloodOfChangesCostsOneChallengeInTenthOfASecond) {
  int challenges = 0;
  for (int i = 0; i < 1000; ++i) {
    const Instant now = kStart + i * 1ms;
    static_cast<void>(paths_.on_packet(now, i % 2 == 0 ? there_ : elsewhere_, 100, random_));
    challenges += paths_.poll(now, 53) ? 1 : 0;
  }
  EXPECT_LE(challenges, 11);
}

}  // namespace
}  // namespace godwit::path_validation_test
