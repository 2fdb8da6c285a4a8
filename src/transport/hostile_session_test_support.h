// Test support: whoever has keys. One extended session whose packets a test makes, towards an endpoint.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "handshake/handshake_test_support.h"
#include "transport/connection.h"
#include "transport/endpoint.h"
#include "wire/ack_frame.h"
#include "wire/message_codec.h"

namespace godwit::test {

class HostileSession : public testing::Test {
 protected:
  HostileSession() : HostileSession([](HandshakeConfig&) {}) {}
  // `offer` changes what the peer offers.
  template <typename Offer>
  explicit HostileSession(Offer offer) {
    config_.handshake.extended = ExtendedPolicy::kAuto;
    endpoint_.emplace(config_, *KeyPair::generate(random_), random_);
    mallory_.config.extended = ExtendedPolicy::kRequire;
    offer(mallory_.config);
    auto handshake = Handshake::initiate(now_, mallory_.context, test::kBob, endpoint_->public_key());
    TransmitBuffer buffer;
    for (Bytes& intro : test::drain(now_, *handshake)) deliver(intro);
    std::array<std::uint8_t, wire::kMaxReceivedDatagram> scratch;
    while (const auto batch = endpoint_->poll_transmit(now_, buffer)) {
      if (!handshake->established()) handshake->receive(now_, batch->bytes, scratch);
    }
    session_.emplace(handshake->take_session());
    say(ping());
    EXPECT_NE(connection_, 0U);
  }
  static Bytes ping() {
    Bytes plaintext(wire::kPingSize);
    static_cast<void>(wire::encode(plaintext, 1, {}, wire::Ping{1}));
    return plaintext;
  }
  static Bytes frame(NumberRange range, std::uint32_t delay = 0) {
    wire::AckFrame frame{.delay = delay, .count = 1, .ranges = {range}};
    Bytes bytes(wire::ack_frame_size(1));
    static_cast<void>(wire::encode(bytes, frame));
    return bytes;
  }
  void say(const Bytes& plaintext) {
    Bytes datagram(plaintext.size() + kEnvelopeOverhead);
    ASSERT_EQ(session_->sealer().seal_pieces(plaintext, {}, {}, datagram), datagram.size());
    deliver(datagram);
  }
  void deliver(Bytes& datagram) {
    endpoint_->receive(now_, {.remote = test::kAlice, .bytes = datagram, .segment_size = datagram.size()});
    collect();
  }
  void collect() {
    while (const EndpointEvent* event = endpoint_->poll_event()) {
      if (std::holds_alternative<Connected>(event->event)) connection_ = event->connection;
      if (const auto* closed = std::get_if<Closed>(&event->event)) {
        reason_ = closed->reason;
        text_ = closed->text;
      }
      if (std::holds_alternative<MessageConfirmed>(event->event)) ++confirmed_;
    }
  }
  // The endpoint sends a message, in packet number `next`. Returns that.
  std::uint64_t let_send() {
    EXPECT_TRUE(endpoint_->send(now_, connection_, Body::owned(Bytes(100, 1))));
    flush();
    return latest_;
  }
  void flush() {
    TransmitBuffer buffer;
    while (const auto batch = endpoint_->poll_transmit(now_, buffer)) {
      for (std::size_t i = 0; i < batch->segment_count(); ++i) {
        const auto opened = session_->open(batch->segment(i), {});
        if (opened) latest_ = session_->number_of(batch->segment(i));
      }
      buffer.reset();
    }
  }
  void expect_closed(const std::string& text) {
    flush();
    collect();
    EXPECT_EQ(reason_, CloseReason::kProtocolViolation) << text;
    EXPECT_EQ(text_, text);
  }

  Instant now_ = test::kStart;
  DeterministicRandom random_{7};
  Config config_;
  std::optional<Endpoint> endpoint_;
  test::Party mallory_{4};
  std::optional<Session> session_;
  ConnectionId connection_ = 0;
  std::uint64_t latest_ = 0;
  std::size_t confirmed_ = 0;
  std::optional<CloseReason> reason_;
  std::string text_;
};

}  // namespace godwit::test
