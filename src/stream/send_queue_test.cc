#include "stream/send_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <set>

#include "stream/stream_test_support.h"

namespace godwit {
namespace {

using testing::ElementsAre;

constexpr std::uint64_t kMebibyte = 1024 * 1024;

class SendQueueTest : public testing::Test {
 protected:
  MessageId send(std::size_t size, SendOptions options = {}) {
    const auto id = queue_.send(kStart, Body::owned(random_bytes(random_, size)), std::move(options));
    EXPECT_TRUE(id) << (id ? "" : id.error().message);
    return id.value_or(0);
  }
  MessageId send_borrowed(std::uint64_t size, SendOptions options = {}) {
    if (ground_.size() < size) ground_.resize(size);
    const auto id = queue_.send(kStart, Body::borrowed(ByteView{ground_}.first(size)), std::move(options));
    return id.value_or(0);
  }
  ErrorCode refused(std::uint64_t size, SendOptions options = {}) {
    if (ground_.size() < size) ground_.resize(size);
    const auto id = queue_.send(kStart, Body::borrowed(ByteView{ground_}.first(size)), std::move(options));
    EXPECT_FALSE(id);
    return id ? ErrorCode::kSystem : id.error().code;
  }
  // Takes the next item; kind, owner and fragment 0 if there is none.
  SendItem take() {
    const SendItem* item = queue_.peek();
    if (item == nullptr) return {};
    const SendItem copy = *item;
    queue_.take();
    return copy;
  }
  std::optional<MessageId> acknowledge(const SendItem& item) {
    return queue_.on_acknowledged(item.kind, item.owner, item.fragment, 1);
  }
  std::vector<SendItem> take_all() {
    std::vector<SendItem> items;
    while (queue_.peek() != nullptr) items.push_back(take());
    return items;
  }

  DeterministicRandom random_{1};
  Bytes ground_;
  SendQueue queue_;
};

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
  std::size_t run = 0;
  std::uint32_t previous = 0;
  std::size_t runs = 0;
  for (std::size_t taken = 0; taken < 8 * kMebibyte;) {
    const SendItem item = take();
    taken += item.payload.size();
    bytes[item.stream->id()] += item.payload.size();
    run = item.stream->id() == previous ? run + 1 : 1;
    runs += run == StreamTurns::kRunFragments ? 1U : 0U;
    previous = item.stream->id();
  }
  ASSERT_EQ(bytes.size(), 8U);
  for (const auto& [id, count] : bytes) EXPECT_NEAR(static_cast<double>(count), kMebibyte, 62'000) << id;
  EXPECT_GE(runs, 130U) << "turns are whole segmentation runs";
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

// --- Failure ---

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
  ASSERT_EQ(queue_.next_timeout(), kStart + PeerCharge::kLinger);
  queue_.handle_timeout(kStart + PeerCharge::kLinger);
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

// --- Everything at once ---

// What the queue must do, without its order: each fragment once and in order within the credit, each message confirmed
// or failed once.
struct ModelMessage {
  Bytes bytes;
  std::uint64_t limit = kUnlimited;
  std::size_t sent = 0;
  std::set<std::uint32_t> outstanding;
};

TEST_F(SendQueueTest, LosesAndRepeatsNothingUnderRandomUse) {
  queue_ =
      SendQueue{{.max_messages = 20, .max_message_bytes = 15'000, .max_streams = 12, .max_stream_charge = 400'000}};
  std::map<MessageId, ModelMessage> model;
  std::map<SlotHandle, MessageId> streams;
  std::map<SlotHandle, MessageId> messages;
  std::deque<SendItem> in_flight;
  std::size_t ended = 0;
  Instant now = kStart;
  const auto forget = [&](MessageId id, SendKind kind, SlotHandle owner) {
    ASSERT_EQ(model.erase(id), 1U) << "ends once";
    (kind == SendKind::kMessage ? messages : streams).erase(owner);
    std::erase_if(in_flight, [&](const SendItem& item) { return item.kind == kind && item.owner == owner; });
    ++ended;
  };
  const auto collect_failures = [&] {
    while (const auto failed = queue_.poll_failure(now)) forget(failed->message, failed->kind, failed->owner);
  };
  for (int step = 0; step < 50'000; ++step) {
    now += 10ms;
    switch (random_.below(12)) {
      case 0:
      case 1: {
        // Eight random bytes at least: no two are equal.
        ModelMessage message{.bytes = random_bytes(random_, 8 + random_.below(random_.below(2) == 0 ? 1099 : 60'000))};
        SendOptions options;
        if (random_.below(3) == 0) options.send_limit = message.limit = random_.below(30'000);
        const auto id = queue_.send(now, Body::owned(message.bytes), options);
        ASSERT_TRUE(!id || model.emplace(*id, std::move(message)).second);
        break;
      }
      case 2:
        if (!model.empty()) {
          const auto chosen = std::next(model.begin(), static_cast<std::ptrdiff_t>(random_.below(model.size())));
          const std::uint64_t limit = random_.below(2) == 0 ? random_.below(60'000) : kUnlimited;
          if (queue_.extend_send_limit(chosen->first, limit))
            chosen->second.limit = std::max(chosen->second.limit, limit);
        }
        break;
      case 3:
        if (!in_flight.empty() && random_.below(40) == 0) {
          const SendItem item = in_flight[random_.below(in_flight.size())];
          queue_.on_abandoned(item.kind, item.owner);
        } else if (!model.empty() && random_.below(40) == 0) {
          ASSERT_TRUE(queue_.cancel(model.begin()->first));
        }
        collect_failures();
        break;
      case 4:
      case 5:
      case 6: {
        if (in_flight.empty()) break;
        const std::size_t chosen = random_.below(in_flight.size());
        const SendItem item = in_flight[chosen];
        in_flight.erase(in_flight.begin() + static_cast<std::ptrdiff_t>(chosen));
        const MessageId id = (item.kind == SendKind::kMessage ? messages : streams).at(item.owner);
        ASSERT_EQ(model.at(id).outstanding.erase(item.fragment), 1U);
        const bool last = model.at(id).outstanding.empty() && model.at(id).sent == model.at(id).bytes.size();
        ASSERT_EQ(acknowledge(item), last ? std::optional{id} : std::nullopt);
        if (last) forget(id, item.kind, item.owner);
        break;
      }
      case 7:
        if (!in_flight.empty()) {
          const SendItem item = in_flight[random_.below(in_flight.size())];
          const auto again = queue_.content(item.kind, item.owner, item.fragment);
          ASSERT_TRUE(again);
          ASSERT_EQ(again->payload.data(), item.payload.data());
          ASSERT_EQ(again->payload.size(), item.payload.size());
        }
        break;
      default: {
        const SendItem* item = queue_.peek();
        if (item == nullptr) break;
        auto& owners = item->kind == SendKind::kMessage ? messages : streams;
        if (!owners.contains(item->owner)) {
          // First packet of a message: the one whose bytes it shows and that has sent nothing.
          const auto found = std::ranges::find_if(model, [&](const auto& entry) {
            const ModelMessage& message = entry.second;
            const bool is_stream = queue_.stream_id(entry.first) != 0;
            return message.sent == 0 && message.outstanding.empty() &&
                   is_stream == (item->kind == SendKind::kFragment) &&
                   (!is_stream || queue_.stream_id(entry.first) == item->stream->id()) &&
                   (is_stream || std::ranges::equal(message.bytes, item->payload));
          });
          ASSERT_NE(found, model.end());
          owners[item->owner] = found->first;
        }
        ModelMessage& message = model.at(owners.at(item->owner));
        const Bytes expected =
            slice(message.bytes, message.sent, std::min<std::size_t>(1130, message.bytes.size() - message.sent));
        ASSERT_TRUE(std::ranges::equal(item->payload, expected));
        message.sent += expected.size();
        ASSERT_TRUE(item->kind == SendKind::kMessage || message.sent <= message.limit);
        ASSERT_TRUE(message.outstanding.insert(item->fragment).second);
        in_flight.push_back(*item);
        queue_.take();
      }
    }
    ASSERT_EQ(queue_.open_messages() + queue_.open_streams(), model.size());
    ASSERT_LE(queue_.charge().bytes(), 400'000U);
    ASSERT_LE(queue_.message_bytes(), 15'000U);
  }
  EXPECT_GT(ended, 1000U);
  EXPECT_EQ(queue_.statistics().stale_acknowledgements, 0U);
}

}  // namespace
}  // namespace godwit
