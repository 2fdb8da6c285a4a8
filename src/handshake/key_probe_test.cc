#include "handshake/key_probe.h"

#include <gtest/gtest.h>

#include "handshake/handshake_test_support.h"
#include "handshake/session.h"

namespace godwit {
namespace {

using test::Bytes;

class KeyProbeTest : public testing::Test {
 protected:
  KeyProbe::Acked acked() {
    return {.key = acked_key_, .sealer = std::make_unique<PacketSealer>(make_sealer(party_.context, acked_key_))};
  }
  std::vector<Bytes> drain() {
    std::vector<Bytes> sent;
    Bytes out(wire::kMaxDatagram);
    while (const std::size_t size = probe_.poll_transmit(intro_sealer_, first_key_, test::kBob, out)) {
      sent.emplace_back(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size));
    }
    return sent;
  }

  test::Party party_{1};
  SymmetricKey intro_key_ = SymmetricKey::generate(party_.random);
  SymmetricKey acked_key_ = SymmetricKey::generate(party_.random);
  SymmetricKey first_key_ = SymmetricKey::generate(party_.random);
  PacketSealer intro_sealer_ = make_sealer(party_.context, intro_key_);
  KeyProbe probe_{party_.random};
};

TEST_F(KeyProbeTest, SaysNothingUnasked) {
  EXPECT_TRUE(drain().empty());
}

TEST_F(KeyProbeTest, WithoutAnAckPingsTheIntrosKeyAlone) {
  probe_.ping();
  const auto sent = drain();
  ASSERT_EQ(sent.size(), 1u);
  const auto ping = test::message_in<wire::Ping>(intro_key_, sent[0]);
  ASSERT_TRUE(ping.has_value());
  EXPECT_EQ(probe_.on_pong(ping->sequence), KeyProbe::Key::kIntro);
  EXPECT_EQ(probe_.on_pong(ping->sequence + 1), std::nullopt);
}

TEST_F(KeyProbeTest, BelievesTheFirstAckOnly) {
  probe_.on_ack(acked());
  ASSERT_EQ(drain().size(), 3u);
  KeyProbe::Acked other = acked();
  other.key = first_key_;
  probe_.on_ack(std::move(other));
  EXPECT_TRUE(drain().empty());
  EXPECT_EQ(probe_.acked()->key, acked_key_);
}

TEST_F(KeyProbeTest, ConfirmsTheAckedKeyWithPingsOfItsOwn) {
  probe_.on_ack(acked());
  const auto sent = drain();
  const std::uint64_t first = test::message_in<wire::Ping>(acked_key_, sent.at(1))->sequence;
  EXPECT_EQ(probe_.on_pong(first), std::nullopt);
  EXPECT_TRUE(probe_.confirming());
  EXPECT_EQ(probe_.on_pong(first), std::nullopt) << "an answer that comes twice";
  std::uint64_t confirmation = 0;
  for (int round = 0; round < 3; ++round) {
    const auto pings = drain();
    ASSERT_EQ(pings.size(), 1u);
    confirmation = test::message_in<wire::Ping>(acked_key_, pings[0])->sequence;
    EXPECT_NE(confirmation, first);
    probe_.ping();
  }
  // Unanswered: both keys have another chance, and a late answer no longer counts.
  EXPECT_FALSE(probe_.confirming());
  EXPECT_EQ(drain().size(), 2u);
  EXPECT_EQ(probe_.on_pong(confirmation), std::nullopt);
  EXPECT_EQ(probe_.on_pong(first), std::nullopt);
  EXPECT_TRUE(probe_.confirming());
  EXPECT_EQ(probe_.on_pong(confirmation), std::nullopt);
  EXPECT_EQ(probe_.on_pong(test::message_in<wire::Ping>(acked_key_, drain().at(0))->sequence), KeyProbe::Key::kAcked);
}

TEST_F(KeyProbeTest, AllItsPacketsHaveIdZero) {
  probe_.on_ack(acked());
  probe_.on_ping(5);
  for (const Bytes& datagram : drain()) {
    auto plaintext = test::open_packet(intro_key_, datagram);
    if (!plaintext) plaintext = test::open_packet(acked_key_, datagram);
    ASSERT_TRUE(plaintext.has_value());
    EXPECT_EQ(wire::decode(*plaintext)->packet_id, 0u);
  }
}

TEST_F(KeyProbeTest, AnswersTheLatestPingOnly) {
  for (std::uint64_t sequence = 0; sequence < 1000; ++sequence) probe_.on_ping(sequence);
  const auto sent = drain();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(test::message_in<wire::Pong>(intro_key_, sent[0])->sequence, 999u);
}

}  // namespace
}  // namespace godwit
