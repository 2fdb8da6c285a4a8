// Stateless resets (docs/extended_sessions.md, section 8.1): a peer that has lost its memory ends the session, and
// nobody else does.
#include <gtest/gtest.h>

#include <vector>

#include "transport/memory_network_test_support.h"

namespace godwit::stateless_reset_test {
namespace {

using Bytes = std::vector<std::uint8_t>;

const SocketAddress kClient = SocketAddress::ipv4({192, 0, 2, 1}, 40'000);
const SocketAddress kServer = SocketAddress::ipv4({192, 0, 2, 2}, 31'337);
const SocketAddress kStranger = SocketAddress::ipv4({198, 51, 100, 7}, 7'777);

class StatelessReset : public testing::Test, public test::MemoryNetwork {
 protected:
  void start(ExtendedPolicy client, ExtendedPolicy server) {
    Config config;
    config.handshake.extended = client;
    client_ = &add(kClient, config);
    config.handshake.extended = server;
    server_ = &add(kServer, config);
    on_path = [this](test::Flight& flight) {
      const DatagramBatch batch{.local = {}, .remote = {}, .bytes = flight.bytes, .segment_size = flight.segment_size};
      for (std::size_t i = 0; i < batch.segment_count(); ++i) {
        const MutableBytes datagram = batch.segment(i);
        if (flight.from == kServer && datagram.size() == wire::kResetDatagram) {
          resets_.emplace_back(datagram.begin(), datagram.end());
        }
        if (flight.from == kClient) latest_of_client_.assign(datagram.begin(), datagram.end());
      }
      return flight.from != kServer || !server_is_cut_off_;
    };
    connection_ = connect(*client_, *server_);
    run(2s);
    ASSERT_EQ(client_->count<Connected>(), 1U);
  }
  void say(std::size_t bytes = 100) {
    const Bytes message(bytes, 7);
    ASSERT_TRUE(client_->endpoint->send(now, connection_, Body::owned(message)));
  }
  [[nodiscard]] std::uint64_t resets_sent() const { return server_->endpoint->statistics().resets_sent; }

  Node* client_ = nullptr;
  Node* server_ = nullptr;
  ConnectionId connection_ = 0;
  Bytes latest_of_client_;
  std::vector<Bytes> resets_;
  bool server_is_cut_off_ = false;
};

TEST_F(StatelessReset, ARestartedPeerEndsTheSessionWithinARoundTrip) {
  start(ExtendedPolicy::kAuto, ExtendedPolicy::kAuto);
  restart(*server_);
  say();
  EXPECT_TRUE(run(2 * delay, [&] { return client_->count<Closed>() == 1; }));
  ASSERT_NE(client_->last<Closed>(), nullptr);
  EXPECT_EQ(client_->last<Closed>()->reason, CloseReason::kReset);
  EXPECT_EQ(client_->count<MessageFailed>(), 1U);
  // Both are as good as new.
  connection_ = connect(*client_, *server_);
  run(2s);
  say();
  run(1s);
  EXPECT_EQ(server_->count<MessageReceived>(), 1U);
}

TEST_F(StatelessReset, TheAcceptorIsNotTheOnlyOne) {
  start(ExtendedPolicy::kAuto, ExtendedPolicy::kAuto);
  restart(*client_);
  const Bytes message(100, 7);
  ASSERT_TRUE(server_->endpoint->send(now, server_->events.connected(), Body::owned(message)));
  EXPECT_TRUE(run(2 * delay, [&] { return server_->count<Closed>() == 1; }));
  EXPECT_EQ(server_->last<Closed>()->reason, CloseReason::kReset);
}

TEST_F(StatelessReset, NobodyWithoutTheTokenEndsASession) {
  start(ExtendedPolicy::kAuto, ExtendedPolicy::kAuto);
  Bytes forged(wire::kResetDatagram);
  for (int i = 0; i < 1000; ++i) {
    random.fill(forged);
    forged[0] = wire::kTypeSymmetric;
    inject(kServer, kClient, forged);
  }
  // The reset of another address, for the same tag: a stranger who knows a packet gets one, and it is of no use.
  server_is_cut_off_ = true;
  say();
  run(1ms);
  const Bytes packet = latest_of_client_;
  server_is_cut_off_ = false;
  restart(*server_);
  inject(kStranger, kServer, packet);
  run(1ms);
  ASSERT_EQ(resets_.size(), 1U);
  inject(kServer, kClient, resets_.front());
  run(1ms);
  EXPECT_EQ(client_->count<Closed>(), 0U);
}

TEST_F(StatelessReset, ASessionThatLivesElsewhereIsNotGivenUp) {
  start(ExtendedPolicy::kAuto, ExtendedPolicy::kAuto);
  say();
  run(1ms);
  // Copied by somebody who hopes for a token.
  inject(kStranger, kServer, latest_of_client_);
  Bytes junk = latest_of_client_;
  junk.back() ^= 1;
  inject(kStranger, kServer, junk);
  run(1s);
  EXPECT_EQ(resets_sent(), 0U);
}

TEST_F(StatelessReset, ADeployedSessionIsNeitherEndedNorDisturbed) {
  start(ExtendedPolicy::kOff, ExtendedPolicy::kAuto);
  restart(*server_);
  say();
  run(1s);
  EXPECT_LE(resets_.size(), 1U);
  EXPECT_EQ(client_->count<Closed>(), 0U);
}

TEST_F(StatelessReset, AFloodGetsFewAnswersThatAreShorterThanWhatTheyAnswer) {
  start(ExtendedPolicy::kAuto, ExtendedPolicy::kAuto);
  Bytes junk(200);
  for (int i = 0; i < 10'000; ++i) {
    random.fill(junk);
    junk[0] = wire::kTypeSymmetric;
    // A quarter from one address.
    const auto port = static_cast<std::uint16_t>(i % 4 == 0 ? 1 : 1 + random.below(60'000));
    inject(kStranger.with_port(port), kServer, junk);
  }
  run(1s);
  EXPECT_LE(resets_sent(), 64U);
  EXPECT_GE(resets_sent(), 1U);
  run(5s);
  const std::uint64_t before = resets_sent();
  Bytes smallest(wire::kResetDatagram);
  smallest[0] = wire::kTypeSymmetric;
  inject(kStranger, kServer, smallest);
  run(1s);
  EXPECT_EQ(resets_sent(), before) << "two endpoints must not answer each other for ever";
}

TEST_F(StatelessReset, WhoHasNoExtendedSessionsSaysNothing) {
  start(ExtendedPolicy::kOff, ExtendedPolicy::kOff);
  restart(*server_);
  say();
  run(5s);
  EXPECT_EQ(resets_sent(), 0U);
}

}  // namespace
}  // namespace godwit::stateless_reset_test
