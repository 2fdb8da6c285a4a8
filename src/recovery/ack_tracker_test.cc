#include "recovery/ack_tracker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <set>
#include <vector>

#include "base/random.h"

namespace godwit::ack_tracker_test {
namespace {

using testing::ElementsAre;

constexpr Instant kStart{1s};

class AckTrackerTest : public testing::Test {
 protected:
  void receive(Instant now, std::uint32_t id) {
    static_cast<void>(tracker_.on_packet(now, id));
    tracker_.queue_ack(now, id);
  }
  void receive_batch(Instant now, std::uint32_t first, std::uint32_t count) {
    for (std::uint32_t id = first; id < first + count; ++id) receive(now, id);
    tracker_.on_batch_end(now);
  }
  std::vector<std::uint32_t> take(Instant now, std::size_t room = 288, bool repeat = false) {
    std::vector<std::uint32_t> out(room);
    out.resize(tracker_.take(now, out, repeat));
    return out;
  }
  // Past the prompt acknowledgements of a young connection.
  void grow_up() {
    receive_batch(kStart, 1, 64);
    take(kStart);
    receive_batch(kStart, 65, 1);
    take(kStart);
    next_ = 66;
  }

  AckTracker tracker_;
  std::uint32_t next_ = 1;
};

// The second of two in a row says that the packet came again.
TEST_F(AckTrackerTest, ReportsADuplicateOnceAndAcksItAgainTwiceInARow) {
  EXPECT_EQ(tracker_.on_packet(kStart, 1), DuplicateCheck::kNew);
  tracker_.queue_ack(kStart, 1);
  EXPECT_THAT(take(kStart), ElementsAre(1));
  EXPECT_TRUE(tracker_.is_duplicate(1));
  EXPECT_EQ(tracker_.on_packet(kStart, 1), DuplicateCheck::kDuplicate);
  tracker_.queue_ack(kStart, 1);
  tracker_.on_batch_end(kStart);
  EXPECT_TRUE(tracker_.due(kStart));
  EXPECT_THAT(take(kStart), ElementsAre(1, 1));
}

TEST_F(AckTrackerTest, AsksWithoutRecording) {
  EXPECT_FALSE(tracker_.is_duplicate(9));
  EXPECT_FALSE(tracker_.is_duplicate(9));
  EXPECT_EQ(tracker_.on_packet(kStart, 9), DuplicateCheck::kNew);
}

// wire spec 5.6 and W31.
TEST_F(AckTrackerTest, ANoOpDoesNotMakeTheMessageWithItsIdADuplicate) {
  for (std::uint32_t id = 1; id <= 1000; ++id) {
    EXPECT_EQ(tracker_.on_noop(kStart, id), DuplicateCheck::kNew);
    EXPECT_EQ(tracker_.on_noop(kStart, id), DuplicateCheck::kDuplicate) << "a replay";
    if (id % 3 == 0) continue;
    EXPECT_FALSE(tracker_.is_duplicate(id));
    EXPECT_EQ(tracker_.on_packet(kStart, id), DuplicateCheck::kNew);
    EXPECT_TRUE(tracker_.is_duplicate(id));
    EXPECT_EQ(tracker_.on_packet(kStart, id), DuplicateCheck::kDuplicate);
    EXPECT_EQ(tracker_.on_noop(kStart, id), DuplicateCheck::kDuplicate);
    EXPECT_TRUE(tracker_.is_duplicate(id)) << "a replayed NoOp opens no second door";
  }
  EXPECT_LE(tracker_.gap_count(), 1U) << "the one below the first id";
}

TEST_F(AckTrackerTest, ReportsTheReplayOfANoOpThatItsPeerTracks) {
  EXPECT_EQ(tracker_.on_tracked_noop(7), DuplicateCheck::kNew);
  EXPECT_EQ(tracker_.on_tracked_noop(7), DuplicateCheck::kDuplicate);
  EXPECT_EQ(tracker_.on_packet(kStart, 7), DuplicateCheck::kNew) << "the message with its id";
}

TEST_F(AckTrackerTest, AcksEveryBatchOfAYoungConnectionOnceADelay) {
  receive_batch(kStart, 1, 10);
  EXPECT_TRUE(tracker_.due(kStart));
  take(kStart);
  receive_batch(kStart, 11, 10);
  EXPECT_FALSE(tracker_.due(kStart));
  EXPECT_EQ(tracker_.deadline(), kStart + 1ms);
  receive_batch(kStart + 1ms, 21, 100);
  EXPECT_TRUE(tracker_.due(kStart + 1ms));
  take(kStart + 1ms);
  receive_batch(kStart + 5ms, 121, 10);
  EXPECT_FALSE(tracker_.due(kStart + 5ms));
}

TEST_F(AckTrackerTest, IsDueAtTheThreshold) {
  grow_up();
  receive_batch(kStart, next_, 143);
  EXPECT_FALSE(tracker_.due(kStart));
  receive_batch(kStart, next_ + 143, 1);
  EXPECT_TRUE(tracker_.due(kStart));
  EXPECT_LE(*tracker_.deadline(), kStart);
  EXPECT_EQ(take(kStart).size(), 144u);
  EXPECT_FALSE(tracker_.due(kStart));
  EXPECT_FALSE(tracker_.deadline());
}

TEST_F(AckTrackerTest, WaitsAnEighthOfTheRoundTrip) {
  grow_up();
  tracker_.set_rtt(40ms);
  receive_batch(kStart, next_, 2);
  EXPECT_EQ(tracker_.deadline(), kStart + 5ms);
  EXPECT_FALSE(tracker_.due(kStart + 4ms));
  EXPECT_TRUE(tracker_.due(kStart + 5ms));
  tracker_.set_rtt(100us);
  EXPECT_EQ(tracker_.deadline(), kStart + 250us);
  tracker_.set_rtt(2s);
  EXPECT_EQ(tracker_.deadline(), kStart + 20ms);
}

TEST_F(AckTrackerTest, IsDueWhenAGapAppearsOrIsFilled) {
  grow_up();
  receive_batch(kStart, next_ + 1, 1);
  EXPECT_TRUE(tracker_.due(kStart));
  take(kStart);
  receive_batch(kStart, next_ + 2, 1);  // the gap is no news any more
  EXPECT_FALSE(tracker_.due(kStart));
  take(kStart);
  receive_batch(kStart, next_, 1);
  EXPECT_TRUE(tracker_.due(kStart));
}

TEST_F(AckTrackerTest, IsDueAfterATail) {
  grow_up();
  receive(kStart, next_);
  tracker_.hint_tail();
  EXPECT_FALSE(tracker_.due(kStart));
  tracker_.on_batch_end(kStart);
  EXPECT_TRUE(tracker_.due(kStart));
  take(kStart);
  receive_batch(kStart, next_ + 1, 1);
  EXPECT_FALSE(tracker_.due(kStart));
}

TEST_F(AckTrackerTest, RepeatsTheLastAcksByThemselvesOnceSomeWereLost) {
  grow_up();
  tracker_.set_rtt(40ms);
  const Instant later = kStart + 100ms;
  receive_batch(later, 60, 1);  // its acknowledgement was lost
  ASSERT_EQ(tracker_.repetitions(), 2u);
  take(later, 288, true);
  // Nothing else comes: two more packets, 2 * 5 ms apart, before a probe after one and a half round trips.
  for (int i = 1; i <= 2; ++i) {
    const Instant due = later + i * 10ms;
    EXPECT_EQ(tracker_.deadline(), due);
    EXPECT_FALSE(tracker_.due(due - 1ns));
    EXPECT_TRUE(tracker_.due(due));
    EXPECT_THAT(take(due, 288, true), ElementsAre(60, 60));
  }
  EXPECT_FALSE(tracker_.deadline());
}

TEST_F(AckTrackerTest, SendsNothingForItsOwnSakeWhereNoAckWasLost) {
  grow_up();
  receive_batch(kStart, next_, 5);
  take(kStart + 1s, 288, true);
  EXPECT_FALSE(tracker_.deadline());
}

TEST_F(AckTrackerTest, SpacesWhatIsUrgentWhereAQueueHoldsAcksBack) {
  grow_up();
  tracker_.set_rtt(40ms);
  // Late duplicates show that acknowledgements get lost.
  for (std::uint32_t i = 1; i <= 8; ++i) receive_batch(kStart + 500ms + i * Duration{50ms}, i, 1);
  take(kStart + 950ms);
  for (int i = 0; i < 20; ++i) tracker_.on_round_trip(120ms, 40ms);
  const Instant later = kStart + 1s;
  receive_batch(later, next_ + 1, 1);  // a gap
  EXPECT_TRUE(tracker_.due(later)) << "the last packet of acknowledgements is long ago";
  take(later);
  receive_batch(later, next_ + 3, 1);  // another
  EXPECT_FALSE(tracker_.due(later));
  EXPECT_TRUE(tracker_.due(later + 20ms));
  receive_batch(later, next_ + 4, 1);
  tracker_.hint_tail();
  tracker_.on_batch_end(later);
  EXPECT_TRUE(tracker_.due(later)) << "the end of a stream does not wait";
}

TEST_F(AckTrackerTest, OwesNothingWhenNothingWaits) {
  EXPECT_FALSE(tracker_.due(kStart));
  EXPECT_FALSE(tracker_.deadline());
  tracker_.hint_tail();
  tracker_.on_batch_end(kStart);
  EXPECT_FALSE(tracker_.due(kStart + 1h));
}

TEST_F(AckTrackerTest, StaysDueUntilAllAcksAreTaken) {
  receive_batch(kStart, 1, 10);
  EXPECT_EQ(take(kStart, 4).size(), 4u);
  EXPECT_TRUE(tracker_.due(kStart));
  EXPECT_EQ(take(kStart, 6).size(), 6u);
  EXPECT_FALSE(tracker_.due(kStart));
}

TEST_F(AckTrackerTest, IsDueWhenAcksOverflow) {
  constexpr AckPolicy kPolicy = {.threshold = 100, .prompt_packets = 0, .queue = {.pending_limit = 3}};
  AckTracker small(kPolicy);
  for (std::uint32_t id = 1; id <= 4; ++id) {
    static_cast<void>(small.on_packet(kStart, id));
    small.queue_ack(kStart, id);
  }
  EXPECT_TRUE(small.due(kStart));
  EXPECT_EQ(small.statistics().acks_overflowed, 1u);
}

TEST_F(AckTrackerTest, QueuesIdsThatWereNeverRecorded) {
  tracker_.queue_ack(kStart, 0);  // a handshake ack (wire spec 5.9)
  tracker_.queue_ack(kStart, 0);
  EXPECT_EQ(tracker_.on_packet(kStart, 0), DuplicateCheck::kNew);
  tracker_.queue_ack(kStart, 0);
  EXPECT_THAT(take(kStart), ElementsAre(0));
}

TEST_F(AckTrackerTest, CountsWhatItDid) {
  receive_batch(kStart, 1, 5);
  receive_batch(kStart, 5, 1);
  take(kStart, 288, true);
  take(kStart, 288, true);
  const AckStatistics statistics = tracker_.statistics();
  EXPECT_EQ(statistics.new_packets, 5u);
  EXPECT_EQ(statistics.duplicates, 1u);
  EXPECT_EQ(statistics.acks_taken, 10u);
  EXPECT_EQ(statistics.acks_repeated, 5u);
}

TEST_F(AckTrackerTest, GivesUpGapsAtTheEndOfABatch) {
  receive_batch(kStart, 1, 1);
  receive_batch(kStart, 3, 1);
  receive_batch(kStart + 11min, 4, 1);
  EXPECT_TRUE(tracker_.is_duplicate(2));
  EXPECT_EQ(tracker_.statistics().ids_passed_by_age, 1u);
}

// Random batches with duplicates, takes of any size; against a set of ids and a deque of acknowledgements.
TEST(AckTracker, AgreesWithANaiveModel) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    DeterministicRandom random(seed);
    AckTracker tracker;
    std::set<std::uint32_t> received;
    std::set<std::uint32_t> duplicated;
    std::deque<std::uint32_t> waiting;
    std::vector<std::uint32_t> late;
    std::uint32_t next = seed % 2 == 0 ? 0u : 0u - 2000u;
    Instant now = kStart;
    for (int step = 0; step < 3000; ++step) {
      now += Duration{static_cast<Duration::rep>(random.below(2'000'000))};
      const std::uint64_t batch = random.below(6);
      for (std::uint64_t i = 0; i < batch; ++i) {
        std::uint32_t id = next;
        if (random.below(10) == 0 && !late.empty()) {
          id = late[random.below(late.size())];
        } else {
          ++next;
          if (random.below(12) == 0) {
            late.push_back(id);
            continue;
          }
        }
        const bool known = !received.insert(id).second;
        ASSERT_EQ(tracker.on_packet(now, id) == DuplicateCheck::kDuplicate, known) << "seed " << seed;
        tracker.queue_ack(now, id);
        if (known) duplicated.insert(id);
        if (std::find(waiting.begin(), waiting.end(), id) == waiting.end())
          waiting.insert(waiting.end(), known ? 2 : 1, id);
      }
      tracker.on_batch_end(now);
      ASSERT_EQ(tracker.pending(), waiting.size()) << "seed " << seed;
      if (random.below(4) != 0) continue;
      std::vector<std::uint32_t> out(random.below(40));
      const std::size_t written = tracker.take(now, out, random.below(2) == 0);
      const std::size_t fresh = std::min(out.size(), waiting.size());
      ASSERT_GE(written, fresh);
      for (std::size_t i = 0; i < fresh; ++i) {
        ASSERT_EQ(out[i], waiting.front()) << "seed " << seed;
        waiting.pop_front();
      }
      // What follows are repetitions of ids received, none of which waits. Only duplicates stand twice.
      out.resize(written);
      for (const std::uint32_t id : out) {
        const auto times = std::ranges::count(out, id);
        ASSERT_LE(times, duplicated.contains(id) ? 2 : 1) << "seed " << seed;
        ASSERT_TRUE(received.contains(id));
      }
      if (random.below(50) == 0) tracker.trim();
    }
  }
}

}  // namespace
}  // namespace godwit::ack_tracker_test
