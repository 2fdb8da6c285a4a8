#include "cli/log_limit.h"

#include <gtest/gtest.h>

namespace godwit::cli {
namespace {

SocketAddress peer(std::uint8_t last, std::uint16_t port = 1) {
  return SocketAddress::ipv4({192, 0, 2, last}, port);
}

TEST(LogLimit, AStrangerGetsItsBurstAndThenItsRateAndTheRestIsCounted) {
  LogLimit limit({.network = Rate::per_second(1, 5), .all = Rate::per_second(100, 100)});
  const Instant start{};
  std::size_t allowed = 0;
  for (std::uint16_t i = 0; i < 1000; ++i) allowed += limit.allow(start, peer(7, i)) ? 1U : 0U;  // ports do not matter
  EXPECT_EQ(allowed, 5U);
  EXPECT_TRUE(limit.allow(start, peer(8)));
  EXPECT_TRUE(limit.allow(start + 1s, peer(7)));
  EXPECT_FALSE(limit.allow(start + 1s, peer(7)));
  EXPECT_FALSE(limit.poll_left_out(start + 9s));
  ASSERT_EQ(limit.next_timeout(), start + 10s);
  const auto left_out = limit.poll_left_out(start + 10s);
  ASSERT_TRUE(left_out);
  EXPECT_EQ(left_out->lines, 996U);
  EXPECT_EQ(left_out->network, "192.0.2.7");
  EXPECT_FALSE(limit.poll_left_out(start + 60s));
  EXPECT_FALSE(limit.next_timeout());
}

TEST(LogLimit, ManyNetworksTogetherAreLimitedToo) {
  LogLimit limit({.network = Rate::per_second(1, 5), .all = Rate::per_second(10, 50)});
  std::size_t allowed = 0;
  for (int i = 0; i < 10'000; ++i) {
    const auto high = static_cast<std::uint8_t>(i >> 8);
    allowed += limit.allow(Instant{}, SocketAddress::ipv4({10, high, static_cast<std::uint8_t>(i), 1}, 1)) ? 1U : 0U;
  }
  EXPECT_EQ(allowed, 50U);
  EXPECT_EQ(limit.poll_left_out(Instant{}, true)->lines, 9950U);
  EXPECT_EQ(describe({.lines = 1, .network = "10.0.0.1"}),
            "1 more line about peers was left out, the last about 10.0.0.1");
}

}  // namespace
}  // namespace godwit::cli
