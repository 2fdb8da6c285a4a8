// What the whole core costs when nothing special happens: allocations per packet of a bulk stream on both sides (none),
// wake-ups of an idle connection (keep-alive alone), bytes of an idle connection (below 4 KiB). Two endpoints in
// memory and virtual time; every operator new of the process is counted.

#include <gtest/gtest.h>

#include <cstdio>
#include <vector>

#include "base/counted_allocations_test_support.h"
#include "transport/connection.h"
#include "transport/endpoint.h"

namespace godwit::testing {
namespace {

constexpr SocketAddress kNobody{};

SocketAddress side_address(std::size_t side) {
  return SocketAddress::ipv4({192, 0, 2, static_cast<std::uint8_t>(side + 1)}, 31337);
}

// Two endpoints over a path of constant delay whose memory is laid out beforehand: the harness allocates nothing while
// it runs.
class Bulk {
 public:
  explicit Bulk(DeliveryMode mode, std::uint64_t lose_every) : lose_every_(lose_every) {
    Config config;
    config.streams.delivery = mode;
    // A window that neither grows nor shrinks: the high-water marks stand after the warm-up.
    config.congestion = CongestionKind::kFixedRate;
    config.controller.fixed_rate = 100_mbps;
    for (std::size_t side = 0; side < 2; ++side) {
      auto pair = *KeyPair::generate(random_);
      keys_[side] = pair.public_key();
      endpoints_[side] = std::make_unique<Endpoint>(config, std::move(pair), random_);
    }
    flights_.resize(4096);
    for (Flight& flight : flights_) flight.bytes.resize(std::size_t{54} * 1200);
    connection_ = *endpoints_[0]->connect(now_, side_address(1), keys_[1]);
  }

  Endpoint& operator[](std::size_t side) { return *endpoints_[side]; }
  ConnectionId connection() const { return connection_; }
  Instant now() const { return now_; }

  void run(Duration time) {
    const Instant end = now_ + time;
    while (true) {
      for (std::size_t side = 0; side < 2; ++side) flush(side);
      Instant next = Instant::max();
      if (head_ != tail_) next = flights_[head_ % flights_.size()].at;
      for (const auto& endpoint : endpoints_) next = std::min(next, endpoint->next_timeout().value_or(Instant::max()));
      if (next > end) break;
      now_ = std::max(now_, next);
      while (head_ != tail_ && flights_[head_ % flights_.size()].at <= now_) {
        Flight& flight = flights_[head_++ % flights_.size()];
        endpoints_[flight.to]->receive(now_, {.local = kNobody,
                                              .remote = side_address(1 - flight.to),
                                              .bytes = MutableBytes(flight.bytes).first(flight.size),
                                              .segment_size = flight.segment_size});
        collect(flight.to);
      }
      for (std::size_t side = 0; side < 2; ++side) {
        if (const auto due = endpoints_[side]->next_timeout(); due && *due <= now_) {
          ++turns[side];
          endpoints_[side]->handle_timeout(now_);
        }
        collect(side);
      }
    }
    now_ = end;
  }

  std::array<std::uint64_t, 2> delivered{};  // stream bytes
  std::array<std::uint64_t, 2> turns{};      // times a timer woke a side
  std::array<std::uint64_t, 2> datagrams{};  // sent
  std::uint64_t established = 0;

 private:
  struct Flight {
    Instant at;
    std::size_t to = 0;
    std::vector<std::uint8_t> bytes;
    std::size_t size = 0;
    std::size_t segment_size = 0;
  };
  void flush(std::size_t side) {
    collect(side);
    while (true) {
      buffer_.reset();
      const auto run = endpoints_[side]->poll_transmit(now_, buffer_);
      if (!run) break;
      datagrams[side] += run->segment_count();
      if (lose_every_ != 0 && ++runs_ % lose_every_ == 0) continue;
      ASSERT_LT(tail_ - head_, flights_.size());
      Flight& flight = flights_[tail_++ % flights_.size()];
      flight.at = now_ + 5ms;
      flight.to = 1 - side;
      flight.size = run->bytes.size();
      flight.segment_size = run->segment_size;
      std::copy(run->bytes.begin(), run->bytes.end(), flight.bytes.begin());
    }
    collect(side);
  }
  void collect(std::size_t side) {
    while (EndpointEvent* event = endpoints_[side]->poll_event()) {
      if (const auto* chunk = std::get_if<StreamChunk>(&event->event)) delivered[side] += chunk->bytes.size();
      if (std::holds_alternative<Connected>(event->event)) ++established;
    }
  }

  DeterministicRandom random_{1};
  std::array<PublicKey, 2> keys_;
  std::array<std::unique_ptr<Endpoint>, 2> endpoints_;
  std::vector<Flight> flights_;
  std::size_t head_ = 0;
  std::size_t tail_ = 0;
  std::uint64_t lose_every_;
  std::uint64_t runs_ = 0;
  TransmitBuffer buffer_;
  Instant now_{1h};
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
  ASSERT_EQ(bulk.established, 2U);
  ASSERT_TRUE(bulk[0].send(bulk.now(), bulk.connection(), Body::from_source(std::make_unique<Endless>(), 160'000'000)));
  ASSERT_TRUE(bulk[1].send(bulk.now(), bulk[1].connections().at(0),
                           Body::from_source(std::make_unique<Endless>(), 160'000'000)));
  bulk.run(5s);  // grows what has to grow
  const std::uint64_t before = allocation_counts.allocations;
  const auto delivered = bulk.delivered;
  const auto sent = bulk.datagrams;
  bulk.run(2s);
  const std::uint64_t allocations = allocation_counts.allocations - before;
  const std::uint64_t packets = bulk.datagrams[0] - sent[0] + bulk.datagrams[1] - sent[1];
  EXPECT_GT(bulk.delivered[0] - delivered[0], 10'000'000U);
  EXPECT_GT(bulk.delivered[1] - delivered[1], 10'000'000U);
  EXPECT_LE(allocations, most) << "over " << packets << " packets";
}

TEST(SteadyState, AllocatesNothingPerPacketOfBulkStreamsInBothDirections) {
  expect_allocations(0, 0);
}

// With losses a ring may still reach a new high-water mark and double: that is no cost per packet.
TEST(SteadyState, AllocatesNothingPerPacketWhileRunsAreLost) {
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
  ASSERT_EQ(idle.established, 2U);
  const auto turns = idle.turns;
  const auto datagrams = idle.datagrams;
  idle.run(1h);
  for (std::size_t side = 0; side < 2; ++side) {
    // 720 pings of its own, each a wake-up; 720 Pongs to the other's. Nothing else.
    EXPECT_LE(idle.turns[side] - turns[side], 722U) << "side " << side;
    EXPECT_GE(idle.datagrams[side] - datagrams[side], 1436U) << "side " << side;
    EXPECT_LE(idle.datagrams[side] - datagrams[side], 1444U) << "side " << side;
  }
}

TEST(SteadyState, AFinishedTransferLeavesNoTimerRunning) {
  Bulk idle(DeliveryMode::kWhole, 0);
  ASSERT_TRUE(idle[0].send(idle.now(), idle.connection(), Body::from_source(std::make_unique<Endless>(), 5'000'000)));
  idle.run(60s);
  const auto turns = idle.turns;
  idle.run(600s);
  for (std::size_t side = 0; side < 2; ++side) EXPECT_LE(idle.turns[side] - turns[side], 122U) << "side " << side;
}

TEST(SteadyState, MemoryIsFlatOverManyStreams) {
  Bulk bulk(DeliveryMode::kChunks, 0);
  bulk.run(100ms);
  const auto stream = [&] {
    ASSERT_TRUE(bulk[0].send(bulk.now(), bulk.connection(), Body::from_source(std::make_unique<Endless>(), 1'000'000)));
    bulk.run(200ms);
  };
  for (int i = 0; i < 5; ++i) stream();
  const std::uint64_t before = allocation_counts.live_bytes;
  for (int i = 0; i < 45; ++i) stream();
  EXPECT_EQ(bulk.delivered[1], 50'000'000U);
  EXPECT_LE(allocation_counts.live_bytes, before + 4096);
}

// --- The idle connection ---

// `count` clients dial one server in memory, live for half a minute, and stay idle.
class Crowd {
 public:
  explicit Crowd(std::size_t count, bool server_dials, ExtendedPolicy extended = ExtendedPolicy::kOff) {
    config_.handshake.extended = extended;
    config_.admission.prefix_rate = config_.admission.prefix_burst = 1'000'000;
    config_.admission.stranger_rate = config_.admission.stranger_burst = 1'000'000;
    config_.admission.max_half_open = 100'000;
    auto pair = *KeyPair::generate(random_);
    const PublicKey key = pair.public_key();
    server_ = std::make_unique<Endpoint>(config_, std::move(pair), random_);
    for (std::size_t i = 0; i < count; ++i) {
      auto keys = *KeyPair::generate(random_);
      const PublicKey client_key = keys.public_key();
      clients_.push_back(std::make_unique<Endpoint>(config_, std::move(keys), random_));
      if (server_dials) {
        static_cast<void>(server_->connect(now_, client_address(i), client_key));
      } else {
        static_cast<void>(clients_.back()->connect(now_, kServer, key));
      }
    }
    for (int step = 0; step < 600; ++step) {
      now_ += 50ms;
      server_->handle_timeout(now_);
      for (auto& client : clients_) client->handle_timeout(now_);
      pump();
    }
  }
  // All that the server holds, tables and timers included.
  std::uint64_t server_bytes() {
    EXPECT_EQ(server_->connection_count(), clients_.size());
    const std::uint64_t before = allocation_counts.live_bytes;
    server_.reset();
    return before - allocation_counts.live_bytes;
  }

 private:
  static inline const SocketAddress kServer = SocketAddress::ipv4({198, 51, 100, 1}, 31337);
  static SocketAddress client_address(std::size_t index) {
    return SocketAddress::ipv4({10, 0, static_cast<std::uint8_t>(index >> 8), static_cast<std::uint8_t>(index)}, 7);
  }
  void pump() {
    for (bool any = true; any;) {
      any = false;
      for (std::size_t i = 0; i < clients_.size(); ++i) {
        buffer_.reset();
        while (const auto run = clients_[i]->poll_transmit(now_, buffer_)) {
          any = true;
          server_->receive(now_, {kServer, client_address(i), run->bytes, run->segment_size});
          while (server_->poll_event() != nullptr) {
          }
          buffer_.reset();
        }
        while (clients_[i]->poll_event() != nullptr) {
        }
      }
      buffer_.reset();
      while (const auto run = server_->poll_transmit(now_, buffer_)) {
        any = true;
        const std::size_t i = std::size_t{run->remote.octets()[2]} * 256 + run->remote.octets()[3];
        clients_[i]->receive(now_, {run->remote, kServer, run->bytes, run->segment_size});
        while (clients_[i]->poll_event() != nullptr) {
        }
        buffer_.reset();
      }
      while (server_->poll_event() != nullptr) {
      }
    }
  }

  DeterministicRandom random_{1};
  Config config_;
  Instant now_{1h};
  TransmitBuffer buffer_;
  std::unique_ptr<Endpoint> server_;
  std::vector<std::unique_ptr<Endpoint>> clients_;
};

// What grows with the number of connections: their own memory, their place in the endpoint's tables, their timers. A
// cipher's expanded key is given back after a second without data. The shares of address prefixes, by which a full
// table makes room, are kept from a half-full one on (prefix_shares.h).
TEST(SteadyState, AnIdleConnectionCostsLessThanFourKibibytes) {
  constexpr std::size_t kMany = 1000;
  for (const bool server_dials : {false, true}) {
    const std::uint64_t one = Crowd(1, server_dials).server_bytes();
    const std::uint64_t many = Crowd(kMany, server_dials).server_bytes();
    const std::uint64_t bytes = (many - one) / (kMany - 1);
    std::printf("idle connection, %s: %llu bytes\n", server_dials ? "dialled" : "accepted",
                static_cast<unsigned long long>(bytes));
    RecordProperty(server_dials ? "dialled_bytes" : "accepted_bytes", static_cast<int>(bytes));
    EXPECT_LT(bytes, 4096U);
  }
}

// The replay window alone takes half a kibibyte.
TEST(SteadyState, AnIdleConnectionOfTheExtendedFormCostsHalfAKibibyteMore) {
  constexpr std::size_t kMany = 1000;
  for (const bool server_dials : {false, true}) {
    const std::uint64_t one = Crowd(1, server_dials, ExtendedPolicy::kRequire).server_bytes();
    const std::uint64_t many = Crowd(kMany, server_dials, ExtendedPolicy::kRequire).server_bytes();
    const std::uint64_t bytes = (many - one) / (kMany - 1);
    std::printf("idle connection of the extended form, %s: %llu bytes\n", server_dials ? "dialled" : "accepted",
                static_cast<unsigned long long>(bytes));
    RecordProperty(server_dials ? "dialled_bytes" : "accepted_bytes", static_cast<int>(bytes));
    EXPECT_LT(bytes, 4608U);
  }
}

}  // namespace
}  // namespace godwit::testing
