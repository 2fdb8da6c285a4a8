// What the whole core costs when nothing special happens: allocations per packet of a bulk stream on both sides (none),
// wake-ups of an idle connection (keep-alive alone), bytes of an idle connection (below 4 KiB). Two endpoints in
// memory and virtual time; every operator new of the process is counted.

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <vector>

#include "base/counted_allocations_test_support.h"
#include "transport/connection.h"
#include "transport/memory_network_test_support.h"

namespace godwit::testing {
namespace {

// Two endpoints over a path whose memory is laid out beforehand: the harness allocates nothing while it runs.
class Bulk : public test::MemoryNetwork {
 public:
  explicit Bulk(DeliveryMode mode, std::uint64_t lose_every) {
    Config config;
    config.streams.delivery = mode;
    // A window that neither grows nor shrinks: the high-water marks stand after the warm-up.
    config.congestion = CongestionKind::kFixedRate;
    config.controller.fixed_rate = 100_mbps;
    for (std::size_t side = 0; side < 2; ++side) {
      sides_[side] = &add(SocketAddress::ipv4({192, 0, 2, static_cast<std::uint8_t>(side + 1)}, 31337), config);
      sides_[side]->on_event = [this, side](Instant, ConnectionId, Event& event) {
        if (const auto* chunk = std::get_if<StreamChunk>(&event)) delivered[side] += chunk->bytes.size();
      };
    }
    on_path = [this, lose_every](test::Flight&) { return lose_every == 0 || ++batches_ % lose_every != 0; };
    reserve(256, std::size_t{54} * 1200);
    connection_ = connect(*sides_[0], *sides_[1]);
  }

  Endpoint& operator[](std::size_t side) { return *sides_[side]->endpoint; }
  ConnectionId connection() const { return connection_; }
  std::size_t established() const { return sides_[0]->count<Connected>() + sides_[1]->count<Connected>(); }
  // Times a timer woke a side, and what it has sent.
  std::array<std::uint64_t, 2> turns() const { return {sides_[0]->wakes, sides_[1]->wakes}; }
  std::array<std::uint64_t, 2> datagrams() const { return {sides_[0]->datagrams_sent, sides_[1]->datagrams_sent}; }

  std::array<std::uint64_t, 2> delivered{};  // stream bytes

 private:
  std::array<Node*, 2> sides_{};
  std::uint64_t batches_ = 0;
  ConnectionId connection_ = 0;
};

// Bytes without memory of their own: every fragment is the same page.
class Endless final : public BodySource {
 public:
  std::optional<ByteView> read(std::uint64_t, std::size_t length) override { return ByteView(page_).first(length); }

 private:
  std::array<std::uint8_t, 4096> page_{};
};

void expect_allocations(std::uint64_t lose_every, std::uint64_t most) {
  Bulk bulk(DeliveryMode::kChunks, lose_every);
  bulk.run(100ms);
  ASSERT_EQ(bulk.established(), 2U);
  ASSERT_TRUE(bulk[0].send(bulk.now, bulk.connection(), Body::from_source(std::make_unique<Endless>(), 160'000'000)));
  ASSERT_TRUE(
      bulk[1].send(bulk.now, bulk[1].connections().at(0), Body::from_source(std::make_unique<Endless>(), 160'000'000)));
  bulk.run(5s);  // grows what has to grow
  const std::uint64_t before = allocation_counts.allocations;
  const auto delivered = bulk.delivered;
  const auto sent = bulk.datagrams();
  bulk.run(2s);
  const std::uint64_t allocations = allocation_counts.allocations - before;
  const std::uint64_t packets = bulk.datagrams()[0] - sent[0] + bulk.datagrams()[1] - sent[1];
  EXPECT_GT(bulk.delivered[0] - delivered[0], 10'000'000U);
  EXPECT_GT(bulk.delivered[1] - delivered[1], 10'000'000U);
  EXPECT_LE(allocations, most) << "over " << packets << " packets";
}

TEST(SteadyState, AllocatesNothingPerPacketOfBulkStreamsInBothDirections) {
  expect_allocations(0, 0);
}

// With losses a ring may still reach a new high-water mark and double: that is no cost per packet.
TEST(SteadyState, AllocatesNothingPerPacketWhileBatchesAreLost) {
  expect_allocations(97, 4);
}

TEST(SteadyState, TheCounterOfThisTestCounts) {
  const std::uint64_t before = allocation_counts.allocations;
  const std::uint64_t live = allocation_counts.live_bytes;
  auto bytes = std::make_unique<std::vector<std::uint8_t>>(1000);
  EXPECT_EQ(allocation_counts.allocations - before, 2U);
  EXPECT_GE(allocation_counts.live_bytes - live, 1000U);
  bytes.reset();
  EXPECT_EQ(allocation_counts.live_bytes, live);
}

TEST(SteadyState, AnIdleConnectionWakesForItsKeepAliveAlone) {
  Bulk idle(DeliveryMode::kWhole, 0);
  idle.run(10s);
  ASSERT_EQ(idle.established(), 2U);
  const auto turns = idle.turns();
  const auto datagrams = idle.datagrams();
  idle.run(1h);
  for (std::size_t side = 0; side < 2; ++side) {
    // 720 pings of its own, each a wake-up; 720 Pongs to the other's. Nothing else.
    EXPECT_LE(idle.turns()[side] - turns[side], 722U) << "side " << side;
    EXPECT_GE(idle.datagrams()[side] - datagrams[side], 1436U) << "side " << side;
    EXPECT_LE(idle.datagrams()[side] - datagrams[side], 1444U) << "side " << side;
  }
}

TEST(SteadyState, AFinishedTransferLeavesNoTimerRunning) {
  Bulk idle(DeliveryMode::kWhole, 0);
  ASSERT_TRUE(idle[0].send(idle.now, idle.connection(), Body::from_source(std::make_unique<Endless>(), 5'000'000)));
  idle.run(60s);
  const auto turns = idle.turns();
  idle.run(600s);
  for (std::size_t side = 0; side < 2; ++side) EXPECT_LE(idle.turns()[side] - turns[side], 122U) << "side " << side;
}

TEST(SteadyState, MemoryIsFlatOverManyStreams) {
  Bulk bulk(DeliveryMode::kChunks, 0);
  bulk.run(100ms);
  const auto stream = [&] {
    ASSERT_TRUE(bulk[0].send(bulk.now, bulk.connection(), Body::from_source(std::make_unique<Endless>(), 1'000'000)));
    bulk.run(200ms);
  };
  for (int i = 0; i < 5; ++i) stream();
  const std::uint64_t before = allocation_counts.live_bytes;
  for (int i = 0; i < 45; ++i) stream();
  EXPECT_EQ(bulk.delivered[1], 50'000'000U);
  EXPECT_LE(allocation_counts.live_bytes, before + 4096);
}

// --- The idle connection ---

// `count` clients connect to one server in memory, live for half a minute, and stay idle.
class Crowd : public test::MemoryNetwork {
 public:
  explicit Crowd(std::size_t count, bool server_connects, ExtendedPolicy extended = ExtendedPolicy::kOff)
      : clients_(count) {
    direct = true;
    Config config;
    config.handshake.extended = extended;
    config.admission.prefix_rate = config.admission.prefix_burst = 1'000'000;
    config.admission.stranger_rate = config.admission.stranger_burst = 1'000'000;
    config.admission.max_half_open = 100'000;
    server_ = &add(SocketAddress::ipv4({198, 51, 100, 1}, 31337), config);
    for (std::size_t i = 0; i < count; ++i) {
      Node& client =
          add(SocketAddress::ipv4({10, 0, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)}, 7), config);
      static_cast<void>(server_connects ? connect(*server_, client) : connect(client, *server_));
    }
    for (int i = 0; i < 600; ++i) {
      step(50ms);
      settle();
    }
  }
  // All that the server holds, tables and timers included.
  std::uint64_t server_bytes() {
    EXPECT_EQ(server_->endpoint->connection_count(), clients_);
    const std::uint64_t before = allocation_counts.live_bytes;
    server_->endpoint.reset();
    return before - allocation_counts.live_bytes;
  }

 private:
  std::size_t clients_;
  Node* server_;
};

// What grows with the number of connections: their own memory, their place in the endpoint's tables, their timers. A
// cipher's expanded key is given back after a second without data. The shares of address prefixes, by which a full
// table makes room, are kept from a half-full one on (prefix_shares.h).
TEST(SteadyState, AnIdleConnectionCostsLessThanFourKibibytes) {
  constexpr std::size_t kMany = 1000;
  for (const bool server_connects : {false, true}) {
    const std::uint64_t one = Crowd(1, server_connects).server_bytes();
    const std::uint64_t many = Crowd(kMany, server_connects).server_bytes();
    const std::uint64_t bytes = (many - one) / (kMany - 1);
    std::printf("idle connection, %s: %llu bytes\n", server_connects ? "outbound" : "accepted",
                static_cast<unsigned long long>(bytes));
    RecordProperty(server_connects ? "outbound_bytes" : "accepted_bytes", static_cast<int>(bytes));
    EXPECT_LT(bytes, 4096U);
  }
}

// The replay window alone takes half a kibibyte.
TEST(SteadyState, AnIdleConnectionOfTheExtendedFormCostsHalfAKibibyteMore) {
  constexpr std::size_t kMany = 1000;
  for (const bool server_connects : {false, true}) {
    const std::uint64_t one = Crowd(1, server_connects, ExtendedPolicy::kRequire).server_bytes();
    const std::uint64_t many = Crowd(kMany, server_connects, ExtendedPolicy::kRequire).server_bytes();
    const std::uint64_t bytes = (many - one) / (kMany - 1);
    std::printf("idle connection of the extended form, %s: %llu bytes\n", server_connects ? "outbound" : "accepted",
                static_cast<unsigned long long>(bytes));
    RecordProperty(server_connects ? "outbound_bytes" : "accepted_bytes", static_cast<int>(bytes));
    EXPECT_LT(bytes, 4608U);
  }
}

}  // namespace
}  // namespace godwit::testing
