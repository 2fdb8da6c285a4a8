// Two endpoints on a path that marks packets, takes marks away or loses what carries them: docs/extended_sessions.md,
// section 5.3.
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "transport/connection.h"
#include "transport/memory_network_test_support.h"

namespace godwit::ecn_test {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::uint64_t kWithout = wire::kOwnCapabilities & ~wire::capability::kEcn;
const SocketAddress kClient = SocketAddress::ipv4({192, 0, 2, 1}, 1);

class Pair : public test::MemoryNetwork {
 public:
  explicit Pair(CongestionKind congestion = CongestionKind::kCubic, std::uint64_t client = wire::kOwnCapabilities,
                std::uint64_t server = wire::kOwnCapabilities)
      : MemoryNetwork(5) {
    split = true;
    Config config;
    config.congestion = congestion;
    config.handshake.extended = ExtendedPolicy::kRequire;
    config.handshake.largest_datagram = wire::kMaxDatagram;
    config.handshake.capabilities = client;
    client_ = &add(kClient, config);
    config.handshake.capabilities = server;
    server_ = &add(SocketAddress::ipv4({192, 0, 2, 2}, 2), config);
    on_path = [this](test::Flight& flight) {
      if (flight.from != kClient) return true;
      if (flight.ecn != Ecn::kNone) ++marked_;
      if (flight.ecn == Ecn::kEct0 && mark_every > 0 && marked_ % mark_every == 0) {
        flight.ecn = Ecn::kCe;
        ++congested_;
      }
      if (clears) flight.ecn = Ecn::kNone;
      return !drops || flight.ecn == Ecn::kNone;
    };
    connection_ = connect(*client_, *server_);
    run(1s);
  }
  [[nodiscard]] ConnectionStatistics statistics() { return *client_->endpoint->statistics(connection_); }
  [[nodiscard]] ConnectionStatistics at_server() { return *server_->endpoint->statistics(server_->events.connected()); }
  [[nodiscard]] bool transfer(std::size_t bytes) {
    const std::size_t before = client_->count<MessageConfirmed>();
    EXPECT_TRUE(client_->endpoint->send(now, connection_, Body::owned(Bytes(bytes, 7)), {.as = SendAs::kStream}));
    return run(300s, [&] { return client_->count<MessageConfirmed>() > before; });
  }

  std::uint64_t mark_every = 0;  // a router marks one packet of so many
  bool clears = false;
  bool drops = false;
  std::uint64_t marked_ = 0;     // packets that left the client with a mark
  std::uint64_t congested_ = 0;  // of them, those that the router has marked
  Node* client_ = nullptr;
  Node* server_ = nullptr;
  ConnectionId connection_ = 0;
};

TEST(Ecn, PacketsAreMarkedOnceATestHasPassed) {
  Pair pair;
  EXPECT_EQ(pair.marked_, 0u) << "an idle connection marks nothing";
  ASSERT_TRUE(pair.transfer(2'000'000));
  EXPECT_EQ(pair.statistics().ecn, "on");
  EXPECT_GT(pair.marked_, 1'700u);
  EXPECT_EQ(pair.at_server().ecn_marks_received, 0u);
  EXPECT_EQ(pair.statistics().packets_lost, 0u);
}

TEST(Ecn, EveryMarkOfARouterIsToldAndAnsweredWithoutALoss) {
  for (const CongestionKind kind : adaptive_congestion_kinds()) {
    Pair without(kind);
    ASSERT_TRUE(without.transfer(3'000'000));
    const Duration free = without.now.time_since_epoch();
    Pair pair(kind);
    pair.mark_every = 100;
    ASSERT_TRUE(pair.transfer(3'000'000));
    ASSERT_TRUE(pair.transfer(10'000));  // the acknowledgement of the last mark
    const ConnectionStatistics sent = pair.statistics();
    EXPECT_EQ(sent.packets_lost, 0u) << to_string(kind);
    EXPECT_EQ(sent.ecn, "on") << to_string(kind);
    EXPECT_GT(pair.congested_, 20u);
    EXPECT_EQ(pair.at_server().ecn_marks_received, pair.congested_);
    EXPECT_EQ(sent.ecn_marks_reported, pair.congested_);
    EXPECT_LT(sent.window_bytes, without.statistics().window_bytes) << to_string(kind);
    EXPECT_GT(pair.now.time_since_epoch(), free) << to_string(kind);
  }
}

TEST(Ecn, AnAcknowledgementCarriesCountsOnlyIfBothSidesHaveThem) {
  for (const bool client_has : {false, true}) {
    Pair pair(CongestionKind::kCubic, client_has ? wire::kOwnCapabilities : kWithout,
              client_has ? kWithout : wire::kOwnCapabilities);
    ASSERT_TRUE(pair.transfer(500'000));
    EXPECT_EQ(pair.marked_, 0u);
    EXPECT_EQ(pair.statistics().ecn, "off");
  }
}

TEST(Ecn, MarksEndWhereTheyDoNotArrive) {
  Pair pair;
  pair.clears = true;
  ASSERT_TRUE(pair.transfer(2'000'000));
  EXPECT_EQ(pair.statistics().ecn, "failed");
  EXPECT_LT(pair.marked_, 100u);
  EXPECT_EQ(pair.statistics().packets_lost, 0u);
}

TEST(Ecn, APathThatLosesMarkedPacketsCostsTheTestAndNothingMore) {
  Pair pair;
  pair.drops = true;
  ASSERT_TRUE(pair.transfer(2'000'000));
  EXPECT_EQ(pair.statistics().ecn, "failed");
  EXPECT_LT(pair.marked_, 30u);
  EXPECT_LE(pair.statistics().packets_lost, pair.marked_);
}

TEST(Ecn, APathThatBeginsToLoseMarkedPacketsIsLeftUnmarked) {
  Pair pair;
  ASSERT_TRUE(pair.transfer(500'000));
  ASSERT_EQ(pair.statistics().ecn, "on");
  pair.drops = true;
  ASSERT_TRUE(pair.transfer(2'000'000));
  EXPECT_NE(pair.statistics().ecn, "on");
  EXPECT_EQ(pair.client_->endpoint->connection_count(), 1u);
}

TEST(Ecn, MarksComeBackAfterAnOutage) {
  Pair pair;
  ASSERT_TRUE(pair.transfer(500'000));
  const auto usual = pair.on_path;
  pair.on_path = [](test::Flight&) { return false; };
  ASSERT_TRUE(pair.client_->endpoint->send(pair.now, pair.connection_, Body::owned(Bytes(500'000, 7))));
  pair.run(5s);
  EXPECT_EQ(pair.statistics().ecn, "paused");
  pair.on_path = usual;
  ASSERT_TRUE(pair.run(60s, [&] { return pair.client_->count<MessageConfirmed>() == 2; }));
  EXPECT_EQ(pair.statistics().ecn, "on");
}

// A copy that has lost its mark, ahead of the original: whoever is on the path can take marks away.
TEST(Ecn, CopiesAreCountedOnce) {
  Pair pair;
  const auto usual = pair.on_path;
  pair.on_path = [&](test::Flight& flight) {
    const bool passes = usual(flight);
    if (passes && flight.from == kClient && flight.ecn != Ecn::kNone) {
      Bytes copy(flight.bytes.begin(), flight.bytes.end());
      pair.server_->endpoint->receive(pair.now, {.local = flight.to,
                                                 .remote = flight.from,
                                                 .bytes = copy,
                                                 .segment_size = flight.segment_size,
                                                 .ecn = flight.ecn});
    }
    return passes;
  };
  ASSERT_TRUE(pair.transfer(500'000));
  EXPECT_EQ(pair.statistics().ecn, "on") << "more counted than sent would have ended it";
}

}  // namespace
}  // namespace godwit::ecn_test
