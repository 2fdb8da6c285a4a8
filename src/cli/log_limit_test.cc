#include "cli/log_limit.h"

#include <gtest/gtest.h>

namespace godwit::cli {
namespace {

SocketAddress peer(std::uint8_t last, std::uint16_t port = 1) {
  return SocketAddress::ipv4({192, 0, 2, last}, port);
}

TEST(LogLimit, AStrangerGetsItsBurstAndThenItsRateAndTheRestIsCounted) {
  LogLimit limit(
      {.prefix = Rate::per_second(1, 5), .network = Rate::per_second(2, 10), .all = Rate::per_second(100, 100)});
  const Instant start{};
  std::size_t allowed = 0;
  for (std::uint16_t i = 0; i < 1000; ++i)
    allowed += limit.allow(start, peer(7, i), 80) ? 1U : 0U;  // ports do not matter
  EXPECT_EQ(allowed, 5U);
  EXPECT_TRUE(limit.allow(start, peer(8), 80));
  EXPECT_TRUE(limit.allow(start + 1s, peer(7), 80));
  EXPECT_FALSE(limit.allow(start + 1s, peer(7), 80));
  EXPECT_FALSE(limit.poll_left_out(start + 9s));
  ASSERT_EQ(limit.next_timeout(), start + 10s);
  const auto left_out = limit.poll_left_out(start + 10s);
  ASSERT_TRUE(left_out);
  EXPECT_EQ(left_out->lines, 996U);
  EXPECT_EQ(left_out->prefix, "192.0.2.7");
  EXPECT_FALSE(limit.poll_left_out(start + 60s));
  EXPECT_FALSE(limit.next_timeout());
}

// Whoever has one IPv6 /48 has 65,536 addresses of a /64 each.
TEST(LogLimit, ThePrefixesOfANetworkAreLimitedTogether) {
  LogLimit limit(
      {.prefix = Rate::per_second(1, 5), .network = Rate::per_second(2, 10), .all = Rate::per_second(100, 100)});
  std::size_t allowed = 0;
  for (unsigned prefix = 0; prefix < 100; ++prefix) {
    const auto from = SocketAddress::ipv6(
        {0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, static_cast<std::uint8_t>(prefix), 0, 0, 0, 0, 0, 0, 0, 1}, 1);
    for (int i = 0; i < 10; ++i) allowed += limit.allow(Instant{}, from, 80) ? 1U : 0U;
  }
  EXPECT_EQ(allowed, 10U);
  EXPECT_TRUE(limit.allow(Instant{}, peer(1), 80));
}

TEST(LogLimit, ALongLineCountsAsSeveral) {
  LogLimit limit(
      {.prefix = Rate::per_second(1, 20), .network = Rate::per_second(2, 40), .all = Rate::per_second(100, 100)});
  std::size_t bytes = 0;
  for (int i = 0; i < 1000; ++i)
    bytes += limit.allow(Instant{}, peer(7), 4 * LogLimit::kLineBytes) ? 4 * LogLimit::kLineBytes : 0;
  EXPECT_LE(bytes, 20 * LogLimit::kLineBytes);
  // In the long run too.
  bytes = 0;
  for (int i = 0; i < 10'000; ++i) {
    const Instant now{1h + i * 100ms};
    bytes += limit.allow(now, peer(7), 3000) ? 3000U : 0U;
  }
  EXPECT_LE(bytes, (1000 + 20 + 6) * LogLimit::kLineBytes);
  EXPECT_GE(bytes, 900 * LogLimit::kLineBytes / 2);
}

TEST(LogLimit, ManyNetworksTogetherAreLimitedToo) {
  LogLimit limit(
      {.prefix = Rate::per_second(1, 5), .network = Rate::per_second(2, 10), .all = Rate::per_second(10, 50)});
  std::size_t allowed = 0;
  for (int i = 0; i < 10'000; ++i) {
    const auto high = static_cast<std::uint8_t>(i >> 8);
    const auto from = SocketAddress::ipv4({10, high, static_cast<std::uint8_t>(i), 1}, 1);
    allowed += limit.allow(Instant{}, from, 80) ? 1U : 0U;
  }
  EXPECT_EQ(allowed, 50U);
  EXPECT_EQ(limit.poll_left_out(Instant{}, true)->lines, 9950U);
  EXPECT_EQ(describe({.lines = 1, .prefix = "10.0.0.1"}),
            "1 more line about peers was left out, the last about 10.0.0.1");
}

}  // namespace
}  // namespace godwit::cli
