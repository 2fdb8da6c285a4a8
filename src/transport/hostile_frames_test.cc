// What a peer with keys reaches by frames that break a rule (docs/extended_sessions.md): the session is closed with a
// text that names it. Acknowledgements are in ack_ranges_test.cc.
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <vector>

#include "transport/hostile_session_test_support.h"
#include "wire/ack_frame.h"
#include "wire/control_frame.h"
#include "wire/flow_frame.h"

namespace godwit::hostile_frames_test {
namespace {

using Bytes = std::vector<std::uint8_t>;
using Kind = wire::FlowFrame::Kind;

constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();

class HostileFrames : public test::HostileSession {
 protected:
  static Bytes bytes_of(const wire::FlowFrame& frame) {
    const auto encoded = wire::encode(frame);
    return {encoded.begin(), encoded.end()};
  }
  static Bytes bytes_of(const wire::ControlFrame& frame) {
    const auto encoded = wire::encode(frame);
    return {encoded.begin(), encoded.end()};
  }
  Bytes fragment(std::uint32_t stream, std::uint64_t total, std::uint32_t number, std::size_t size) {
    const Bytes payload(size, 7);
    Bytes bytes(size + 100);
    bytes.resize(wire::encode(
        bytes, next_id_++, {},
        wire::StreamFragment{.stream_id = stream, .total_length = total, .number = number, .payload = payload}));
    return bytes;
  }

  std::uint32_t next_id_ = 100;
};

TEST_F(HostileFrames, AFragmentOfAnotherLengthThanItsStreamClosesTheSession) {
  say(fragment(1, 5'000, 1, 1'130));
  say(fragment(1, 5'001, 2, 1'130));
  expect_closed("the peer's fragment contradicts its stream");
}

TEST_F(HostileFrames, AFragmentBehindTheEndOfItsStreamClosesTheSession) {
  say(fragment(1, 5'000, 1, 1'130));
  say(fragment(1, 5'000, 40, 1'130));
  expect_closed("the peer's fragment contradicts its stream");
}

TEST_F(HostileFrames, AnEndBelowWhatHasComeClosesTheSession) {
  say(fragment(1, 0, 1, 1'130));
  say(bytes_of(wire::FlowFrame{.kind = Kind::kStreamEnd, .packet_id = 7, .stream_id = 1, .value = 5}));
  expect_closed("the end contradicts the peer's stream");
}

TEST_F(HostileFrames, AResetBelowWhatHasComeClosesTheSession) {
  say(fragment(1, 5'000, 1, 1'130));
  say(bytes_of(wire::FlowFrame{.kind = Kind::kStreamReset, .packet_id = 7, .stream_id = 1, .value = 5}));
  expect_closed("the peer's reset contradicts its stream");
}

TEST_F(HostileFrames, AResetOfMoreThanWasGrantedClosesTheSession) {
  say(bytes_of(wire::FlowFrame{.kind = Kind::kStreamReset, .packet_id = 7, .stream_id = 1, .value = kMost}));
  expect_closed("the peer's reset contradicts its stream");
}

TEST_F(HostileFrames, CreditForAStreamThatWasNeverOpenedClosesTheSession) {
  say(bytes_of(wire::FlowFrame{.kind = Kind::kStreamCredit, .packet_id = 7, .stream_id = 1, .value = 5}));
  expect_closed("the peer names a stream that was never opened");
}

TEST_F(HostileFrames, AStopOfAStreamThatWasNeverOpenedClosesTheSession) {
  ASSERT_TRUE(endpoint_->send(now_, connection_, Body::owned(Bytes(5'000, 1)), {.as = SendAs::kStream}));
  flush();
  say(bytes_of(wire::FlowFrame{.kind = Kind::kStreamStop, .packet_id = 7, .stream_id = 1}));
  say(bytes_of(wire::FlowFrame{.kind = Kind::kStreamCredit, .packet_id = 8, .stream_id = 1, .value = kMost}));
  EXPECT_FALSE(reason_) << "this one was, and is no more";
  say(bytes_of(wire::FlowFrame{.kind = Kind::kStreamStop, .packet_id = 9, .stream_id = 2}));
  expect_closed("the peer names a stream that was never opened");
}

TEST_F(HostileFrames, PathResponsesThatNobodyAskedForAreCountedAndMoveNothing) {
  for (std::uint64_t data = 0; data < 100; ++data) {
    say(bytes_of(wire::ControlFrame{.kind = wire::ControlFrame::Kind::kPathResponse, .data = data}));
  }
  EXPECT_FALSE(reason_);
  const auto statistics = endpoint_->statistics(connection_);
  ASSERT_TRUE(statistics);
  EXPECT_EQ(statistics->path_responses_unsolicited, 100u);
  EXPECT_EQ(statistics->path_changes, 0u);
}

TEST_F(HostileFrames, PathChallengesWithoutEndAreAnsweredInBoundedNumber) {
  for (std::uint64_t data = 0; data < 100; ++data) {
    say(bytes_of(wire::ControlFrame{.kind = wire::ControlFrame::Kind::kPathChallenge, .data = data}));
  }
  TransmitBuffer buffer;
  std::size_t bytes = 0;
  while (const auto batch = endpoint_->poll_transmit(now_, buffer)) {
    bytes += batch->bytes.size();
    buffer.reset();
  }
  EXPECT_LT(bytes, 1'200u) << "eight of them, and what else is due";
  EXPECT_FALSE(reason_);
}

// Who offers everything that there is and will be, and grants all that fits into a field.
class AbsurdOffer : public test::HostileSession {
 protected:
  AbsurdOffer()
      : HostileSession([](HandshakeConfig& config) {
          config.capabilities = ~std::uint64_t{0} & ~wire::capability::kReset;
          config.flow = {.stream = kMost, .connection = kMost};
        }) {}
};

TEST_F(AbsurdOffer, IsTakenForWhatBothSidesHave) {
  ASSERT_TRUE(endpoint_->send(now_, connection_, Body::owned(Bytes(50'000, 1)), {.as = SendAs::kStream}));
  flush();
  const Bytes credit = [] {
    const auto bytes = wire::encode(wire::FlowFrame{.kind = Kind::kConnectionCredit, .packet_id = 7, .value = kMost});
    return Bytes(bytes.begin(), bytes.end());
  }();
  say(credit);
  ASSERT_TRUE(endpoint_->send(now_, connection_, Body::owned(Bytes(50'000, 1)), {.as = SendAs::kStream}));
  flush();
  collect();
  EXPECT_FALSE(reason_);
  EXPECT_GT(latest_, 5u) << "packets with data have come";
}

class OfferWithoutMarks : public test::HostileSession {
 protected:
  OfferWithoutMarks()
      : HostileSession([](HandshakeConfig& config) { config.capabilities &= ~wire::capability::kEcn; }) {}
};

// A variant that has not been announced is dropped, whatever stands in it.
TEST_F(OfferWithoutMarks, FramesWithCountsOfMarksDoNotDecode) {
  Bytes counts = frame({.first = let_send(), .last = latest_});
  store_le(&counts[12], wire::kAckEcnFrameVariant);
  say(counts);  // cut short
  EXPECT_FALSE(reason_) << text_;
  counts.resize(counts.size() + wire::kAckEcnCounts);
  say(counts);
  EXPECT_FALSE(reason_) << text_;
  EXPECT_EQ(confirmed_, 0u);
}

}  // namespace
}  // namespace godwit::hostile_frames_test
