#include "transport/path_mtu.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace godwit::path_mtu_test {
namespace {

constexpr Instant kStart{1h};

// A path that carries so many bytes, whose answers take 20 ms.
class Search {
 public:
  explicit Search(std::uint16_t limit, std::uint32_t path) : mtu(limit), carries(path) {}

  void run(Duration time) {
    const Instant end = now + time;
    while (now < end) {
      mtu.handle_timeout(now);
      if (const auto probe = mtu.poll(now, 60ms, random_)) {
        sizes.push_back(probe->bytes);
        if (probe->bytes <= carries) {
          now += 20ms;
          mtu.on_answer(now, probe->data);
          continue;
        }
      }
      now += 10ms;
    }
  }

  PathMtu mtu;
  std::uint32_t carries;
  Instant now = kStart;
  std::vector<std::uint16_t> sizes;  // of the probes

 private:
  DeterministicRandom random_{1};
};

TEST(PathMtu, FindsWhatThePathCarries) {
  for (const auto& [path, found] : std::vector<std::pair<std::uint32_t, std::uint16_t>>{
           {1200, 1200}, {1371, 1200}, {1400, 1372}, {1452, 1452}, {4399, 1452}, {5000, 4400}, {9000, 8900}}) {
    Search search(8900, path);
    search.run(20s);
    EXPECT_EQ(search.mtu.size(), found) << path;
    EXPECT_LE(search.sizes.size(), 2 * PathMtu::kMostAttempts + 1u) << path;
  }
}

TEST(PathMtu, AsksThreeTimesWhereNothingIsLost) {
  Search search(8900, 9000);
  search.run(1s);
  EXPECT_EQ(search.sizes, (std::vector<std::uint16_t>{1452, 4400, 8900}));
  EXPECT_EQ(search.mtu.next_timeout(), std::nullopt) << "nothing is left to do";
}

TEST(PathMtu, StaysWithinTheLimitOfBothSides) {
  for (const std::uint16_t limit :
       std::vector<std::uint16_t>{0, 1200, 1201, 1300, 1372, 1452, 3000, 8900, 9000, 65535}) {
    Search search(limit, 100'000);
    search.run(20s);
    EXPECT_EQ(search.mtu.size(), std::max<std::uint16_t>(limit, 1200));
    for (const std::uint16_t size : search.sizes) EXPECT_LE(size, limit);
    EXPECT_EQ(search.sizes.empty(), limit <= 1200);
  }
}

TEST(PathMtu, SendsAProbeAtMostThreeTimesAndOneASecond) {
  Search search(1452, 1200);
  search.run(2900ms);
  EXPECT_EQ(search.sizes, (std::vector<std::uint16_t>{1372, 1372, 1372}));
  search.run(100s);
  EXPECT_EQ(search.sizes.size(), 3u) << "a size that does not fit makes all larger ones not fit";
  EXPECT_EQ(search.mtu.counters().size_probes_sent, 3u);
  EXPECT_EQ(search.mtu.counters().size_probes_lost, 3u);
}

TEST(PathMtu, TriesLargerSizesAgainAfterTenMinutes) {
  Search search(8900, 1500);
  search.run(60s);
  ASSERT_EQ(search.mtu.size(), 1452);
  const std::size_t before = search.sizes.size();
  search.carries = 9000;
  search.run(500s);
  EXPECT_EQ(search.sizes.size(), before);
  search.run(60s);
  EXPECT_EQ(search.mtu.size(), 8900);
}

TEST(PathMtu, OneLostProbeDoesNotDecide) {
  DeterministicRandom random{1};
  PathMtu mtu(1372);
  for (int lost = 0; lost < 2; ++lost) {
    ASSERT_TRUE(mtu.poll(kStart + lost * 1s, {}, random));
    mtu.handle_timeout(kStart + (lost + 1) * 1s);
  }
  const auto third = mtu.poll(kStart + 2s, {}, random);
  ASSERT_TRUE(third);
  EXPECT_TRUE(mtu.on_answer(kStart + 2s, third->data));
  EXPECT_EQ(mtu.size(), 1372);
}

TEST(PathMtu, BelievesTheAnswerToTheProbeUnderWayAlone) {
  DeterministicRandom random{1};
  PathMtu mtu(8900);
  EXPECT_FALSE(mtu.on_answer(kStart, 0)) << "no probe was sent";
  const auto first = mtu.poll(kStart, {}, random);
  ASSERT_TRUE(first);
  EXPECT_FALSE(mtu.poll(kStart, {}, random)) << "one at a time";
  EXPECT_FALSE(mtu.on_answer(kStart, first->data + 1));
  mtu.handle_timeout(kStart + 1s);
  const auto second = mtu.poll(kStart + 1s, {}, random);
  ASSERT_TRUE(second);
  EXPECT_NE(second->data, first->data);
  EXPECT_FALSE(mtu.on_answer(kStart + 1s, first->data));
  EXPECT_TRUE(mtu.on_answer(kStart + 1s, second->data));
  EXPECT_FALSE(mtu.on_answer(kStart + 1s, second->data)) << "once";
  EXPECT_EQ(mtu.size(), 1452);
}

TEST(PathMtu, FallsBackAtOnceAndForAMinuteWhenLargePacketsVanish) {
  Search search(8900, 9000);
  search.run(1s);
  ASSERT_EQ(search.mtu.size(), 8900);
  search.carries = 1500;
  EXPECT_FALSE(search.mtu.on_packets(0, PathMtu::kSuspiciousLosses - 1));
  EXPECT_EQ(search.mtu.size(), 8900);
  EXPECT_TRUE(search.mtu.on_packets(1200, 1)) << "small packets come through";
  EXPECT_EQ(search.mtu.size(), 1200);
  search.sizes.clear();
  search.run(50s);
  EXPECT_EQ(search.sizes, (std::vector<std::uint16_t>(3, 8900))) << "the path is asked before it is given up";
  EXPECT_EQ(search.mtu.size(), 1200);
  EXPECT_EQ(search.mtu.counters().size_reductions, 1u);
  search.run(40s);
  EXPECT_EQ(search.mtu.size(), 1452);
}

TEST(PathMtu, KeepsTheSizeWhenTheProbeComesThrough) {
  Search search(8900, 9000);
  search.run(1s);
  EXPECT_TRUE(search.mtu.on_packets(0, 100));
  EXPECT_EQ(search.mtu.size(), 1200);
  search.run(1s);
  EXPECT_EQ(search.mtu.size(), 8900) << "it was congestion";
  EXPECT_EQ(search.mtu.counters().size_reductions, 0u);
}

TEST(PathMtu, LossesBetweenLargePacketsThatArriveSayNothing) {
  Search search(8900, 9000);
  search.run(1s);
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(search.mtu.on_packets(0, PathMtu::kSuspiciousLosses - 1));
    EXPECT_FALSE(search.mtu.on_packets(8900, 50)) << "what was acknowledged last was large";
  }
  EXPECT_EQ(search.mtu.size(), 8900);
}

TEST(PathMtu, BeginsAnewAtAnotherAddress) {
  Search search(8900, 9000);
  search.run(1s);
  search.carries = 1300;
  search.mtu.reset();
  EXPECT_EQ(search.mtu.size(), 1200);
  search.sizes.clear();
  search.run(10s);
  EXPECT_EQ(search.mtu.size(), 1200);
  EXPECT_EQ(search.sizes.front(), 1452);
}

}  // namespace
}  // namespace godwit::path_mtu_test
