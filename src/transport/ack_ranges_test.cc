// Acknowledgement ranges (docs/extended_sessions.md, section 5.2) between two endpoints, with and without the
// capability, and what a peer reaches with the frame.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "handshake/handshake_test_support.h"
#include "transport/connection.h"
#include "transport/hostile_session_test_support.h"
#include "transport/memory_network_test_support.h"
#include "wire/ack_frame.h"
#include "wire/message_codec.h"

namespace godwit::ack_ranges_test {
namespace {

using Bytes = std::vector<std::uint8_t>;

const SocketAddress kClient = SocketAddress::ipv4({192, 0, 2, 1}, 40'000);
const SocketAddress kServer = SocketAddress::ipv4({192, 0, 2, 2}, 31'337);
constexpr std::uint64_t kWithout = wire::kOwnCapabilities & ~wire::capability::kAckRanges;
constexpr std::size_t kOneRange = wire::kAckFrameHeader + wire::kDatagramOverhead;

class Pair : public test::MemoryNetwork {
 public:
  void start(std::uint64_t client, std::uint64_t server, double lost = 0) {
    Config config;
    config.handshake.extended = ExtendedPolicy::kRequire;
    config.handshake.capabilities = client;
    config.handshake.largest_datagram = wire::kMaxDatagram;  // so that there are many packets
    client_ = &add(kClient, config);
    config.handshake.capabilities = server;
    server_ = &add(kServer, config);
    connection_ = connect(*client_, *server_);
    ASSERT_TRUE(run(5s, [&] { return server_->count<Connected>() == 1; }));
    run(1s);  // the answer to the first ping
    loss = lost;
    on_path = [this](test::Flight& flight) {
      if (flight.from == kServer) {
        bytes_back_ += flight.bytes.size();
        ++packets_back_;
        smallest_back_ = std::min(smallest_back_, flight.segment_size);
      }
      return true;
    };
  }
  [[nodiscard]] bool transfer(std::size_t bytes) {
    EXPECT_TRUE(client_->endpoint->send(now, connection_, Body::owned(Bytes(bytes, 7)), {.as = SendAs::kStream}));
    return run(300s, [&] { return client_->count<MessageConfirmed>() == 1; });
  }
  [[nodiscard]] ConnectionStatistics of_client() const { return client_->endpoint->inspect(connection_)->statistics(); }
  [[nodiscard]] ConnectionStatistics of_server() const {
    return server_->endpoint->inspect(server_->events.connected())->statistics();
  }

  Node* client_ = nullptr;
  Node* server_ = nullptr;
  ConnectionId connection_ = 0;
  std::uint64_t bytes_back_ = 0;
  std::uint64_t packets_back_ = 0;
  std::size_t smallest_back_ = 9999;
};

class AckRanges : public testing::Test, public Pair {};

TEST_F(AckRanges, TakeFarFewerBytesThanSingleIds) {
  constexpr std::size_t kBytes = 3'000'000;
  start(wire::kOwnCapabilities, wire::kOwnCapabilities);
  ASSERT_TRUE(transfer(kBytes));
  EXPECT_LE(smallest_back_, kOneRange);  // or a ping
  EXPECT_EQ(of_client().packets_lost, 0U);
  EXPECT_EQ(of_server().acks_repeated, 0U);
  EXPECT_EQ(of_client().acks_received, of_server().acks_sent);
  Pair ids;
  ids.start(kWithout, kWithout);
  ASSERT_TRUE(ids.transfer(kBytes));
  EXPECT_GT(ids.of_server().acks_repeated, 0U);
  EXPECT_LT(3 * bytes_back_, ids.bytes_back_);
  EXPECT_LE(packets_back_, ids.packets_back_);
}

TEST_F(AckRanges, AreUsedOnlyIfBothSidesHaveThem) {
  for (const bool client_has : {false, true}) {
    Pair pair;
    pair.start(client_has ? wire::kOwnCapabilities : kWithout, client_has ? kWithout : wire::kOwnCapabilities, 0.01);
    ASSERT_TRUE(pair.transfer(1'000'000));
    EXPECT_GT(pair.of_server().acks_repeated, 0U);
  }
}

TEST_F(AckRanges, CarryATransferThroughLossOnBothWays) {
  for (const double lost : {0.01, 0.1, 0.3}) {
    Pair pair;
    pair.start(wire::kOwnCapabilities, wire::kOwnCapabilities, lost);
    ASSERT_TRUE(pair.transfer(1'000'000)) << lost;
    const ConnectionStatistics sent = pair.of_client();
    EXPECT_GT(sent.packets_lost, 0U);
    // Acknowledgements are lost as often as data, and are no reason to send anything again: nothing is reordered here.
    EXPECT_LE(sent.losses_spurious, sent.packets_lost / 20) << lost;
    EXPECT_EQ(pair.of_server().payload_bytes_received, 1'000'000U);
  }
}

TEST_F(AckRanges, SeveralAcknowledgementsInARowMayBeLost) {
  start(wire::kOwnCapabilities, wire::kOwnCapabilities);
  std::uint64_t seen = 0;
  on_path = [&seen](test::Flight& flight) {
    // Five of six acknowledgements, once there are several a round trip.
    return flight.from != kServer || flight.segment_size > 200 || ++seen < 30 || seen % 6 == 0;
  };
  ASSERT_TRUE(transfer(3'000'000));
  const ConnectionStatistics sent = of_client();
  EXPECT_EQ(sent.packets_lost, 0U);
  EXPECT_LE(sent.packets_retransmitted, 3U);  // probes of the tail
}

// A range is told eight times and then forgotten (section 5.2). When all eight are lost its packets are sent again,
// once: each repetition has a number of its own, which the newest range tells.
TEST_F(AckRanges, ARunOfLostAcknowledgementsCostsOneRepetitionOfEachPacketAndNoMore) {
  start(wire::kOwnCapabilities, wire::kOwnCapabilities);
  std::uint64_t data = 0;
  std::uint64_t acknowledgements_lost = 0;
  bool losing = false;
  on_path = [&](test::Flight& flight) {
    if (flight.from == kClient) return flight.segment_size < 1000 || ++data % 20 != 0;  // so that ranges end
    if (losing && flight.segment_size < 1000) ++acknowledgements_lost;
    return !losing || flight.segment_size >= 1000;
  };
  std::size_t confirmed = 0;
  for (int round = 0; round < 20; ++round) {
    // A few packets at a time, so that the window does not end the run of acknowledgements before the eighth.
    losing = round >= 4 && round < 14;
    for (int i = 0; i < 40; ++i) {
      ASSERT_TRUE(client_->endpoint->send(now, connection_, Body::owned(Bytes(1'000, 1))));
      ++confirmed;
    }
    run(40ms);
  }
  EXPECT_GT(acknowledgements_lost, 8U);
  ASSERT_TRUE(run(60s, [&] { return client_->count<MessageConfirmed>() == confirmed; }));
  const ConnectionStatistics sent = of_client();
  EXPECT_GT(sent.packets_retransmitted, confirmed / 20) << "more than what was lost itself";
  EXPECT_LT(sent.packets_retransmitted, 2 * confirmed);
  const std::uint64_t before = client_->datagrams_sent;
  run(4s);
  EXPECT_LE(client_->datagrams_sent, before + 4) << "nothing goes on but keep-alive";
  EXPECT_EQ(of_client().packets_retransmitted, sent.packets_retransmitted);
}

TEST_F(AckRanges, ManyMessagesInOnePacketAreConfirmedTogether) {
  start(wire::kOwnCapabilities, wire::kOwnCapabilities);
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(client_->endpoint->send(now, connection_, Body::owned(Bytes(64, 1))));
    ASSERT_TRUE(server_->endpoint->send(now, server_->events.connected(), Body::owned(Bytes(64, 1))));
    if (i % 20 == 0) run(3ms);
  }
  EXPECT_TRUE(
      run(10s, [&] { return client_->count<MessageConfirmed>() == 500 && server_->count<MessageConfirmed>() == 500; }));
  EXPECT_EQ(of_client().packets_lost, 0U);
  EXPECT_EQ(of_client().packets_retransmitted, 0U);
}

TEST_F(AckRanges, GoOnAfterARestThatHasForgottenThem) {
  start(wire::kOwnCapabilities, wire::kOwnCapabilities);
  for (std::size_t i = 1; i <= 5; ++i) {
    ASSERT_TRUE(client_->endpoint->send(now, connection_, Body::owned(Bytes(64, 1))));
    run(40s);
    EXPECT_EQ(client_->count<MessageConfirmed>(), i);
  }
  EXPECT_EQ(of_client().packets_retransmitted, 0U);
}

class HostilePeer : public test::HostileSession {};

TEST_F(HostilePeer, WhatHasComeIsConfirmedByItsNumber) {
  const std::uint64_t number = let_send();
  say(frame({.first = number, .last = number}));
  EXPECT_EQ(confirmed_, 1U);
  say(frame({.first = 0, .last = number}));  // again, and what nobody waits for
  EXPECT_EQ(confirmed_, 1U);
  EXPECT_FALSE(reason_);
}

TEST_F(HostilePeer, ANumberThatWasNeverSentClosesTheSession) {
  const std::uint64_t number = let_send();
  say(frame({.first = number, .last = number + 1}));
  EXPECT_EQ(confirmed_, 0U);  // nothing of the batch counts
  expect_closed("the peer acknowledged a packet that was never sent");
}

TEST_F(HostilePeer, TheHighestNumbersCloseTheSession) {
  static_cast<void>(let_send());
  say(frame({.first = ~std::uint64_t{0} - 5, .last = ~std::uint64_t{0}}));
  expect_closed("the peer acknowledged a packet that was never sent");
}

TEST_F(HostilePeer, BrokenRangesCloseTheSessionWithTheRule) {
  const std::uint64_t number = let_send();
  Bytes broken = frame({.first = number, .last = number});
  store_le(&broken[28], static_cast<std::uint32_t>(number + 2));
  say(broken);
  expect_closed("the peer's acknowledgement goes below packet 0");
}

TEST_F(HostilePeer, AnEmptyRangeClosesTheSession) {
  Bytes broken = frame({.first = 0, .last = 0});
  store_le(&broken[28], std::uint32_t{0});
  say(broken);
  expect_closed("the peer's acknowledgement has an empty range");
}

TEST_F(HostilePeer, TooManyRangesCloseTheSession) {
  Bytes broken = frame({.first = 0, .last = 0});
  store_le(&broken[32], std::uint32_t{64});
  say(broken);
  expect_closed("the peer's acknowledgement has more than 64 ranges");
}

TEST_F(HostilePeer, AFrameThatIsCutShortClosesTheSession) {
  Bytes broken = frame({.first = 0, .last = 0});
  broken.pop_back();
  say(broken);
  expect_closed("the peer's acknowledgement is cut short");
}

TEST_F(HostilePeer, AcknowledgementsOfIdsSayNothing) {
  static_cast<void>(let_send());
  Bytes plaintext(wire::kMessageOverhead + 3 * wire::kAckSize);
  const std::uint32_t ids[] = {1, 2, 3'000'000};
  ASSERT_EQ(wire::encode(plaintext, 2, ids, wire::NoOp{}), plaintext.size());
  say(plaintext);
  EXPECT_EQ(confirmed_, 0U);
  EXPECT_FALSE(reason_);
}

TEST_F(HostilePeer, ADelayOfMoreThanAnHourMakesNoRoundTripVanish) {
  for (int i = 0; i < 20; ++i) {
    const std::uint64_t number = let_send();
    now_ += 50ms;
    say(frame({.first = number, .last = number}, 0xffff'ffff));
  }
  const ConnectionStatistics found = endpoint_->inspect(connection_)->statistics();
  EXPECT_EQ(found.smoothed_round_trip, Duration{50ms});
  EXPECT_EQ(found.minimum_round_trip, Duration{50ms});
}

}  // namespace
}  // namespace godwit::ack_ranges_test
