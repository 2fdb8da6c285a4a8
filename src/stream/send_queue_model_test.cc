#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <set>

#include "stream/send_queue.h"
#include "stream/send_queue_test_support.h"

namespace godwit {
namespace {

// What the queue must do, without its order: each fragment once and in order within the credit, each message confirmed
// or failed once.
struct ModelMessage {
  Bytes bytes;
  std::uint64_t limit = kUnlimited;
  std::size_t sent = 0;
  std::set<std::uint32_t> outstanding;
};

class SendQueueModelTest : public SendQueueTest {
 protected:
  static constexpr std::uint64_t kMaxCharge = 400'000;
  static constexpr std::uint64_t kMaxMessageBytes = 15'000;

  SendQueueModelTest() {
    queue_ = SendQueue{{.max_messages = 20,
                        .max_streams = 12,
                        .max_message_bytes = kMaxMessageBytes,
                        .max_stream_charge = kMaxCharge}};
  }

  void forget(MessageId id, SendKind kind, SlotHandle owner) {
    ASSERT_EQ(model_.erase(id), 1U) << "ends once";
    owners_of(kind).erase(owner);
    std::erase_if(in_flight_, [&](const SendItem& item) { return item.kind == kind && item.owner == owner; });
    ++ended_;
  }

  void send_something() {
    // Eight random bytes at least: no two are equal.
    ModelMessage message{.bytes = random_bytes(random_, 8 + random_.below(random_.below(2) == 0 ? 1099 : 60'000))};
    SendOptions options;
    options.urgency = static_cast<std::uint8_t>(random_.below(StreamScheduler::kUrgencies));
    if (random_.below(3) == 0) options.send_limit = message.limit = random_.below(30'000);
    const auto id = queue_.send(now_, Body::owned(message.bytes), options);
    ASSERT_TRUE(!id || model_.emplace(*id, std::move(message)).second);
  }

  void extend_something() {
    if (model_.empty()) return;
    const auto chosen = std::next(model_.begin(), static_cast<std::ptrdiff_t>(random_.below(model_.size())));
    const std::uint64_t limit = random_.below(2) == 0 ? random_.below(60'000) : kUnlimited;
    if (queue_.extend_send_limit(chosen->first, limit)) chosen->second.limit = std::max(chosen->second.limit, limit);
  }

  void give_up_something() {
    if (!in_flight_.empty() && random_.below(40) == 0) {
      const SendItem item = in_flight_[random_.below(in_flight_.size())];
      queue_.on_abandoned(item.kind, item.owner);
    } else if (!model_.empty() && random_.below(40) == 0) {
      ASSERT_TRUE(queue_.cancel(model_.begin()->first));
    }
    while (const auto failed = queue_.poll_failure(now_)) forget(failed->message, failed->kind, failed->owner);
  }

  void acknowledge_something() {
    if (in_flight_.empty()) return;
    const std::size_t chosen = random_.below(in_flight_.size());
    const SendItem item = in_flight_[chosen];
    in_flight_.erase(in_flight_.begin() + static_cast<std::ptrdiff_t>(chosen));
    const MessageId id = owners_of(item.kind).at(item.owner);
    const ModelMessage& message = model_.at(id);
    ASSERT_EQ(model_.at(id).outstanding.erase(item.fragment), 1U);
    const bool last = message.outstanding.empty() && message.sent == message.bytes.size();
    ASSERT_EQ(acknowledge(item), last ? std::optional{id} : std::nullopt);
    if (last) forget(id, item.kind, item.owner);
  }

  void look_at_something_again() {
    if (in_flight_.empty()) return;
    const SendItem item = in_flight_[random_.below(in_flight_.size())];
    const auto again = queue_.content(item.kind, item.owner, item.fragment);
    ASSERT_TRUE(again);
    ASSERT_EQ(again->payload.data(), item.payload.data());
    ASSERT_EQ(again->payload.size(), item.payload.size());
  }

  // The message whose first packet this is: its bytes, and it has sent nothing.
  std::map<MessageId, ModelMessage>::iterator whose_first(const SendItem& item) {
    return std::ranges::find_if(model_, [&](const auto& entry) {
      const ModelMessage& message = entry.second;
      const bool is_stream = queue_.stream_id(entry.first) != 0;
      return message.sent == 0 && message.outstanding.empty() && is_stream == (item.kind == SendKind::kFragment) &&
             (!is_stream || queue_.stream_id(entry.first) == item.stream->id()) &&
             (is_stream || std::ranges::equal(message.bytes, item.payload));
    });
  }

  void take_the_next() {
    const SendItem* const item = queue_.peek();
    if (item == nullptr) return;
    auto& owners = owners_of(item->kind);
    if (!owners.contains(item->owner)) {
      const auto found = whose_first(*item);
      ASSERT_NE(found, model_.end());
      owners[item->owner] = found->first;
    }
    ModelMessage& message = model_.at(owners.at(item->owner));
    const Bytes expected =
        slice(message.bytes, message.sent, std::min<std::size_t>(1130, message.bytes.size() - message.sent));
    ASSERT_TRUE(std::ranges::equal(item->payload, expected));
    const auto most = static_cast<std::uint32_t>(random_.below(10));
    if (const std::uint32_t run = queue_.run_length(most); run > 1) {
      ASSERT_LE(run, most);
      return take_the_run(message, *item, run);
    }
    message.sent += expected.size();
    ASSERT_TRUE(item->kind == SendKind::kMessage || message.sent <= message.limit);
    ASSERT_TRUE(message.outstanding.insert(item->fragment).second);
    in_flight_.push_back(*item);
    queue_.take();
  }

  // The same for each of a run, of which only some may be taken.
  void take_the_run(ModelMessage& message, SendItem item, std::uint32_t run) {
    ++runs_;
    const auto taken = static_cast<std::uint32_t>(1 + random_.below(run));
    for (std::uint32_t i = 0; i < run; ++i) {
      if (i > 0) item.payload = queue_.payload_of_run(i).value();
      ASSERT_TRUE(std::ranges::equal(item.payload, slice(message.bytes, message.sent + i * 1130, 1130)));
      if (i >= taken) continue;
      ASSERT_LE(message.sent + (i + 1) * 1130, message.limit);
      ASSERT_TRUE(message.outstanding.insert(item.fragment).second);
      in_flight_.push_back(item);
      ++item.fragment;
    }
    message.sent += taken * std::size_t{1130};
    queue_.take_run(1, taken);
  }

  std::map<SlotHandle, MessageId>& owners_of(SendKind kind) {
    return kind == SendKind::kMessage ? messages_ : streams_;
  }

  std::map<MessageId, ModelMessage> model_;
  std::map<SlotHandle, MessageId> streams_;
  std::map<SlotHandle, MessageId> messages_;
  std::deque<SendItem> in_flight_;
  std::size_t ended_ = 0;
  std::size_t runs_ = 0;
  Instant now_ = kStart;
};

TEST_F(SendQueueModelTest, LosesAndRepeatsNothingUnderRandomUse) {
  for (int step = 0; step < 50'000; ++step) {
    now_ += 10ms;
    switch (random_.below(12)) {
      case 0:
      case 1: send_something(); break;
      case 2: extend_something(); break;
      case 3: give_up_something(); break;
      case 4:
      case 5:
      case 6: acknowledge_something(); break;
      case 7: look_at_something_again(); break;
      default: take_the_next();
    }
    ASSERT_FALSE(HasFatalFailure());
    ASSERT_EQ(queue_.open_messages() + queue_.open_streams(), model_.size());
    ASSERT_LE(queue_.charge().bytes(), kMaxCharge);
    ASSERT_LE(queue_.message_bytes(), kMaxMessageBytes);
  }
  EXPECT_GT(ended_, 1000U);
  EXPECT_GT(runs_, 100U);
  EXPECT_EQ(queue_.statistics().stale_acknowledgements, 0U);
}

}  // namespace
}  // namespace godwit
