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
