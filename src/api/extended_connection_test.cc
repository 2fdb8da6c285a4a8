// Extended sessions through the public interface, over real sockets: proven keys, flow control, codes.

#include <gtest/gtest.h>

#include <algorithm>

#include "api/connection_test_support.h"
#include "godwit/godwit.h"

namespace {

using namespace std::chrono_literals;
namespace gw = godwit::v1;
using Bytes = std::vector<std::uint8_t>;

constexpr std::uint64_t kStreamWindow = 128 << 10;
constexpr std::uint64_t kConnectionWindow = 192 << 10;

class ExtendedConnection : public godwit::testing::PublicConnection {
 protected:
  void SetUp() override {
    gw::NodeOptions options;
    options.transport.extended = "require";
    options.transport.stream_window_bytes = kStreamWindow;
    options.transport.connection_window_bytes = kConnectionWindow;
    options.transport.consume_by_hand = by_hand();
    open(options);
  }
  [[nodiscard]] virtual bool by_hand() const { return false; }

  // Bytes of chunks that B was given, of one stream or of all.
  [[nodiscard]] std::uint64_t received(std::uint32_t stream = 0) const {
    std::uint64_t sum = 0;
    for (const Kept& kept : at_b_) {
      if (kept.event.kind == Kind::kChunk && (stream == 0 || kept.event.stream == stream)) sum += kept.bytes.size();
    }
    return sum;
  }
  // Turns both until nothing has come for a while.
  void settle() {
    std::uint64_t before = received();
    for (int quiet = 0; quiet < 100;) {
      static_cast<void>(turn_until([n = 0]() mutable { return ++n > 3; }));
      quiet = received() == before ? quiet + 1 : 0;
      before = received();
    }
  }
  gw::MessageId send(std::size_t bytes) { return *a_->send(connection_, Bytes(bytes, 7), {.stream = true}); }
};
class ExtendedByHand : public ExtendedConnection {
  [[nodiscard]] bool by_hand() const override { return true; }
};

TEST_F(ExtendedConnection, BothSidesKnowWhoseKeyTheOtherHolds) {
  EXPECT_TRUE(find(at_a_, Kind::kConnected)->event.extended);
  EXPECT_EQ(find(at_a_, Kind::kConnected)->event.peer_key, b_->public_key());
  EXPECT_EQ(find(at_b_, Kind::kConnected)->event.peer_key, a_->public_key());
  EXPECT_EQ(a_->statistics(connection_)->form, "extended");
}

TEST_F(ExtendedConnection, BytesCountAsReadWhenTheHandlerHasReturned) {
  const auto message = send(5'000'000);
  ASSERT_TRUE(turn_until([&] { return has(at_a_, Kind::kAcknowledged); }));
  EXPECT_EQ(find(at_a_, Kind::kAcknowledged)->event.message, message);
  EXPECT_EQ(received(), 5'000'000U);
}

TEST_F(ExtendedConnection, APausedStreamStopsItsSenderAndNoOther) {
  const auto slow = send(2'000'000);
  ASSERT_TRUE(turn_until([&] { return has(at_b_, Kind::kChunk); }));
  const std::uint32_t paused = find(at_b_, Kind::kChunk)->event.stream;
  EXPECT_EQ(a_->stream_of(connection_, slow), paused);
  ASSERT_TRUE(b_->pause(other_side_, paused));
  settle();
  const std::uint64_t while_paused = received(paused);
  EXPECT_LT(while_paused, 2'000'000U);
  const auto quick = send(1'000'000);
  ASSERT_TRUE(turn_until([&] { return has(at_a_, Kind::kAcknowledged); }));
  EXPECT_EQ(find(at_a_, Kind::kAcknowledged)->event.message, quick);
  EXPECT_LE(received(paused), while_paused + kStreamWindow);
  ASSERT_TRUE(b_->resume(other_side_, paused));
  ASSERT_TRUE(turn_until([&] { return received(paused) == 2'000'000U; }));
  EXPECT_FALSE(b_->pause(other_side_, paused)) << "it has ended";
}

TEST_F(ExtendedByHand, ASlowReaderIsNeverAheadByMoreThanTheWindow) {
  send(3'000'000);
  ASSERT_TRUE(turn_until([&] { return has(at_b_, Kind::kChunk); }));
  const std::uint32_t stream = find(at_b_, Kind::kChunk)->event.stream;
  std::uint64_t read = 0;
  while (read < 3'000'000) {
    ASSERT_TRUE(turn_until([&] { return received() > read; }));
    EXPECT_LE(received() - read, kStreamWindow);
    const std::uint64_t some = std::min<std::uint64_t>(received() - read, 50'000);
    b_->consume(other_side_, stream, some);
    read += some;
  }
  EXPECT_TRUE(turn_until([&] { return has(at_a_, Kind::kAcknowledged); }));
}

TEST_F(ExtendedByHand, WhatIsNeverReadIsBoundedForTheConnection) {
  for (int i = 0; i < 5; ++i) send(500'000);
  ASSERT_TRUE(turn_until([&] { return has(at_b_, Kind::kChunk); }));
  settle();
  EXPECT_LE(received(), kConnectionWindow);
  EXPECT_GT(received(), kConnectionWindow / 2);
  // Messages of one packet have no credit to wait for.
  ASSERT_TRUE(a_->send(connection_, Bytes{1, 2, 3}));
  EXPECT_TRUE(turn_until([&] { return has(at_b_, Kind::kMessage); }));
}

TEST_F(ExtendedByHand, CodesOfCancelledAndUnwantedStreamsReachTheOtherSide) {
  const auto cancelled = send(1'000'000);
  ASSERT_TRUE(turn_until([&] { return has(at_b_, Kind::kChunk); }));
  EXPECT_TRUE(a_->cancel(connection_, cancelled, 41));
  ASSERT_TRUE(turn_until([&] { return has(at_b_, Kind::kAborted); }));
  EXPECT_EQ(find(at_b_, Kind::kAborted)->event.code, 41U);
  at_a_.clear();
  at_b_.clear();
  const auto unwanted = send(1'000'000);
  ASSERT_TRUE(turn_until([&] { return has(at_b_, Kind::kChunk); }));
  EXPECT_TRUE(b_->stop_receiving(other_side_, find(at_b_, Kind::kChunk)->event.stream, 42));
  ASSERT_TRUE(turn_until([&] { return has(at_a_, Kind::kFailed); }));
  EXPECT_EQ(find(at_a_, Kind::kFailed)->event.message, unwanted);
  EXPECT_EQ(find(at_a_, Kind::kFailed)->event.code, 42U);
  // The connection goes on, with all its credit.
  at_b_.clear();
  send(1'000'000);
  ASSERT_TRUE(turn_until([&] { return has(at_b_, Kind::kChunk); }));
  const std::uint32_t last = find(at_b_, Kind::kChunk)->event.stream;
  std::uint64_t read = 0;
  while (read < 1'000'000) {
    ASSERT_TRUE(turn_until([&] { return received(last) > read; }));
    b_->consume(other_side_, last, received(last) - read);
    read = received(last);
  }
  a_->close(connection_, "done", 7);
  ASSERT_TRUE(turn_until([&] { return has(at_b_, Kind::kClosed); }));
  EXPECT_EQ(find(at_b_, Kind::kClosed)->event.code, 7U);
}

// Appended piece by piece in odd sizes, while it is sent: arrives as it was written, and its end is told.
TEST_F(ExtendedConnection, AStreamOfUnknownLengthEndsWhenItIsFinished) {
  const auto stream = a_->open_stream(connection_);
  ASSERT_TRUE(stream) << stream.error().message;
  Bytes written;
  for (std::size_t i = 0; written.size() < 700'000; ++i) {
    Bytes some(1 + (i * 977) % 5000);
    for (std::size_t at = 0; at < some.size(); ++at)
      some[at] = static_cast<std::uint8_t>((written.size() + at) * 31 >> 3);
    ASSERT_TRUE(a_->append(connection_, *stream, some));
    written.insert(written.end(), some.begin(), some.end());
    if (i % 7 == 0) static_cast<void>(turn_until([n = 0]() mutable { return ++n > 2; }));
  }
  ASSERT_TRUE(turn_until([&] { return received() == written.size(); }));
  for (const Kept& kept : at_b_) EXPECT_EQ(kept.event.total, 0U) << "not ended yet";
  EXPECT_TRUE(a_->finish(connection_, *stream));
  EXPECT_FALSE(a_->finish(connection_, *stream));
  EXPECT_FALSE(a_->append(connection_, *stream, Bytes{1}));
  ASSERT_TRUE(
      turn_until([&] { return has(at_a_, Kind::kAcknowledged) && at_b_.back().event.total == written.size(); }));
  EXPECT_EQ(find(at_a_, Kind::kAcknowledged)->event.message, *stream);
  Bytes read;
  for (const Kept& kept : at_b_) {
    if (kept.event.kind != Kind::kChunk) continue;
    EXPECT_EQ(kept.event.offset, read.size());
    read.insert(read.end(), kept.bytes.begin(), kept.bytes.end());
  }
  EXPECT_EQ(read, written);
}

TEST_F(ExtendedConnection, AnEmptyStreamOfUnknownLengthEndsToo) {
  const auto stream = a_->open_stream(connection_);
  ASSERT_TRUE(stream);
  EXPECT_TRUE(a_->finish(connection_, *stream));
  EXPECT_TRUE(turn_until([&] { return has(at_a_, Kind::kAcknowledged) && has(at_b_, Kind::kChunk); }));
  EXPECT_TRUE(find(at_b_, Kind::kChunk)->bytes.empty());
}

TEST_F(ExtendedByHand, AWriterOfAStreamThatIsNotReadIsHeldBackAndToldWhenToGoOn) {
  const auto stream = a_->open_stream(connection_);
  ASSERT_TRUE(stream);
  const Bytes some(100'000, 5);
  std::size_t appended = 0;
  while (a_->append(connection_, *stream, some)) appended += some.size();
  EXPECT_LE(appended, std::size_t{4} << 20);
  EXPECT_EQ(a_->append(connection_, *stream, some).error().code, gw::ErrorCode::kWouldBlock);
  settle();
  EXPECT_LE(received(), kStreamWindow);
  EXPECT_FALSE(has(at_a_, Kind::kWritable));
  const std::uint32_t id = find(at_b_, Kind::kChunk)->event.stream;
  std::uint64_t read = 0;
  while (!has(at_a_, Kind::kWritable)) {
    ASSERT_TRUE(turn_until([&] { return received() > read || has(at_a_, Kind::kWritable); }));
    b_->consume(other_side_, id, received() - read);
    read = received();
  }
  EXPECT_TRUE(a_->append(connection_, *stream, some));
  EXPECT_TRUE(a_->cancel(connection_, *stream, 5));
  ASSERT_TRUE(turn_until([&] { return has(at_b_, Kind::kAborted); }));
  EXPECT_EQ(find(at_b_, Kind::kAborted)->event.code, 5U);
}

TEST_F(ExtendedConnection, AStreamOfUnknownLengthNeedsAPeerThatKnowsThem) {
  at_a_.clear();
  at_b_.clear();
  gw::NodeOptions deployed;
  deployed.transport.extended = "off";
  open(deployed);
  const auto refused = a_->open_stream(connection_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, gw::ErrorCode::kUnsupported);
}

TEST(PublicOptions, WindowsOutOfRangeAreRefused) {
  const auto key = gw::SecretKey::generate();
  ASSERT_TRUE(key);
  for (const std::uint64_t window : {std::uint64_t{0}, std::uint64_t{65'535}, (std::uint64_t{1} << 30) + 1}) {
    gw::NodeOptions options;
    options.transport.stream_window_bytes = window;
    EXPECT_FALSE(gw::Node::open(options, *key));
    options.transport.stream_window_bytes = 1 << 20;
    options.transport.connection_window_bytes = window;
    EXPECT_FALSE(gw::Node::open(options, *key));
  }
}

}  // namespace
