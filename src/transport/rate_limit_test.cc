// Rate limits as a user sees them: application bytes a second, of a connection and of a whole endpoint, in virtual
// time.

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "transport/memory_network_test_support.h"

namespace godwit {
namespace {

constexpr Duration kDelay = 5ms;

// One endpoint and peers that it sends to, over a wire of constant delay.
class Star : public test::MemoryNetwork {
 public:
  Star(const Config& config, std::size_t peers) : MemoryNetwork(7) {
    delay = kDelay;
    Config of_peer;
    of_peer.streams.delivery = DeliveryMode::kChunks;  // counted as they come
    for (std::size_t i = 0; i <= peers; ++i) {
      Node& node =
          add(SocketAddress::ipv4({192, 0, 2, static_cast<std::uint8_t>(i + 1)}, 31337), i == 0 ? config : of_peer);
      node.on_event = [this](Instant at, ConnectionId, Event& event) {
        if (std::holds_alternative<MessageReceived>(event)) messages.push_back(at);
      };
      members_.push_back(&node);
    }
    for (std::size_t i = 1; i <= peers; ++i) connections_.push_back(connect(*members_[0], *members_[i]));
    run(1s);
  }

  Endpoint& hub() { return *members_[0]->endpoint; }
  // Of the hub to peer 1, 2, …
  [[nodiscard]] ConnectionId connection(std::size_t peer) const { return connections_[peer - 1]; }
  void send(std::size_t peer, std::size_t bytes) {
    ASSERT_TRUE(hub().send(now, connection(peer), Body::owned(std::vector<std::uint8_t>(bytes))));
  }
  // Application bytes that a peer has received.
  [[nodiscard]] std::uint64_t received(std::size_t peer) const {
    const Endpoint& endpoint = *members_[peer]->endpoint;
    std::uint64_t sum = 0;
    for (const ConnectionId connection : endpoint.connections()) {
      sum += endpoint.statistics(connection)->payload_bytes_received;
    }
    return sum;
  }
  std::vector<Instant> messages;  // when short ones arrived

 private:
  std::vector<Node*> members_;
  std::vector<ConnectionId> connections_;
};

double rate_of(std::uint64_t bytes, Duration time) {
  return static_cast<double>(bytes) * 8 / std::chrono::duration<double>(time).count();
}

TEST(RateLimit, OfAConnectionHoldsWithinTwoPercent) {
  for (const std::uint64_t bits : {1'000'000U, 10'000'000U, 100'000'000U}) {
    Config config;
    config.connection_rate_limit = Bandwidth::from_bits_per_second(bits);
    Star star(config, 1);
    star.send(1, std::size_t{bits} / 8 * 6);
    star.run(1s);
    const std::uint64_t before = star.received(1);
    star.run(4s);
    const auto limit = static_cast<double>(bits);
    EXPECT_NEAR(rate_of(star.received(1) - before, 4s), limit, 0.02 * limit);
  }
}

// A controller that probes for bandwidth finds what others have left at its next probe, not at once.
struct SharedLimit {
  CongestionKind congestion;
  Duration settling;
};
class SharedRateLimit : public testing::TestWithParam<SharedLimit> {};

TEST_P(SharedRateLimit, OfAnEndpointIsUsedFairlyAndWholly) {
  Config config;
  config.congestion = GetParam().congestion;
  config.endpoint_rate_limit = Bandwidth::from_bits_per_second(8'000'000);
  Star star(config, 4);
  for (std::size_t peer = 1; peer <= 4; ++peer) star.send(peer, 6'000'000);
  const auto measure = [&](Duration time) {
    std::vector<double> rates;
    std::map<std::size_t, std::uint64_t> before;
    for (std::size_t peer = 1; peer <= 4; ++peer) before[peer] = star.received(peer);
    star.run(time);
    for (std::size_t peer = 1; peer <= 4; ++peer) rates.push_back(rate_of(star.received(peer) - before[peer], time));
    return rates;
  };
  star.run(1s);
  const std::vector<double> together = measure(3s);
  for (const double rate : together) EXPECT_NEAR(rate, 2e6, 0.02 * 2e6);

  // What two leave, the others take.
  star.hub().close(star.now, star.connection(1));
  star.hub().close(star.now, star.connection(2));
  star.run(GetParam().settling);
  const std::vector<double> two = measure(1s);
  EXPECT_NEAR(two[2], 4e6, 0.02 * 4e6);
  EXPECT_NEAR(two[3], 4e6, 0.02 * 4e6);
}

INSTANTIATE_TEST_SUITE_P(Controllers, SharedRateLimit,
                         testing::Values(SharedLimit{CongestionKind::kCubic, 1s},
                                         SharedLimit{CongestionKind::kBbr, 5s}),
                         [](const auto& tested) { return std::string(to_string(tested.param.congestion)); });

TEST(RateLimit, AShortMessageDoesNotWaitBehindAFile) {
  Config config;
  config.connection_rate_limit = Bandwidth::from_bits_per_second(1'000'000);
  Star star(config, 1);
  star.send(1, 1'000'000);
  star.run(1s);
  // A batch of two datagrams goes every 18 ms; 64 bytes with all that is around them are worth 1 ms of the rate.
  for (int i = 0; i < 50; ++i) {
    const Instant sent = star.now;
    star.messages.clear();
    star.send(1, 64);
    star.run(17ms);
    ASSERT_EQ(star.messages.size(), 1U);
    EXPECT_LE(star.messages.front() - sent, kDelay + 2ms);
  }
}

}  // namespace
}  // namespace godwit
