#include "transport/endpoint.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "transport/connection.h"
#include "transport/memory_network_test_support.h"

namespace godwit::endpoint_test {
namespace {

// Two endpoints and a wire between them, which loses datagrams by a seeded draw.
class Pair : public test::MemoryNetwork {
 public:
  explicit Pair(const Config& config = {}, double lost = 0, std::uint64_t seed = 1)
      : MemoryNetwork(seed), sides_{&add(address(0), config), &add(address(1), config)} {
    loss = lost;
    for (Node* side : sides_) {
      side->on_event = [this](Instant, ConnectionId, Event& event) {
        const auto* message = std::get_if<MessageReceived>(&event);
        if (message != nullptr) short_messages.emplace_back(message->payload.begin(), message->payload.end());
      };
    }
  }

  Endpoint& operator[](std::size_t side) { return *sides_[side]->endpoint; }
  const PublicKey& key(std::size_t side) const { return sides_[side]->key(); }
  static SocketAddress address(std::size_t side) {
    return SocketAddress::ipv4({192, 0, 2, static_cast<std::uint8_t>(side + 1)}, 31337);
  }
  ConnectionId initiate() { return connect(*sides_[0], *sides_[1]); }
  template <typename T>
  std::size_t count(std::size_t side) const {
    return sides_[side]->count<T>();
  }
  template <typename T>
  const T* last(std::size_t side) const {
    return sides_[side]->last<T>();
  }
  std::uint64_t datagrams() const { return sides_[0]->datagrams_sent + sides_[1]->datagrams_sent; }
  std::vector<std::string> short_messages;  // received by either side

 private:
  std::array<Node*, 2> sides_;
};

std::vector<std::uint8_t> pattern(std::size_t size) {
  std::vector<std::uint8_t> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 2654435761U >> 11);
  return bytes;
}

// The operations of an answer are nearly all that a handshake costs.
TEST(Endpoint, AFullTableRefusesBeforeItComputesAnAnswer) {
  for (const ExtendedPolicy policy : {ExtendedPolicy::kAuto, ExtendedPolicy::kRequire}) {
    test::MemoryNetwork network(1);
    Config config;
    config.handshake.extended = policy;
    config.handshake.kept_agreements = 0;
    config.max_connections_per_host = 1;
    auto& server = network.add(SocketAddress::ipv4({192, 0, 2, 9}, 9), config);
    auto& first = network.add(SocketAddress::ipv4({192, 0, 2, 1}, 1), config);
    auto& second = network.add(SocketAddress::ipv4({192, 0, 2, 1}, 2), config);
    static_cast<void>(network.connect(first, server));
    ASSERT_TRUE(network.run(5s, [&] { return server.count<Connected>() == 1; }));
    const std::uint64_t answered = server.endpoint->statistics().keys_taken;
    EXPECT_EQ(answered, 1U);
    static_cast<void>(network.connect(second, server));
    ASSERT_TRUE(network.run(20s, [&] { return second.count<Closed>() == 1; }));
    EXPECT_NE(second.last<Closed>()->text.find("too many connections"), std::string::npos)
        << second.last<Closed>()->text;
    EXPECT_EQ(server.endpoint->statistics().keys_taken, answered);
    EXPECT_GT(server.endpoint->statistics().drops.of(trace::DropReason::kConnectionTableFull), 0U);
  }
}

// Sent once each: what is lost fails, nothing is sent again, and nothing is delivered twice.
TEST(Endpoint, AnUnreliableMessageIsConfirmedOrFailsAndIsNeverSentAgain) {
  for (const ExtendedPolicy policy : {ExtendedPolicy::kOff, ExtendedPolicy::kAuto}) {
    Config config;
    config.handshake.extended = policy;
    Pair pair(config, 0.2, 3);
    const ConnectionId connection = pair.initiate();
    ASSERT_TRUE(pair.run(20s, [&] { return pair.count<Connected>(0) == 1 && pair.count<Connected>(1) == 1; }));
    constexpr std::size_t kMessages = 600;
    for (std::size_t i = 0; i < kMessages; ++i) {
      ASSERT_TRUE(
          pair[0].send(pair.now, connection, Body::owned(std::vector<std::uint8_t>(100)), {.unreliable = true}));
      if (i % 6 == 5) pair.run(10ms);
    }
    const auto settled = [&] { return pair.count<MessageConfirmed>(0) + pair.count<MessageFailed>(0); };
    EXPECT_TRUE(pair.run(30s, [&] { return settled() == kMessages; })) << settled();
    const std::size_t received = pair.count<MessageReceived>(1);
    EXPECT_LT(received, kMessages);
    EXPECT_GT(received, kMessages / 2);
    EXPECT_LE(pair.count<MessageConfirmed>(0), received);
    EXPECT_GT(pair.count<MessageFailed>(0), 0u);
    EXPECT_EQ(pair[0].statistics(connection)->packets_retransmitted, 0u);
  }
}

TEST(Endpoint, ShakesHandsAndTellsBothSides) {
  Pair pair;
  pair.initiate();
  EXPECT_TRUE(pair.run(2s, [&] { return pair.count<Connected>(0) == 1 && pair.count<Connected>(1) == 1; }));
  EXPECT_TRUE(pair.last<Connected>(0)->peer_authenticated);
  EXPECT_TRUE(pair.last<Connected>(0)->initiator);
  EXPECT_FALSE(pair.last<Connected>(1)->initiator);
}

TEST(Endpoint, DeliversAMessageQueuedBeforeTheHandshake) {
  Pair pair;
  const ConnectionId id = pair.initiate();
  ASSERT_TRUE(pair[0].send(pair.now, id, Body::owned({'h', 'i'})));
  EXPECT_TRUE(pair.run(2s, [&] { return pair.count<MessageConfirmed>(0) == 1; }));
  ASSERT_EQ(pair.short_messages.size(), 1U);
  EXPECT_EQ(pair.short_messages[0], "hi");
}

TEST(Endpoint, DeliversAStreamWhole) {
  Pair pair;
  const ConnectionId id = pair.initiate();
  const auto bytes = pattern(3'000'000);
  ASSERT_TRUE(pair[0].send(pair.now, id, Body::borrowed(bytes)));
  ASSERT_TRUE(pair.run(30s, [&] { return pair.count<MessageConfirmed>(0) == 1; }));
  ASSERT_EQ(pair.count<StreamMessage>(1), 1U);
  EXPECT_EQ(pair.last<StreamMessage>(1)->payload, bytes);
  EXPECT_EQ(pair[0].statistics(id)->packets_retransmitted, 0U);
  EXPECT_EQ(pair[0].statistics(id)->bytes_in_flight, 0U);
}

TEST(Endpoint, DeliversEverythingOnceThroughLoss) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Pair pair({}, 0.1, seed);
    const ConnectionId id = pair.initiate();
    const auto bytes = pattern(400'000);
    ASSERT_TRUE(pair[0].send(pair.now, id, Body::borrowed(bytes)));
    for (std::uint8_t i = 0; i < 50; ++i) ASSERT_TRUE(pair[0].send(pair.now, id, Body::owned({i})));
    ASSERT_TRUE(pair.run(120s, [&] { return pair.count<MessageConfirmed>(0) == 51; })) << "seed " << seed;
    EXPECT_EQ(pair.last<StreamMessage>(1)->payload, bytes);
    EXPECT_EQ(pair.short_messages.size(), 50U);
  }
}

TEST(Endpoint, TellsThePeerThatItCloses) {
  Pair pair;
  const ConnectionId id = pair.initiate();
  ASSERT_TRUE(pair.run(2s, [&] { return pair.count<Connected>(1) == 1; }));
  pair[0].close(pair.now, id, "enough");
  ASSERT_TRUE(pair.run(1s, [&] { return pair.count<Closed>(0) == 1 && pair.count<Closed>(1) == 1; }));
  EXPECT_EQ(pair.last<Closed>(0)->reason, CloseReason::kLocal);
  EXPECT_EQ(pair.last<Closed>(1)->reason, CloseReason::kRemote);
  EXPECT_EQ(pair.last<Closed>(1)->text, "enough");
  pair.run(1s);
  EXPECT_EQ(pair[0].connection_count(), 0U);
}

// The number of the application's travels behind the words, and only where the peer's Godwit reads it.
TEST(Endpoint, TellsThePeerOfAnExtendedSessionTheCodeOfItsEnd) {
  for (const ExtendedPolicy policy : {ExtendedPolicy::kOff, ExtendedPolicy::kAuto}) {
    Config config;
    config.handshake.extended = policy;
    Pair pair(config);
    const ConnectionId connection = pair.initiate();
    pair.run(1s);
    pair[0].close(pair.now, connection, "until later", 0xfedc'ba98'7654'3210U);
    pair.run(1s);
    ASSERT_NE(pair.last<Closed>(1), nullptr);
    EXPECT_EQ(pair.last<Closed>(0)->code, 0xfedc'ba98'7654'3210U);
    EXPECT_EQ(pair.last<Closed>(1)->reason, CloseReason::kRemote);
    EXPECT_EQ(pair.last<Closed>(1)->text, "until later");
    EXPECT_EQ(pair.last<Closed>(1)->code, policy == ExtendedPolicy::kOff ? 0 : 0xfedc'ba98'7654'3210U);
    EXPECT_EQ(pair[0].closing_count(), 0u) << "the answer is known by its words alone";
  }
}

TEST(Endpoint, TellsThePeerThatItClosesInWhateverWords) {
  std::string cyrillic = "x";
  while (cyrillic.size() < 300) cyrillic += "\u0436";
  for (const std::string& words : {cyrillic, std::string("caf\xe9"), std::string("\xd0")}) {
    Pair pair;
    const ConnectionId id = pair.initiate();
    ASSERT_TRUE(pair.run(2s, [&] { return pair.count<Connected>(1) == 1; }));
    pair[0].close(pair.now, id, words);
    ASSERT_TRUE(pair.run(1s, [&] { return pair.count<Closed>(1) == 1; })) << words;
    EXPECT_EQ(pair.last<Closed>(1)->reason, CloseReason::kRemote);
  }
}

TEST(Endpoint, CarriesPingAndPongAloneOnAnIdleLink) {
  Pair pair;
  pair.initiate();
  ASSERT_TRUE(pair.run(2s, [&] { return pair.count<Connected>(1) == 1; }));
  pair.run(10s);
  const std::uint64_t before = pair.datagrams();
  pair.run(60s);
  // Two sides ping every 5 s and are answered: 12 x 2 x 2, one more at the edge of the window.
  EXPECT_LE(pair.datagrams() - before, 52U);
  EXPECT_GE(pair.datagrams() - before, 44U);
}

TEST(Endpoint, OpensSimultaneously) {
  Pair pair;
  ASSERT_TRUE(pair[0].connect(pair.now, Pair::address(1), pair.key(1)));
  ASSERT_TRUE(pair[1].connect(pair.now, Pair::address(0), pair.key(0)));
  EXPECT_TRUE(pair.run(3s, [&] { return pair.count<Connected>(0) == 1 && pair.count<Connected>(1) == 1; }));
  pair.run(2s);
  EXPECT_EQ(pair.count<Closed>(0) + pair.count<Closed>(1), 0U);
}

TEST(Endpoint, FollowsARestartOfThePeer) {
  Pair pair;
  pair.initiate();
  ASSERT_TRUE(pair.run(2s, [&] { return pair.count<Connected>(1) == 1; }));
  pair.run(3s);
  const ConnectionId again = pair.initiate();
  ASSERT_TRUE(pair.run(5s, [&] { return pair.count<Connected>(0) == 2 && pair.count<Connected>(1) == 2; }));
  ASSERT_TRUE(pair[0].send(pair.now, again, Body::owned({'x'})));
  EXPECT_TRUE(pair.run(2s, [&] { return pair.short_messages.size() == 1; }));
}

TEST(Endpoint, StartsNoStreamBeyondTheSoftLimitOfAKeyAndGoesOnAfterANewAttempt) {
  Config config;
  config.soft_packet_limit = 1000;
  config.hard_packet_limit = 2000;
  Pair pair(config);
  const auto bytes = pattern(1'200'000);
  const ConnectionId first = pair.initiate();
  ASSERT_TRUE(pair[0].send(pair.now, first, Body::borrowed(bytes)));
  ASSERT_TRUE(pair.run(30s, [&] { return pair.count<MessageConfirmed>(0) == 1; }));
  EXPECT_EQ(pair.count<KeyAging>(0), 1U);
  const auto refused = pair[0].send(pair.now, first, Body::borrowed(bytes));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kClosed);
  // Short messages still go, and a fresh connection carries on.
  ASSERT_TRUE(pair[0].send(pair.now, first, Body::owned({'x'})));
  ASSERT_TRUE(pair.run(2s, [&] { return pair.count<MessageConfirmed>(0) == 2; }));
  const ConnectionId second = pair.initiate();
  ASSERT_TRUE(pair[0].send(pair.now, second, Body::borrowed(bytes)));
  ASSERT_TRUE(pair.run(30s, [&] { return pair.count<MessageConfirmed>(0) == 3; }));
  EXPECT_EQ(pair.count<StreamMessage>(1), 2U);
}

TEST(Endpoint, ClosesBeforeTheHardLimitOfAKeyAndTellsThePeer) {
  Config config;
  config.soft_packet_limit = 500;
  config.hard_packet_limit = 1000;
  Pair pair(config);
  const auto bytes = pattern(2'000'000);
  const ConnectionId id = pair.initiate();
  ASSERT_TRUE(pair[0].send(pair.now, id, Body::borrowed(bytes)));
  ASSERT_TRUE(pair.run(30s, [&] { return pair.count<Closed>(0) == 1 && pair.count<Closed>(1) == 1; }));
  EXPECT_EQ(pair.last<Closed>(0)->reason, CloseReason::kKeyExhausted);
  EXPECT_EQ(pair.last<Closed>(1)->reason, CloseReason::kRemote);
  EXPECT_EQ(pair.count<MessageFailed>(0), 1U);
  EXPECT_TRUE(pair.last<MessageFailed>(0)->may_have_arrived);
}

TEST(Endpoint, AnAcceptorWithAUsedUpKeyClosesOnlyWhenItsPeerDoesNotConnect) {
  Config config;
  config.soft_packet_limit = 500;
  config.hard_packet_limit = 5000;
  Pair pair(config);
  const auto bytes = pattern(1'200'000);
  pair.initiate();
  ASSERT_TRUE(pair.run(5s, [&] { return pair.count<Connected>(1) == 1; }));
  const ConnectionId accepted = pair[1].connections().front();
  ASSERT_TRUE(pair[1].send(pair.now, accepted, Body::borrowed(bytes)));
  ASSERT_TRUE(pair.run(30s, [&] { return pair.count<MessageConfirmed>(1) == 1; }));
  // Its application has time for a last word about the stream.
  pair.run(1s);
  ASSERT_EQ(pair.count<Closed>(1), 0U);
  ASSERT_TRUE(pair[1].send(pair.now, accepted, Body::owned({'x'})));
  ASSERT_TRUE(pair.run(1s, [&] { return pair.short_messages.size() == 1; }));
  ASSERT_TRUE(pair.run(60s, [&] { return pair.count<Closed>(0) == 1 && pair.count<Closed>(1) == 1; }));
  EXPECT_EQ(pair.last<Closed>(1)->reason, CloseReason::kKeyExhausted);
}

TEST(Endpoint, AChangedRateLimitIsFollowedWithoutAFurtherInput) {
  Config config;
  config.connection_rate_limit = Bandwidth::from_bits_per_second(8'000);
  Pair pair(config);
  const ConnectionId id = pair.initiate();
  ASSERT_TRUE(pair.run(2s, [&] { return pair.count<Connected>(1) == 1; }));
  const auto bytes = pattern(200'000);
  ASSERT_TRUE(pair[0].send(pair.now, id, Body::borrowed(bytes)));
  pair.run(3s);
  TransmitBuffer buffer;
  ASSERT_FALSE(pair[0].poll_transmit(pair.now, buffer));
  pair[0].set_rate_limit(pair.now, id, std::nullopt);
  // It sends at once, or as soon as the new rate gives credit.
  const bool sends = pair[0].poll_transmit(pair.now, buffer).has_value();
  EXPECT_TRUE(sends || *pair[0].next_timeout() <= pair.now + 20ms);
}

}  // namespace
}  // namespace godwit::endpoint_test
