// Two endpoints whose path carries more than 1200 bytes a datagram, or stops doing so: docs/extended_sessions.md,
// section 10.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "transport/connection.h"
#include "transport/memory_network_test_support.h"

namespace godwit::larger_datagrams_test {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes pattern(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 2654435761U >> 11);
  return bytes;
}

struct Setting {
  std::uint16_t client = wire::kMaxLargeDatagram;
  std::uint16_t server = wire::kMaxLargeDatagram;
  std::uint64_t server_capabilities = wire::kOwnCapabilities;
  ExtendedPolicy policy = ExtendedPolicy::kRequire;
  DeliveryMode delivery = DeliveryMode::kWhole;
};

class Pair : public test::MemoryNetwork {
 public:
  explicit Pair(const Setting& setting = {}, std::uint64_t seed = 5) : MemoryNetwork(seed) {
    split = true;
    Config config;
    config.handshake.extended = setting.policy;
    config.streams.delivery = setting.delivery;
    config.handshake.largest_datagram = setting.client;
    client_ = &add(SocketAddress::ipv4({192, 0, 2, 1}, 1), config);
    config.handshake.largest_datagram = setting.server;
    config.handshake.capabilities = setting.server_capabilities;
    server_ = &add(SocketAddress::ipv4({192, 0, 2, 2}, 2), config);
    server_->on_event = [this](Instant, ConnectionId, Event& event) {
      if (auto* whole = std::get_if<StreamMessage>(&event)) arrived.push_back(std::move(whole->payload));
      if (const auto* message = std::get_if<MessageReceived>(&event)) {
        messages.emplace_back(message->payload.begin(), message->payload.end());
      }
    };
    on_path = [this](test::Flight& flight) {
      largest_sent = std::max(largest_sent, flight.bytes.size());
      if (flight.bytes.size() > carries) return false;
      largest_carried = std::max(largest_carried, flight.bytes.size());
      ++carried[flight.bytes.size()];
      return true;
    };
    connection_ = connect(*client_, *server_);
    run(1s);
  }
  Endpoint& client() { return *client_->endpoint; }
  Endpoint& server() { return *server_->endpoint; }
  [[nodiscard]] ConnectionId connection() const { return connection_; }
  [[nodiscard]] ConnectionStatistics statistics() { return *client().statistics(connection_); }
  void send(const Bytes& bytes) { ASSERT_TRUE(client().send(now, connection_, Body::owned(Bytes(bytes)))); }
  Node& client_node() { return *client_; }
  Node& server_node() { return *server_; }

  std::size_t carries = 100'000;  // bytes of a datagram
  std::size_t largest_sent = 0;
  std::size_t largest_carried = 0;
  std::map<std::size_t, std::size_t> carried;  // datagrams by size
  std::vector<Bytes> arrived;
  std::vector<Bytes> messages;

 private:
  Node* client_ = nullptr;
  Node* server_ = nullptr;
  ConnectionId connection_ = 0;
};

TEST(LargerDatagrams, OneStreamGrowsIntoThem) {
  Pair pair;
  const Bytes bytes = pattern(3'000'000);
  pair.send(bytes);
  ASSERT_TRUE(pair.run(20s, [&] { return pair.arrived.size() == 1; }));
  EXPECT_EQ(pair.arrived.front(), bytes);
  EXPECT_EQ(pair.statistics().datagram_bytes, 8900u);
  EXPECT_EQ(pair.largest_carried, 8900u);
  EXPECT_GT(pair.carried[8900], 200u) << "most of the stream";
  EXPECT_EQ(pair.statistics().packets_lost, 0u);
}

TEST(LargerDatagrams, EveryPathGetsTheSizeThatItCarries) {
  for (const auto& [carries, found] : std::vector<std::pair<std::size_t, std::uint64_t>>{
           {1200, 1200}, {1372, 1372}, {1452, 1452}, {1499, 1452}, {5000, 4400}, {8900, 8900}}) {
    Pair pair;
    pair.carries = carries;
    const Bytes bytes = pattern(2'000'000);
    for (int i = 0; i < 8; ++i) {
      pair.send(bytes);
      ASSERT_TRUE(pair.run(60s, [&] { return pair.arrived.size() == static_cast<std::size_t>(i) + 1; })) << carries;
      EXPECT_EQ(pair.arrived.back(), bytes);
      pair.run(1s);
    }
    EXPECT_EQ(pair.statistics().datagram_bytes, found) << carries;
    EXPECT_EQ(pair.statistics().packets_lost, 0u) << "lost probes are no lost data";
    EXPECT_EQ(pair.client().connection_count(), 1u);
  }
}

TEST(LargerDatagrams, NeedBothSides) {
  const std::uint64_t without = wire::kOwnCapabilities & ~wire::capability::kLargeDatagrams;
  for (const Setting& setting : {Setting{.client = 1200}, Setting{.server = 1200},
                                 Setting{.server_capabilities = without}, Setting{.policy = ExtendedPolicy::kOff}}) {
    Pair pair(setting);
    pair.send(pattern(1'000'000));
    ASSERT_TRUE(pair.run(20s, [&] { return pair.arrived.size() == 1; }));
    EXPECT_EQ(pair.largest_sent, 1200u);
    EXPECT_EQ(pair.statistics().datagram_bytes, 1200u);
    EXPECT_EQ(pair.statistics().size_probes_sent, 0u);
  }
}

TEST(LargerDatagrams, AreNoLargerThanEitherSideTakes) {
  for (const Setting& setting : {Setting{.client = 1452}, Setting{.server = 1452}}) {
    Pair pair(setting);
    pair.send(pattern(2'000'000));
    ASSERT_TRUE(pair.run(20s, [&] { return pair.arrived.size() == 1; }));
    EXPECT_EQ(pair.largest_sent, 1452u);
    EXPECT_GT(pair.carried[1452], 1000u);
  }
}

TEST(LargerDatagrams, AnIdleConnectionAsksNothing) {
  Pair pair;
  ASSERT_TRUE(pair.client().send(pair.now, pair.connection(), Body::owned(Bytes(1000))));
  pair.run(600s);
  EXPECT_EQ(pair.statistics().size_probes_sent, 0u);
  EXPECT_LE(pair.largest_sent, 1200u);
}

// The heart of the matter: what was sent in large packets is sent again in small ones.
TEST(LargerDatagrams, ABlackHoleInTheMiddleOfAStreamLosesNothing) {
  for (const DeliveryMode delivery : {DeliveryMode::kWhole, DeliveryMode::kChunks}) {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
      Pair pair({.delivery = delivery}, seed);
      pair.delay = 20ms;
      std::uint64_t received = 0;
      bool right = true;
      const Bytes bytes = pattern(12'000'000);
      pair.server_node().on_event = [&](Instant, ConnectionId, Event& event) {
        if (const auto* chunk = std::get_if<StreamChunk>(&event)) {
          right = right && chunk->offset == received &&
                  std::equal(chunk->bytes.begin(), chunk->bytes.end(),
                             bytes.begin() + static_cast<std::ptrdiff_t>(chunk->offset));
          received += chunk->bytes.size();
        } else if (const auto* whole = std::get_if<StreamMessage>(&event)) {
          right = whole->payload == bytes;
          received = whole->payload.size();
        }
      };
      pair.send(bytes);
      pair.run(200ms + Duration(seed * 5ms));
      ASSERT_EQ(pair.statistics().datagram_bytes, 8900u);
      ASSERT_LT(received, bytes.size());
      pair.carries = 1300;
      pair.loss = seed % 3 == 0 ? 0.02 : 0;
      ASSERT_TRUE(pair.run(120s, [&] { return received == bytes.size(); })) << seed;
      EXPECT_TRUE(right);
      EXPECT_EQ(pair.statistics().datagram_bytes, 1200u);
      EXPECT_TRUE(pair.run(30s, [&] { return pair.client_node().count<MessageConfirmed>() == 1; }));
      EXPECT_EQ(pair.client().connection_count(), 1u);
      EXPECT_EQ(pair.statistics().payload_bytes_sent, bytes.size());
    }
  }
}

TEST(LargerDatagrams, ABlackHoleUnderStreamsOfUnknownLengthLosesNothing) {
  Pair pair;
  pair.delay = 20ms;
  const Bytes bytes = pattern(20'000'000);
  const auto stream = pair.client().open_stream(pair.now, pair.connection(), {});
  ASSERT_TRUE(stream);
  std::size_t written = 0;
  pair.client_node().on_turn = [&](Instant) {
    while (written < bytes.size()) {
      const std::size_t size = std::min<std::size_t>(bytes.size() - written, 1 + written % 50'000);
      if (!pair.client().append(pair.connection(), *stream, ByteView(bytes).subspan(written, size))) return;
      written += size;
    }
    static_cast<void>(pair.client().finish(pair.connection(), *stream));
  };
  // What was written before the size was known keeps its cut.
  ASSERT_TRUE(pair.run(10s, [&] { return pair.carried[8900] > 50; }));
  ASSERT_TRUE(pair.arrived.empty());
  pair.carries = 1250;
  ASSERT_TRUE(pair.run(120s, [&] { return pair.arrived.size() == 1; }));
  EXPECT_EQ(pair.arrived.front(), bytes);
}

TEST(LargerDatagrams, LossAndReorderingHarmNothing) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    Pair pair({}, seed);
    pair.loss = 0.03;
    const auto carry = pair.on_path;
    pair.on_path = [&pair, carry](test::Flight& flight) {
      flight.due += Duration(pair.random.below(8'000'000));
      return carry(flight);
    };
    std::vector<Bytes> sent;
    for (std::size_t i = 0; i < 6; ++i) {
      sent.push_back(pattern(1 + 60'000 * i * i));
      pair.send(sent.back());
    }
    ASSERT_TRUE(pair.run(120s, [&] { return pair.arrived.size() + pair.messages.size() == sent.size(); })) << seed;
    for (const Bytes& bytes : pair.messages) pair.arrived.push_back(bytes);
    for (const Bytes& bytes : sent) EXPECT_EQ(std::ranges::count(pair.arrived, bytes), 1);
    EXPECT_EQ(pair.client().connection_count(), 1u);
  }
}

TEST(LargerDatagrams, AnUnreliableMessageMayFillOne) {
  Pair pair;
  SendOptions options;
  options.unreliable = true;
  EXPECT_EQ(pair.statistics().max_unreliable_bytes, 1106u);
  EXPECT_FALSE(pair.client().send(pair.now, pair.connection(), Body::owned(Bytes(1107)), options));
  pair.send(pattern(2'000'000));
  pair.run(5s);
  const std::size_t most = pair.statistics().max_unreliable_bytes;
  EXPECT_EQ(most, 8900u - 94);
  const Bytes bytes = pattern(most);
  ASSERT_TRUE(pair.client().send(pair.now, pair.connection(), Body::owned(Bytes(bytes)), options));
  EXPECT_FALSE(pair.client().send(pair.now, pair.connection(), Body::owned(Bytes(most + 1)), options));
  pair.run(1s);
  ASSERT_EQ(pair.messages.size(), 1u);
  EXPECT_EQ(pair.messages.front(), bytes);
}

TEST(LargerDatagrams, AMoveToAnotherAddressBeginsWithSmallOnes) {
  Pair pair;
  pair.send(pattern(2'000'000));
  ASSERT_TRUE(pair.run(20s, [&] { return pair.arrived.size() == 1; }));
  const ConnectionId at_server = pair.server_node().events.connected();
  ASSERT_TRUE(pair.server().send(pair.now, at_server, Body::owned(pattern(2'000'000))));
  pair.run(20s);
  ASSERT_EQ(pair.server().statistics(at_server)->datagram_bytes, 8900u);
  pair.carries = 1300;
  pair.move(pair.client_node(), SocketAddress::ipv4({192, 0, 2, 77}, 1));
  static_cast<void>(pair.client().ping(pair.now, pair.connection()));
  EXPECT_TRUE(pair.run(10s, [&] { return pair.server_node().count<PeerMoved>() == 1; }));
  EXPECT_EQ(pair.server().statistics(at_server)->datagram_bytes, 1200u);
}

TEST(LargerDatagrams, WhatNoSessionTakesIsDropped) {
  Pair pair;
  pair.inject(pair.client_node().address, pair.server_node().address, Bytes(8901, 2));
  EXPECT_EQ(pair.server().statistics().drops.of(trace::DropReason::kTooLong), 1u);
  pair.inject(SocketAddress::ipv4({192, 0, 2, 9}, 9), pair.server_node().address, Bytes(8900, 2));
  EXPECT_EQ(pair.server().statistics().drops.of(trace::DropReason::kTooLong), 2u) << "of nobody's session";
  Pair small({.server = 1200});
  const auto before = small.server().statistics();
  small.inject(small.client_node().address, small.server_node().address, Bytes(1501, 2));
  EXPECT_EQ(small.server().statistics().drops.of(trace::DropReason::kTooLong),
            before.drops.of(trace::DropReason::kTooLong) + 1);
}

}  // namespace
}  // namespace godwit::larger_datagrams_test
