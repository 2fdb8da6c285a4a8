#include "recovery/ack_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace godwit::ack_queue_test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr Instant kStart{1s};

std::vector<std::uint32_t> take(AckQueue& queue, Instant now, std::size_t room, bool repeat = false) {
  std::vector<std::uint32_t> out(room);
  out.resize(queue.take(now, out, repeat));
  return out;
}

TEST(AckQueue, HandsOutAcksInTheirOrderOnce) {
  AckQueue queue;
  for (std::uint32_t id = 1; id <= 5; ++id) EXPECT_TRUE(queue.push(kStart, id, true));
  EXPECT_EQ(queue.size(), 5u);
  EXPECT_THAT(take(queue, kStart, 3), ElementsAre(1, 2, 3));
  EXPECT_EQ(queue.size(), 2u);
  queue.push(kStart, 6, true);
  EXPECT_THAT(take(queue, kStart, 10), ElementsAre(4, 5, 6));
  EXPECT_TRUE(queue.empty());
  EXPECT_THAT(take(queue, kStart, 10), IsEmpty());
}

TEST(AckQueue, QueuesNoIdTwice) {
  AckQueue queue;
  queue.push(kStart, 7, true);
  queue.push(kStart, 7, false);
  queue.push(kStart, 3, false);
  queue.push(kStart, 3, true);  // id 0 of a handshake ack, then of a packet, is how this comes about
  EXPECT_THAT(take(queue, kStart, 10), ElementsAre(7, 3));
}

TEST(AckQueue, RemembersSinceWhenTheOldestWaits) {
  AckQueue queue;
  queue.push(kStart, 1, true);
  queue.push(kStart + 5ms, 2, true);
  EXPECT_EQ(queue.oldest(), kStart);
  take(queue, kStart + 6ms, 10);
  queue.push(kStart + 7ms, 3, true);
  EXPECT_EQ(queue.oldest(), kStart + 7ms);
}

TEST(AckQueue, CountsWhatDoesNotFit) {
  constexpr AckQueueConfig kConfig = {.pending_limit = 4};
  AckQueue queue(kConfig);
  for (std::uint32_t id = 1; id <= 4; ++id) EXPECT_TRUE(queue.push(kStart, id, true));
  EXPECT_FALSE(queue.push(kStart, 5, true));
  EXPECT_TRUE(queue.push(kStart, 4, false));  // waits already
  EXPECT_EQ(queue.overflowed(), 1u);
  EXPECT_EQ(queue.size(), 4u);
  take(queue, kStart, 1);
  EXPECT_TRUE(queue.push(kStart, 5, true));
}

TEST(AckQueue, ReportsADuplicateByItsIdTwiceInARow) {
  AckQueue queue;
  for (std::uint32_t id = 1; id <= 3; ++id) queue.push(kStart, id, true);
  take(queue, kStart, 10);
  EXPECT_EQ(queue.push_duplicate(kStart + 50ms, 2, 10ms), AckQueue::Duplicate::kNeedless);
  queue.push(kStart + 50ms, 4, true);
  EXPECT_THAT(take(queue, kStart + 50ms, 10), ElementsAre(2, 2, 4));
  EXPECT_THAT(take(queue, kStart + 51ms, 10, true), ElementsAre(4, 2, 2, 3, 1)) << "and its repetition";
}

// What the sender cannot have sent again for want of an acknowledgement: it did not have the time to miss one.
TEST(AckQueue, TakesAnEarlyDuplicateForACopyByTheNetwork) {
  AckQueue queue;
  queue.push(kStart, 1, true);
  EXPECT_EQ(queue.push_duplicate(kStart, 1, 10ms), AckQueue::Duplicate::kWaiting);
  EXPECT_THAT(take(queue, kStart, 10), ElementsAre(1));
  EXPECT_EQ(queue.push_duplicate(kStart + 5ms, 1, 10ms), AckQueue::Duplicate::kCopy);
  EXPECT_THAT(take(queue, kStart + 5ms, 10), ElementsAre(1));
}

TEST(AckQueue, KeepsItsLimitWithDuplicates) {
  constexpr AckQueueConfig kConfig = {.pending_limit = 4};
  AckQueue queue(kConfig);
  for (std::uint32_t id = 1; id <= 3; ++id) queue.push(kStart, id, true);
  EXPECT_EQ(queue.push_duplicate(kStart, 9, 0ns), AckQueue::Duplicate::kNeedless);
  EXPECT_EQ(queue.size(), 4u);
  EXPECT_EQ(queue.push_duplicate(kStart, 8, 0ns), AckQueue::Duplicate::kFull);
  EXPECT_EQ(queue.size(), 4u);
}

TEST(AckQueue, RepeatsInAsManyLaterPacketsAsAskedFor) {
  AckQueue queue;
  std::uint32_t id = 1;
  for (const std::uint32_t repetitions : {0u, 1u, 5u}) {
    queue.push(kStart, id, true);
    std::vector<std::uint32_t> out(10);
    EXPECT_EQ(queue.take(kStart, out, true, repetitions), 1u);
    for (std::uint32_t i = 0; i < repetitions; ++i) EXPECT_THAT(take(queue, kStart, 10, true), ElementsAre(id));
    EXPECT_THAT(take(queue, kStart, 10, true), IsEmpty());
    ++id;
  }
}

TEST(AckQueue, RepeatsRecentAcksAsLongAsAllowed) {
  constexpr AckQueueConfig kConfig = {.repetitions = 2};
  AckQueue queue(kConfig);
  for (std::uint32_t id = 1; id <= 3; ++id) queue.push(kStart, id, true);
  EXPECT_THAT(take(queue, kStart, 10, true), ElementsAre(1, 2, 3));
  queue.push(kStart, 4, true);
  EXPECT_THAT(take(queue, kStart, 3, true), ElementsAre(4, 3, 2));      // new ones first, room for two
  EXPECT_THAT(take(queue, kStart, 10, true), ElementsAre(4, 3, 2, 1));  // 3 and 2 for the second time
  EXPECT_THAT(take(queue, kStart, 10, true), ElementsAre(4, 1));
  EXPECT_THAT(take(queue, kStart, 10, true), IsEmpty());
  EXPECT_EQ(queue.repeated(), 8u);
}

TEST(AckQueue, RepeatsNothingOld) {
  AckQueue queue;
  queue.push(kStart, 1, true);
  take(queue, kStart, 10, true);
  queue.push(kStart + 600ms, 2, true);
  take(queue, kStart + 600ms, 1, true);
  EXPECT_THAT(take(queue, kStart + 1100ms, 10, true), ElementsAre(2));
}

TEST(AckQueue, RepeatsNothingThatIsQueuedAgain) {
  AckQueue queue;
  queue.push(kStart, 1, true);
  queue.push(kStart, 2, true);
  take(queue, kStart, 10, true);
  queue.push(kStart, 1, false);  // a duplicate came
  EXPECT_THAT(take(queue, kStart, 10, true), ElementsAre(1, 2));
}

TEST(AckQueue, RemembersAsManyAsItsLimit) {
  constexpr AckQueueConfig kConfig = {.recent_limit = 4};
  AckQueue queue(kConfig);
  for (std::uint32_t id = 1; id <= 3; ++id) queue.push(kStart, id, true);
  take(queue, kStart, 10, true);
  for (std::uint32_t id = 4; id <= 6; ++id) queue.push(kStart, id, true);
  EXPECT_THAT(take(queue, kStart, 3, true), ElementsAre(4, 5, 6));
  EXPECT_THAT(take(queue, kStart, 10, true), ElementsAre(6, 5, 4, 3));
}

TEST(AckQueue, TrimsOnlyWhenNothingWaits) {
  AckQueue queue;
  queue.push(kStart, 1, true);
  queue.trim();
  EXPECT_EQ(queue.size(), 1u);
  take(queue, kStart, 10, true);
  queue.trim();
  EXPECT_THAT(take(queue, kStart, 10, true), IsEmpty());
}

}  // namespace
}  // namespace godwit::ack_queue_test
