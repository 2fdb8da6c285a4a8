#include "transport/ecn_path.h"

#include <gtest/gtest.h>

namespace godwit::ecn_path_test {
namespace {

using State = EcnPath::State;

EcnCounts counts(std::uint64_t ect0, std::uint64_t ce = 0, std::uint64_t ect1 = 0) {
  return {.ect0 = ect0, .ect1 = ect1, .ce = ce};
}

// A path whose packets 0 to 9 have been marked as a test.
class EcnPathTest : public testing::Test {
 protected:
  EcnPathTest() {
    path_.test(0);
    send(EcnPath::kTestPackets);
  }
  void send(std::uint64_t packets) {
    if (path_.marks()) path_.on_marked(next_, packets);
    next_ += packets;
  }
  // All up to `largest` for the first time, of which `newly` are among the marked ones.
  void acknowledge(std::optional<EcnCounts> told, std::uint64_t newly, std::uint64_t largest) {
    path_.on_acknowledged(told, newly, largest, next_);
  }
  void pass() {
    acknowledge(counts(10), 10, 9);
    ASSERT_EQ(path_.state(), State::kCapable);
  }

  EcnPath path_;
  std::uint64_t next_ = 0;
};

TEST_F(EcnPathTest, MarksTenPacketsAndThenWaitsForWhatBecameOfThem) {
  EXPECT_FALSE(path_.marks());
  EXPECT_EQ(path_.marked(), (NumberRange{.first = 0, .last = 9}));
  send(5);
  acknowledge(counts(3), 3, 2);
  EXPECT_TRUE(path_.marks()) << "one marked packet that has arrived marked is enough";
  EXPECT_EQ(path_.marked().first, 15u) << "what was sent meanwhile is not marked";
}

TEST_F(EcnPathTest, FailsWhereTheMarksHaveBeenTakenAway) {
  acknowledge(std::nullopt, 4, 3);
  EXPECT_EQ(path_.state(), State::kFailed);
  acknowledge(counts(10), 6, 9);
  EXPECT_FALSE(path_.marks()) << "for good";
}

TEST_F(EcnPathTest, FailsWhereSomeMarkedPacketsWereNotCounted) {
  acknowledge(counts(3), 4, 3);
  EXPECT_EQ(path_.state(), State::kFailed);
}

TEST_F(EcnPathTest, FailsWhereMoreIsCountedThanWasSent) {
  acknowledge(counts(8, 3), 4, 3);
  EXPECT_EQ(path_.state(), State::kFailed);
}

TEST_F(EcnPathTest, FailsWhereAMarkIsCountedThatIsNeverSent) {
  acknowledge(counts(4, 0, 1), 4, 3);
  EXPECT_EQ(path_.state(), State::kFailed);
}

TEST_F(EcnPathTest, FailsWhereCountsFall) {
  pass();
  send(10);
  acknowledge(counts(9, 5), 4, 13);
  EXPECT_EQ(path_.state(), State::kFailed);
}

TEST_F(EcnPathTest, CountsOfAFrameThatWasOvertakenSayNothing) {
  pass();
  send(10);
  acknowledge(counts(20), 10, 19);
  acknowledge(counts(12), 0, 11);
  acknowledge(std::nullopt, 1, 12);
  EXPECT_EQ(path_.state(), State::kCapable);
}

TEST_F(EcnPathTest, CongestionIsToldOnce) {
  acknowledge(counts(7, 3), 10, 9);
  EXPECT_EQ(path_.state(), State::kCapable);
  EXPECT_EQ(path_.take_marks(), 3u);
  EXPECT_EQ(path_.take_marks(), 0u);
  EXPECT_EQ(path_.reported_marks(), 3u);
}

TEST_F(EcnPathTest, AllPacketsOfTheTestLostIsAFailureOnceOthersArrive) {
  send(100);
  acknowledge(std::nullopt, 0, 20);
  EXPECT_EQ(path_.state(), State::kWaiting);
  acknowledge(std::nullopt, 0, 9 + EcnPath::kPatience);
  EXPECT_EQ(path_.state(), State::kFailed);
}

TEST_F(EcnPathTest, ATimeOutEndsTheTestEarly) {
  EcnPath path;
  path.test(0);
  path.on_marked(0, 3);
  path.on_timeout(3);
  EXPECT_FALSE(path.marks());
  EXPECT_EQ(path.marked().last, 2u);
  path.on_acknowledged(counts(1), 1, 0, 5);
  EXPECT_TRUE(path.marks());
}

TEST_F(EcnPathTest, TimeOutsInARowEndTheMarksAndTheNextAcknowledgementBeginsAnotherTest) {
  pass();
  send(10);
  path_.on_timeout(next_);
  EXPECT_TRUE(path_.marks()) << "one happens";
  path_.on_timeout(next_);
  EXPECT_EQ(path_.state(), State::kSilent);
  EXPECT_FALSE(path_.marks());
  send(2);
  acknowledge(counts(10), 0, 20);
  EXPECT_EQ(path_.state(), State::kTesting);
  EXPECT_EQ(path_.marked().first, next_);
}

TEST_F(EcnPathTest, AnotherPathIsTestedAnew) {
  acknowledge(std::nullopt, 4, 3);
  ASSERT_EQ(path_.state(), State::kFailed);
  path_.test(next_);
  send(10);
  acknowledge(counts(10), 10, 19);
  EXPECT_EQ(path_.state(), State::kCapable);
}

TEST(EcnCounts, AreToldFromTheFirstMarkedPacketOn) {
  EcnPath path;
  EXPECT_FALSE(path.received());
  path.on_received(Ecn::kNone);
  EXPECT_FALSE(path.received());
  for (const Ecn mark : {Ecn::kEct0, Ecn::kEct0, Ecn::kEct1, Ecn::kCe}) path.on_received(mark);
  EXPECT_EQ(path.received(), counts(2, 1, 1));
}

}  // namespace
}  // namespace godwit::ecn_path_test
