#include <gtest/gtest.h>

#include <map>

#include "stream/send_queue.h"
#include "stream/send_queue_test_support.h"

namespace godwit {
namespace {

// A file that shrinks while it is sent.
class ShrinkingSource final : public BodySource {
 public:
  explicit ShrinkingSource(std::uint64_t* size) : size_(size) {}
  std::optional<ByteView> read(std::uint64_t offset, std::size_t length) override {
    if (offset + length > *size_) return std::nullopt;
    buffer_.assign(length, static_cast<std::uint8_t>(offset));
    return buffer_;
  }

 private:
  std::uint64_t* size_;
  Bytes buffer_;
};

TEST_F(SendQueueTest, FailsTheStreamWhoseSourceShrinksAndNoOther) {
  std::uint64_t available = 10'000;
  const auto file = queue_.send(kStart, Body::from_source(std::make_unique<ShrinkingSource>(&available), 10'000));
  const MessageId other = send(3000);
  ASSERT_TRUE(file);
  const SendItem first = take();
  available = 5000;
  std::map<std::uint32_t, std::size_t> fragments;
  SlotHandle other_owner = 0;
  for (const SendItem& item : take_all()) {
    ++fragments[item.owner];
    if (item.owner != first.owner) other_owner = item.owner;
  }
  EXPECT_EQ(fragments[first.owner], 3U);
  EXPECT_EQ(fragments[other_owner], 3U);
  const auto failed = queue_.poll_failure(kStart);
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->message, *file);
  EXPECT_EQ(failed->owner, first.owner);
  EXPECT_EQ(failed->reason, SendFailure::Reason::kBodyUnreadable);
  EXPECT_TRUE(failed->may_have_arrived);
  EXPECT_FALSE(queue_.poll_failure(kStart));
  EXPECT_EQ(queue_.on_acknowledged(SendKind::kFragment, first.owner, 1, 1), std::nullopt);
  EXPECT_EQ(queue_.on_acknowledged(SendKind::kFragment, other_owner, 1, 3), other);
}

TEST_F(SendQueueTest, FailsOnARetransmissionThatCannotBeRead) {
  std::uint64_t available = 5000;
  const auto file = queue_.send(kStart, Body::from_source(std::make_unique<ShrinkingSource>(&available), 5000));
  const SendItem item = take();
  available = 100;
  EXPECT_EQ(queue_.content(item.kind, item.owner, item.fragment), std::nullopt);
  EXPECT_EQ(queue_.poll_failure(kStart)->message, *file);
  EXPECT_EQ(queue_.peek(), nullptr);
}

TEST_F(SendQueueTest, FailsAnUnreliableMessageWhereAnotherWouldBeSentAgain) {
  const auto once = queue_.send(kStart, Body::owned(Bytes(100)), {.unreliable = true});
  const MessageId other = send(100);
  ASSERT_TRUE(once);
  const SendItem first = take();
  const SendItem second = take();
  EXPECT_EQ(queue_.content(first.kind, first.owner, first.fragment), std::nullopt);
  EXPECT_TRUE(queue_.content(second.kind, second.owner, second.fragment));
  const auto failed = queue_.poll_failure(kStart);
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->message, *once);
  EXPECT_EQ(failed->reason, SendFailure::Reason::kLost);
  EXPECT_TRUE(failed->may_have_arrived);
  EXPECT_FALSE(queue_.poll_failure(kStart));
  EXPECT_EQ(queue_.on_acknowledged(SendKind::kMessage, second.owner, 0, 0), other);
  EXPECT_EQ(queue_.open_messages(), 0U);
  EXPECT_EQ(queue_.message_bytes(), 0U);
}

TEST_F(SendQueueTest, RefusesUnreliableStreams) {
  const auto refused = [this](std::size_t bytes, SendAs as) {
    const auto sent = queue_.send(kStart, Body::owned(Bytes(bytes)), {.as = as, .unreliable = true});
    return sent ? ErrorCode::kSystem : sent.error().code;
  };
  EXPECT_EQ(refused(wire::kShortMessageLimit + 1, SendAs::kMessage), ErrorCode::kTooLarge);
  EXPECT_EQ(refused(10, SendAs::kStream), ErrorCode::kInvalidArgument);
  EXPECT_EQ(refused(10, SendAs::kOperationsStream), ErrorCode::kInvalidArgument);
  EXPECT_EQ(queue_.peek(), nullptr);
}

TEST_F(SendQueueTest, FailsAnUnreadableMessageAndGoesOn) {
  std::uint64_t available = 0;
  const auto bad = queue_.send(kStart, Body::from_source(std::make_unique<ShrinkingSource>(&available), 50));
  send(60);
  EXPECT_EQ(take().payload.size(), 60U);
  const auto failed = queue_.poll_failure(kStart);
  EXPECT_EQ(failed->message, *bad);
  EXPECT_FALSE(failed->may_have_arrived);
}

TEST_F(SendQueueTest, ReportsAbandonedPackets) {
  const MessageId message = send(10);
  const MessageId stream = send(3000);
  const std::vector<SendItem> items = take_all();
  queue_.on_abandoned(items[1].kind, items[1].owner);
  queue_.on_abandoned(items[1].kind, items[1].owner);
  const auto failed = queue_.poll_failure(kStart);
  EXPECT_EQ(failed->message, stream);
  EXPECT_EQ(failed->reason, SendFailure::Reason::kAbandoned);
  EXPECT_FALSE(queue_.poll_failure(kStart));
  EXPECT_EQ(acknowledge(items[0]), message);
}

TEST_F(SendQueueTest, HoldsTheShareOfAFailedStreamUntilTheReceiverHasEvictedIt) {
  queue_ = SendQueue{{.max_streams = 1}};
  const MessageId first = send(3000);
  take();
  EXPECT_TRUE(queue_.cancel(first));
  EXPECT_EQ(refused(3000), ErrorCode::kWouldBlock) << "its receiver still holds the first";
  ASSERT_TRUE(queue_.poll_failure(kStart));
  ASSERT_EQ(queue_.next_timeout(), kStart + PeerReceiveBudget::kLinger);
  queue_.handle_timeout(kStart + PeerReceiveBudget::kLinger);
  EXPECT_TRUE(queue_.poll_writable());
  EXPECT_NE(send(3000), 0U);
  EXPECT_EQ(queue_.next_timeout(), std::nullopt);
}

TEST_F(SendQueueTest, CancelsQueuedMessagesFromAnyPlace) {
  std::vector<MessageId> ids;
  for (std::size_t i = 0; i < 5; ++i) ids.push_back(send(10 + i));
  for (const std::size_t i : {2U, 0U, 4U}) EXPECT_TRUE(queue_.cancel(ids[i]));
  EXPECT_FALSE(queue_.cancel(ids[2]));
  EXPECT_EQ(take().payload.size(), 11U);
  send(20);
  EXPECT_EQ(take().payload.size(), 13U);
  EXPECT_EQ(take().payload.size(), 20U);
  EXPECT_EQ(queue_.peek(), nullptr);
}

TEST_F(SendQueueTest, CancelsEverythingWhenTheConnectionEnds) {
  send(10);
  send(3000);
  take();
  queue_.cancel_all();
  std::size_t failed = 0;
  while (queue_.poll_failure(kStart)) ++failed;
  EXPECT_EQ(failed, 2U);
  EXPECT_TRUE(queue_.idle());
  EXPECT_EQ(queue_.peek(), nullptr);
}

TEST_F(SendQueueTest, FailsWhatHasBegunWhenTheReceiverBeginsANewSession) {
  const MessageId message = send(10);
  const MessageId stream = send(3000);
  static_cast<void>(queue_.peek());
  queue_.take();
  static_cast<void>(queue_.peek());
  queue_.take();
  const MessageId waiting = send(20);
  queue_.fail_started();
  std::vector<MessageId> failed;
  while (const auto failure = queue_.poll_failure(kStart)) {
    EXPECT_EQ(failure->reason, SendFailure::Reason::kNewSession);
    EXPECT_TRUE(failure->may_have_arrived);
    failed.push_back(failure->message);
  }
  EXPECT_EQ(failed, (std::vector{message, stream}));
  for (const SendItem& item : take_all()) EXPECT_EQ(item.payload.size(), 20U);
  EXPECT_FALSE(queue_.cancel(stream));
  EXPECT_TRUE(queue_.cancel(waiting));
}

TEST_F(SendQueueTest, FailsWhatMissesItsDeadline) {
  const MessageId late = send(10, {.deadline = kStart + 2s});
  const MessageId stream = send(3000, {.deadline = kStart + 1s});
  send(20, {.deadline = kStart + 3s});
  send(30);
  EXPECT_EQ(queue_.next_timeout(), kStart + 1s);
  queue_.handle_timeout(kStart + 1s);
  EXPECT_EQ(queue_.poll_failure(kStart)->message, stream);
  EXPECT_EQ(queue_.next_timeout(), kStart + 2s);
  queue_.handle_timeout(kStart + 2s);
  const auto failed = queue_.poll_failure(kStart);
  EXPECT_EQ(failed->message, late);
  EXPECT_EQ(failed->reason, SendFailure::Reason::kDeadline);
  for (const SendItem& item : take_all()) acknowledge(item);
  queue_.handle_timeout(kStart + 3s);
  EXPECT_EQ(queue_.poll_failure(kStart), std::nullopt) << "it was confirmed in time";
  EXPECT_EQ(queue_.next_timeout(), std::nullopt);
}

// An acknowledgement of what was never sent leads to nothing.
TEST(SendQueueCredit, KeepsAResetThatIsAcknowledgedBeforeItHasBeenSent) {
  SendQueue queue;
  queue.limit_streams(100'000, 100'000);
  const auto message = queue.send(kStart, Body::owned(std::vector<std::uint8_t>(5000)), {.as = SendAs::kStream});
  ASSERT_TRUE(message);
  const std::uint32_t stream = queue.stream_id(*message);
  ASSERT_NE(queue.peek(), nullptr);
  queue.take(1);
  ASSERT_TRUE(queue.cancel(*message));
  queue.on_reset_acknowledged(stream);
  const auto reset = queue.poll_reset();
  ASSERT_TRUE(reset);
  EXPECT_EQ(reset->stream_id, stream);
  EXPECT_FALSE(queue.poll_reset());
  queue.on_reset_acknowledged(stream);
  EXPECT_FALSE(queue.reset_again(stream)) << "it has arrived";
}

}  // namespace
}  // namespace godwit
