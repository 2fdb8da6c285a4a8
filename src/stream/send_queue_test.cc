#include "stream/send_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "stream/send_queue_test_support.h"

namespace godwit {
namespace {

using testing::ElementsAre;

// Conformance item 54.
TEST_F(SendQueueTest, SendsUpTo1106BytesAsAShortMessageAndMoreAsAStream) {
  send(1106);
  SendItem item = take();
  EXPECT_EQ(item.kind, SendKind::kMessage);
  EXPECT_EQ(item.payload.size(), 1106U);
  EXPECT_EQ(item.datagram_bytes(), 53U + 1106);
  const MessageId stream = send(1107);
  item = take();
  EXPECT_EQ(item.kind, SendKind::kFragment);
  EXPECT_EQ(item.fragment, 1U);
  EXPECT_EQ(item.stream->fragment_count(), 1U);
  EXPECT_EQ(item.payload.size(), 1107U);
  EXPECT_EQ(item.datagram_bytes(), 70U + 1107);
  EXPECT_EQ(queue_.stream_id(stream), item.stream->id());
  EXPECT_EQ(queue_.peek(), nullptr);
}

TEST_F(SendQueueTest, SendsAnEmptyShortMessage) {
  send(0);
  EXPECT_EQ(take().datagram_bytes(), 53U);
}

TEST_F(SendQueueTest, SendsAShortBodyAsAStreamWhenAskedTo) {
  const MessageId id = send(5, {.as = SendAs::kStream});
  EXPECT_NE(queue_.stream_id(id), 0U);
  EXPECT_EQ(take().kind, SendKind::kFragment);
  EXPECT_EQ(queue_.stream_id(send(5)), 0U);
}

TEST_F(SendQueueTest, InterruptsAStreamForAMoreUrgentOne) {
  const MessageId slow = send(5000);
  const std::uint32_t slow_id = queue_.stream_id(slow);
  ASSERT_NE(queue_.peek(), nullptr);  // chosen, not taken
  const std::uint32_t urgent_id = queue_.stream_id(send(2000, {.urgency = 0}));
  EXPECT_EQ(take().stream->id(), urgent_id);
  EXPECT_EQ(take().stream->id(), urgent_id);
  EXPECT_EQ(take().stream->id(), slow_id);
  // A stream of unknown urgency is refused, and keeps its bytes.
  EXPECT_EQ(refused(2000, {.urgency = 8}), ErrorCode::kInvalidArgument);
}

// Conformance items 55 and 62.
TEST_F(SendQueueTest, EmbedsMetadataOfAnOperationsStreamInItsFirstFragment) {
  const MessageId id = send(3000, {.as = SendAs::kOperationsStream, .metadata = Bytes(100, 7)});
  EXPECT_TRUE(wire::is_operations_stream(queue_.stream_id(id)));
  const SendItem first = take();
  EXPECT_EQ(first.payload.size(), 1021U);
  ASSERT_TRUE(first.metadata());
  EXPECT_EQ(first.metadata()->size(), 100U);
  EXPECT_EQ(first.datagram_bytes(), 78U + 1021 + 100);
  EXPECT_FALSE(take().metadata());
  EXPECT_FALSE(wire::is_operations_stream(queue_.stream_id(send(3000))));
}

// Conformance item 61.
TEST_F(SendQueueTest, RefusesWhatTheWireCannotCarry) {
  EXPECT_EQ(refused(0, {.as = SendAs::kStream}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused(0, {.as = SendAs::kOperationsStream}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused(10, {.metadata = Bytes(3)}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused(3000, {.as = SendAs::kOperationsStream, .metadata = Bytes(1121)}), ErrorCode::kTooLarge);
  const Bytes one(1);
  struct Endless final : BodySource {
    std::optional<ByteView> read(std::uint64_t, std::size_t) override { return std::nullopt; }
  };
  auto too_large = queue_.send(kStart, Body::from_source(std::make_unique<Endless>(), wire::kMaxStreamBytes + 1));
  ASSERT_FALSE(too_large);
  EXPECT_EQ(too_large.error().code, ErrorCode::kTooLarge);
  EXPECT_TRUE(queue_.send(kStart, Body::from_source(std::make_unique<Endless>(), wire::kMaxStreamBytes)));
}

TEST_F(SendQueueTest, ConfirmsAMessageWhenAllOfItIsAcknowledged) {
  const MessageId message = send(10);
  const MessageId stream = send(5000);
  const std::vector<SendItem> items = take_all();
  ASSERT_EQ(items.size(), 6U);
  EXPECT_EQ(queue_.on_acknowledged(SendKind::kFragment, items[1].owner, 2, 4), std::nullopt);
  EXPECT_EQ(acknowledge(items[0]), message);
  EXPECT_EQ(queue_.on_acknowledged(SendKind::kFragment, items[1].owner, 1, 1), stream);
  EXPECT_EQ(queue_.open_messages() + queue_.open_streams(), 0U);
  EXPECT_EQ(queue_.charge().bytes(), 0U);
  EXPECT_EQ(queue_.stream_id(stream), 0U);
}

TEST_F(SendQueueTest, IgnoresALateAcknowledgementForASlotUsedAnew) {
  const MessageId first = send(10);
  const SendItem old = take();
  EXPECT_EQ(acknowledge(old), first);
  const MessageId second = send(20);
  EXPECT_NE(first, second);
  const SendItem item = take();
  EXPECT_EQ(acknowledge(old), std::nullopt);
  EXPECT_EQ(queue_.statistics().stale_acknowledgements, 1U);
  EXPECT_EQ(acknowledge(item), second);
}

TEST_F(SendQueueTest, GivesTheContentOfAPacketAgainUntilItIsAcknowledged) {
  send(3000);
  const SendItem first = take();
  const Bytes bytes(first.payload.begin(), first.payload.end());
  take();
  const auto again = queue_.content(first.kind, first.owner, 1);
  ASSERT_TRUE(again);
  EXPECT_TRUE(std::ranges::equal(again->payload, bytes));
  EXPECT_EQ(again->stream->id(), first.stream->id());
  EXPECT_EQ(take().fragment, 3U) << "looking back does not disturb the order";
  queue_.on_acknowledged(first.kind, first.owner, 1, 3);
  EXPECT_EQ(queue_.content(first.kind, first.owner, 1), std::nullopt);
  send(30);
  const SendItem message = take();
  EXPECT_EQ(queue_.content(message.kind, message.owner, 0)->payload.size(), 30U);
}

TEST_F(SendQueueTest, ShowsTheSameItemUntilItIsTaken) {
  send(3000);
  EXPECT_EQ(queue_.peek(), queue_.peek());
  EXPECT_EQ(queue_.peek()->fragment, 1U);
  send(10);
  EXPECT_EQ(queue_.peek()->kind, SendKind::kMessage) << "a message that came in between goes first";
}

// --- Order between messages and streams ---

TEST_F(SendQueueTest, SendsShortMessagesBeforeAFile) {
  send_borrowed(10 * kMebibyte);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(take().kind, SendKind::kFragment);
  send(64);
  send(65);
  EXPECT_EQ(take().payload.size(), 64U);
  EXPECT_EQ(take().payload.size(), 65U);
  EXPECT_EQ(take().kind, SendKind::kFragment);
}

TEST_F(SendQueueTest, LetsMessagesTakeAtMostHalfWhenAStreamWaits) {
  send_borrowed(4 * kMebibyte);
  std::size_t message_bytes = 0;
  std::size_t stream_bytes = 0;
  std::size_t longest_wait = 0;
  std::size_t wait = 0;
  for (int i = 0; i < 2000; ++i) {
    while (queue_.open_messages() < 10) send(1000);
    const SendItem item = take();
    if (item.kind == SendKind::kMessage) {
      message_bytes += item.datagram_bytes();
      wait = 0;
      acknowledge(item);
    } else {
      stream_bytes += item.datagram_bytes();
      longest_wait = std::max(longest_wait, ++wait);
    }
  }
  EXPECT_GT(message_bytes, stream_bytes) << "the burst goes first";
  EXPECT_LT(message_bytes, stream_bytes + stream_bytes / 10 + 70'000);
  EXPECT_LE(longest_wait, 2U) << "a message never waits for more than a few fragments";
}

TEST_F(SendQueueTest, SendsMessagesFreelyWhenNoStreamWaits) {
  for (int i = 0; i < 500; ++i) send(1000);
  EXPECT_EQ(take_all().size(), 500U);
  send_borrowed(kMebibyte);
  send(1000);
  EXPECT_EQ(take().kind, SendKind::kMessage) << "the burst is untouched";
}

TEST_F(SendQueueTest, SharesEquallyBetweenEightStreams) {
  for (int i = 0; i < 8; ++i) send_borrowed(2 * kMebibyte);
  std::map<std::uint32_t, std::size_t> bytes;
  std::size_t streak = 0;
  std::uint32_t previous = 0;
  std::size_t turns = 0;
  for (std::size_t taken = 0; taken < 8 * kMebibyte;) {
    const SendItem item = take();
    taken += item.payload.size();
    bytes[item.stream->id()] += item.payload.size();
    streak = item.stream->id() == previous ? streak + 1 : 1;
    turns += streak == StreamScheduler::kBatchFragments ? 1U : 0U;
    previous = item.stream->id();
  }
  ASSERT_EQ(bytes.size(), 8U);
  for (const auto& [id, count] : bytes) EXPECT_NEAR(static_cast<double>(count), kMebibyte, 62'000) << id;
  EXPECT_GE(turns, 130U) << "turns are whole segmentation batches";
}

// --- Credit ---

TEST_F(SendQueueTest, SkipsStreamsWithoutCredit) {
  const MessageId limited = send(10'000, {.send_limit = 2500});
  const MessageId stopped = send(10'000, {.send_limit = 0});
  send(2000);
  std::vector<std::uint32_t> fragments;
  for (const SendItem& item : take_all()) fragments.push_back(item.fragment);
  EXPECT_THAT(fragments, ElementsAre(1, 2, 1, 2));
  EXPECT_TRUE(queue_.idle());
  EXPECT_TRUE(queue_.extend_send_limit(stopped, 1130));
  EXPECT_EQ(take().fragment, 1U);
  EXPECT_EQ(queue_.peek(), nullptr);
  EXPECT_TRUE(queue_.extend_send_limit(limited, 10'000));
  EXPECT_EQ(take_all().size(), 7U);
  EXPECT_TRUE(queue_.extend_send_limit(stopped, kUnlimited));
  EXPECT_EQ(take_all().size(), 8U);
  EXPECT_FALSE(queue_.extend_send_limit(999'999'999, 5));
}

// --- Bounds ---

TEST_F(SendQueueTest, RefusesMessagesBeyondItsBoundAndSaysOnceWhenToGoOn) {
  queue_ = SendQueue{{.max_messages = 10}};
  for (int i = 0; i < 10; ++i) send(100);
  EXPECT_EQ(refused(100), ErrorCode::kWouldBlock);
  EXPECT_EQ(refused(100), ErrorCode::kWouldBlock);
  const std::vector<SendItem> items = take_all();
  EXPECT_FALSE(queue_.poll_writable()) << "what is in flight may have to be sent again";
  for (std::size_t i = 0; i < 4; ++i) acknowledge(items[i]);
  EXPECT_FALSE(queue_.poll_writable());
  acknowledge(items[4]);
  EXPECT_TRUE(queue_.poll_writable());
  EXPECT_FALSE(queue_.poll_writable());
  acknowledge(items[5]);
  EXPECT_FALSE(queue_.poll_writable()) << "nobody was refused since";
}

TEST_F(SendQueueTest, LeavesTheBytesOfARefusedMessageToTheCaller) {
  queue_ = SendQueue{{.max_messages = 1, .max_streams = 1}};
  send(100);
  send(3000);
  Body message = Body::owned(Bytes{1, 2, 3});
  Body stream = Body::owned(Bytes(3000, 7));
  EXPECT_FALSE(queue_.send(kStart, std::move(message)));
  EXPECT_FALSE(queue_.send(kStart, std::move(stream)));
  for (const SendItem& item : take_all()) acknowledge(item);
  ASSERT_TRUE(queue_.send(kStart, std::move(message)));  // NOLINT(bugprone-use-after-move): a refusal takes nothing
  ASSERT_TRUE(queue_.send(kStart, std::move(stream)));
  EXPECT_EQ(take().payload.size(), 3U);
  EXPECT_EQ(take().payload[0], 7);
}

TEST_F(SendQueueTest, BoundsTheBytesOfMessages) {
  queue_ = SendQueue{{.max_message_bytes = 2500}};
  send(1000);
  send(1000);
  EXPECT_EQ(refused(501), ErrorCode::kWouldBlock);
  send(500);
  EXPECT_EQ(queue_.message_bytes(), 2500U);
  EXPECT_EQ(refused(1), ErrorCode::kWouldBlock);
  for (const SendItem& item : take_all()) acknowledge(item);
  EXPECT_TRUE(queue_.poll_writable());
  EXPECT_EQ(queue_.message_bytes(), 0U);
  queue_ = SendQueue{{.max_message_bytes = 50}};
  EXPECT_EQ(refused(51), ErrorCode::kTooLarge) << "it never will fit";
}

TEST_F(SendQueueTest, KeepsOpenStreamsWithinTheReceiversNumber) {
  for (int i = 0; i < 1024; ++i) ASSERT_NE(send_borrowed(2000), 0U);
  EXPECT_EQ(refused(2000), ErrorCode::kWouldBlock);
  EXPECT_NE(send(100), 0U) << "messages need no place";
  take();
  const std::vector<SendItem> items = take_all();
  acknowledge(items[0]);
  EXPECT_FALSE(queue_.poll_writable());
  for (const SendItem& item : items) {
    if (item.owner == items[0].owner && item.fragment == 2) acknowledge(item);
  }
  EXPECT_TRUE(queue_.poll_writable());
  EXPECT_NE(send_borrowed(2000), 0U);
}

TEST_F(SendQueueTest, KeepsOpenStreamsWithinTheReceiversMemory) {
  EXPECT_NE(send_borrowed(wire::kMaxStreamBytes), 0U);
  EXPECT_EQ(refused(17 * kMebibyte), ErrorCode::kWouldBlock);
  const MessageId second = send_borrowed(12 * kMebibyte);
  EXPECT_NE(second, 0U);
  EXPECT_LE(queue_.charge().bytes(), wire::kDeployedMaxChargedBytes);
  EXPECT_TRUE(queue_.cancel(second));
  EXPECT_FALSE(queue_.poll_writable()) << "17 MiB still do not fit";
  EXPECT_EQ(queue_.charge().bytes(), wire::deployed_charge(wire::kMaxStreamBytes)) << "nothing of it was sent";
}

TEST_F(SendQueueTest, EndsWhenTheStreamIdsAreUsedUp) {
  queue_ = SendQueue{{}, 0x7fffffff};
  EXPECT_EQ(queue_.stream_id(send(2000)), 0x7fffffffU);
  EXPECT_EQ(refused(2000), ErrorCode::kClosed);
  EXPECT_EQ(queue_.charge().streams(), 1U);
  EXPECT_NE(send(100), 0U);
}

}  // namespace
}  // namespace godwit
