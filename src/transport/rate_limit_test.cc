// Rate limits as a user sees them: application bytes a second, of a connection and of a whole endpoint, in virtual
// time.

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "transport/endpoint.h"

namespace godwit {
namespace {

constexpr Duration kDelay = 5ms;

// One endpoint and peers that it sends to, over a wire of constant delay.
class Star {
 public:
  Star(const Config& config, std::size_t peers) : random_(7) {
    Config of_peer;
    of_peer.streams.delivery = DeliveryMode::kChunks;  // counted as they come
    for (std::size_t i = 0; i <= peers; ++i) {
      auto keys = *KeyPair::generate(random_);
      keys_.push_back(keys.public_key());
      endpoints_.push_back(std::make_unique<Endpoint>(i == 0 ? config : of_peer, std::move(keys), random_));
    }
    for (std::size_t i = 1; i <= peers; ++i) connections_.push_back(*hub().connect(now_, address(i), keys_[i]));
    run(1s);
  }

  Endpoint& hub() { return *endpoints_[0]; }
  [[nodiscard]] Instant now() const { return now_; }
  // Of the hub to peer 1, 2, …
  [[nodiscard]] ConnectionId connection(std::size_t peer) const { return connections_[peer - 1]; }
  void send(std::size_t peer, std::size_t bytes) {
    ASSERT_TRUE(hub().send(now_, connection(peer), Body::owned(std::vector<std::uint8_t>(bytes))));
  }
  // Application bytes that a peer has received.
  [[nodiscard]] std::uint64_t received(std::size_t peer) const {
    std::uint64_t sum = 0;
    for (const ConnectionId connection : endpoints_[peer]->connections()) {
      sum += endpoints_[peer]->statistics(connection)->payload_bytes_received;
    }
    return sum;
  }
  std::vector<Instant> messages;  // when short ones arrived

  void run(Duration time) {
    const Instant end = now_ + time;
    for (;;) {
      for (std::size_t i = 0; i < endpoints_.size(); ++i) flush(i);
      Instant next = flight_.empty() ? Instant::max() : flight_.front().at;
      for (const auto& endpoint : endpoints_) next = std::min(next, endpoint->next_timeout().value_or(Instant::max()));
      if (next > end) break;
      now_ = std::max(now_, next);
      while (!flight_.empty() && flight_.front().at <= now_) {
        Flight arrived = std::move(flight_.front());
        flight_.pop_front();
        endpoints_[arrived.to]->receive(now_, {.local = address(arrived.to),
                                               .remote = address(arrived.from),
                                               .bytes = arrived.bytes,
                                               .segment_size = arrived.segment_size});
        drain(arrived.to);
      }
      for (std::size_t i = 0; i < endpoints_.size(); ++i) {
        endpoints_[i]->handle_timeout(now_);
        drain(i);
      }
    }
    now_ = end;
  }

 private:
  struct Flight {
    Instant at;
    std::size_t from;
    std::size_t to;
    std::vector<std::uint8_t> bytes;
    std::size_t segment_size;
  };
  static SocketAddress address(std::size_t index) {
    return SocketAddress::ipv4({192, 0, 2, static_cast<std::uint8_t>(index + 1)}, 31337);
  }
  void flush(std::size_t from) {
    for (;;) {
      buffer_.reset();
      const auto run = endpoints_[from]->poll_transmit(now_, buffer_);
      if (!run) break;
      const std::size_t to = run->remote.octets()[3] - 1U;
      flight_.push_back({now_ + kDelay, from, to, {run->bytes.begin(), run->bytes.end()}, run->segment_size});
    }
    drain(from);
  }
  void drain(std::size_t index) {
    while (EndpointEvent* event = endpoints_[index]->poll_event()) {
      if (std::holds_alternative<MessageReceived>(event->event)) messages.push_back(now_);
    }
  }

  DeterministicRandom random_;
  Instant now_{1h};
  std::vector<PublicKey> keys_;
  std::vector<std::unique_ptr<Endpoint>> endpoints_;
  std::vector<ConnectionId> connections_;
  std::deque<Flight> flight_;
  TransmitBuffer buffer_{256 * 1024};
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
  star.hub().close(star.now(), star.connection(1));
  star.hub().close(star.now(), star.connection(2));
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
  // A run of two datagrams goes every 18 ms; 64 bytes with all that is around them are worth 1 ms of the rate.
  for (int i = 0; i < 50; ++i) {
    const Instant sent = star.now();
    star.messages.clear();
    star.send(1, 64);
    star.run(17ms);
    ASSERT_EQ(star.messages.size(), 1U);
    EXPECT_LE(star.messages.front() - sent, kDelay + 2ms);
  }
}

}  // namespace
}  // namespace godwit
