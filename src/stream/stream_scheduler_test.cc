#include "stream/stream_scheduler.h"

#include <gtest/gtest.h>

#include <map>

#include "base/random.h"

namespace godwit {
namespace {

constexpr std::size_t kFull = wire::kFragmentPayload;

TEST(StreamScheduler, GivesEachStreamAWholeBatchInTurn) {
  StreamScheduler turns;
  for (std::uint32_t stream = 0; stream < 3; ++stream) turns.add(stream);
  for (const std::uint32_t expected : {0U, 1U, 2U, 0U}) {
    for (std::uint32_t fragment = 0; fragment < StreamScheduler::kBatchFragments; ++fragment) {
      ASSERT_EQ(turns.current(), expected);
      turns.spend(kFull);
    }
  }
}

TEST(StreamScheduler, LetsOneStreamAloneGoOn) {
  StreamScheduler turns;
  turns.add(5);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(turns.current(), 5U);
    turns.spend(kFull);
  }
}

TEST(StreamScheduler, PutsANewStreamBehindAllOthers) {
  StreamScheduler turns;
  turns.add(0);
  turns.add(1);
  turns.add(2);
  turns.remove(0);
  turns.add(0);
  EXPECT_EQ(turns.current(), 1U);
  turns.remove(1);
  EXPECT_EQ(turns.current(), 2U);
  turns.remove(2);
  EXPECT_EQ(turns.current(), 0U);
  turns.remove(0);
  EXPECT_TRUE(turns.empty());
  EXPECT_EQ(turns.current(), StreamScheduler::kNone);
}

TEST(StreamScheduler, LetsNoStreamGoWhileAMoreUrgentOneCan) {
  StreamScheduler turns;
  turns.add(0, 5);
  turns.add(1, 5);
  turns.spend(kFull);
  turns.add(2, 7);
  EXPECT_EQ(turns.current(), 0U) << "less urgent, it changes nothing";
  turns.add(3, 0);
  turns.add(4, 0);
  // The urgent ones share among themselves.
  for (const std::uint32_t expected : {3U, 4U, 3U}) {
    for (std::uint32_t fragment = 0; fragment < StreamScheduler::kBatchFragments; ++fragment) {
      ASSERT_EQ(turns.current(), expected);
      turns.spend(kFull);
    }
  }
  turns.remove(3);
  EXPECT_EQ(turns.current(), 4U);
  turns.remove(4);
  // The interrupted turn goes on where it stopped.
  for (std::uint32_t fragment = 1; fragment < StreamScheduler::kBatchFragments; ++fragment) {
    ASSERT_EQ(turns.current(), 0U);
    turns.spend(kFull);
  }
  EXPECT_EQ(turns.current(), 1U);
  turns.remove(0);
  turns.remove(1);
  EXPECT_EQ(turns.current(), 2U);
}

TEST(StreamScheduler, SharesBytesEquallyWhateverTheFragmentSizes) {
  DeterministicRandom random{7};
  StreamScheduler turns;
  constexpr std::uint32_t kStreams = 8;
  for (std::uint32_t stream = 0; stream < kStreams; ++stream) turns.add(stream);
  std::map<std::uint32_t, std::size_t> bytes;
  for (int i = 0; i < 400'000; ++i) {
    const std::uint32_t stream = turns.current();
    // Stream 0 sends crumbs, the others more and more.
    const std::size_t size = 1 + random.below(stream == 0 ? 50 : stream * 140);
    bytes[stream] += size;
    turns.spend(size);
  }
  const auto turn = static_cast<std::size_t>(StreamScheduler::turn_bytes(kStreams));
  for (const auto& [stream, count] : bytes) {
    EXPECT_LE(count, bytes[0] + turn + kFull) << stream;
    EXPECT_GE(count + turn + kFull, bytes[0]) << stream;
  }
}

TEST(StreamScheduler, ShortensTurnsWhenManyStreamsWait) {
  EXPECT_EQ(StreamScheduler::turn_bytes(1), 54 * 1130);
  EXPECT_EQ(StreamScheduler::turn_bytes(16), 54 * 1130);
  EXPECT_EQ(StreamScheduler::turn_bytes(64), 13 * 1130);
  EXPECT_EQ(StreamScheduler::turn_bytes(1024), 4 * 1130);
  // A round of the most streams at the deployed rate stays far below the idle limit of the receiver.
  const double round = 1024.0 * static_cast<double>(StreamScheduler::turn_bytes(1024)) / wire::kDeployedRate;
  EXPECT_LT(round, to_seconds(wire::kDeployedStreamIdle) / 2);
}

TEST(StreamScheduler, KeepsItsRingUnderRandomUse) {
  DeterministicRandom random{8};
  StreamScheduler turns;
  std::map<std::uint32_t, std::uint8_t> active;  // with their urgency
  for (int step = 0; step < 50'000; ++step) {
    const auto stream = static_cast<std::uint32_t>(random.below(20));
    switch (random.below(3)) {
      case 0:
        if (const auto urgency = static_cast<std::uint8_t>(random.below(3)); active.emplace(stream, urgency).second) {
          turns.add(stream, urgency);
        }
        break;
      case 1:
        turns.remove(stream);
        active.erase(stream);
        break;
      default:
        if (!turns.empty()) turns.spend(random.below(100'000));
    }
    ASSERT_EQ(turns.empty(), active.empty());
    if (turns.empty()) continue;
    ASSERT_TRUE(active.contains(turns.current()));
    for (const auto& [other, urgency] : active) ASSERT_LE(active[turns.current()], urgency);
  }
}

}  // namespace
}  // namespace godwit
