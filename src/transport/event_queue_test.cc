#include "transport/event_queue.h"

#include <gtest/gtest.h>

namespace godwit {
namespace {

TEST(EventQueue, GivesEventsOutInOrderAndThenNothing) {
  EventQueue queue;
  EXPECT_EQ(queue.poll(), nullptr);
  for (ConnectionId id = 1; id <= 1000; ++id) queue.push(id, Writable{});
  EXPECT_EQ(queue.size(), 1000U);
  for (ConnectionId id = 1; id <= 1000; ++id) {
    const EndpointEvent* event = queue.poll();
    ASSERT_NE(event, nullptr);
    EXPECT_EQ(event->connection, id);
  }
  EXPECT_EQ(queue.size(), 0U);
  EXPECT_EQ(queue.poll(), nullptr);
  queue.push(7, Writable{});
  EXPECT_EQ(queue.poll()->connection, 7U);
  EXPECT_EQ(queue.poll(), nullptr);
}

TEST(EventQueue, LeavesAPolledEventInPlaceWhileOthersArePushed) {
  EventQueue queue;
  queue.push(1, StreamMessage{.stream_id = 5, .payload = {1, 2, 3}});
  EndpointEvent* const event = queue.poll();
  const auto& message = std::get<StreamMessage>(event->event);
  for (int i = 0; i < 10'000; ++i) queue.push(2, StreamMessage{.stream_id = 6, .payload = {9}});
  EXPECT_EQ(event->connection, 1U);
  EXPECT_EQ(message.stream_id, 5U);
  EXPECT_EQ(message.payload, (std::vector<std::uint8_t>{1, 2, 3}));
}

TEST(EventQueue, GivesTheStorageOfABurstBack) {
  EventQueue queue;
  for (int i = 0; i < 20'000; ++i) queue.push(1, Writable{});
  EXPECT_GE(queue.capacity(), 20'000U);
  while (queue.poll() != nullptr) {
  }
  EXPECT_LE(queue.capacity(), 1024U);
}

// Slots whose views are out are reused once everything has been polled, not before.
TEST(EventQueue, EndsTheLivesOfViewsWhenItIsDrained) {
  EventQueue queue;
  ReassemblyBudget budget(1 << 20);
  ReassemblyMemory memory({}, {.budget = &budget, .delivered = &queue.delivered()});
  const std::vector<std::uint8_t> payload(100, 1);
  const auto slot = memory.store(payload);
  ASSERT_TRUE(slot);
  queue.push(1, StreamChunk{.bytes = memory.view(*slot)});
  queue.push(1, Writable{});
  memory.retire(*slot);
  const std::uint64_t in_use = memory.reorder_bytes();
  static_cast<void>(queue.poll());
  static_cast<void>(queue.poll());
  EXPECT_EQ(memory.reorder_bytes(), in_use);
  EXPECT_EQ(queue.poll(), nullptr);
  EXPECT_EQ(memory.reorder_bytes(), 0U);
}

}  // namespace
}  // namespace godwit
