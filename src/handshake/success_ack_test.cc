#include "handshake/success_ack.h"

#include <gtest/gtest.h>

#include "handshake/handshake_test_support.h"
#include "handshake/session.h"

namespace godwit {
namespace {

class SuccessAckTest : public testing::Test {
 protected:
  SuccessAck seal(std::uint16_t peer_patch, const SocketAddress& remote) {
    PacketSealer sealer = make_sealer(bob_.context, peer_key_);
    const wire::Intro intro{.version = test::version(peer_patch, 64), .key = peer_key_};
    return SuccessAck::seal(bob_.context, sealer, intro, own_key_, remote);
  }
  test::Party bob_{1};
  SymmetricKey peer_key_ = SymmetricKey::generate(bob_.random);
  SymmetricKey own_key_ = SymmetricKey::generate(bob_.random);
};

TEST_F(SuccessAckTest, Item25CarriesTheVersionForPeersThatUnderstandIt) {
  const SuccessAck ack = seal(120, test::kAlice);
  ASSERT_EQ(ack.size(), 79u);
  const auto message = test::message_in<wire::AckOk>(peer_key_, ByteView(ack.bytes).first(ack.size()));
  ASSERT_TRUE(message.has_value());
  EXPECT_EQ(message->version, wire::kAnnouncedVersion);
  EXPECT_EQ(message->key, own_key_);
  EXPECT_EQ(message->remote_address, test::kAlice);
}

TEST_F(SuccessAckTest, Item25IsLegacyForOlderPeers) {
  const SuccessAck ack = seal(119, test::kAlice);
  ASSERT_EQ(ack.size(), 75u);
  const auto message = test::message_in<wire::AckOk>(peer_key_, ByteView(ack.bytes).first(ack.size()));
  ASSERT_TRUE(message.has_value());
  EXPECT_FALSE(message->version.has_value());
}

TEST_F(SuccessAckTest, HasTheSizesOfTheSpecificationWithIpv6) {
  EXPECT_EQ(seal(154, test::address("[2001:db8::1]:31337")).size(), 91u);
  EXPECT_EQ(seal(119, test::address("[2001:db8::1]:31337")).size(), 87u);
}

TEST_F(SuccessAckTest, Item34HasPacketIdZeroAndNoAcks) {
  const SuccessAck ack = seal(154, test::kAlice);
  const auto plaintext = test::open_packet(peer_key_, ByteView(ack.bytes).first(ack.size()));
  ASSERT_TRUE(plaintext.has_value());
  const auto packet = wire::decode(*plaintext);
  ASSERT_TRUE(packet.has_value());
  EXPECT_EQ(packet->packet_id, 0u);
  EXPECT_TRUE(packet->acks.empty());
}

TEST_F(SuccessAckTest, WritesNothingIntoTooLittleRoom) {
  const SuccessAck ack = seal(154, test::kAlice);
  std::array<std::uint8_t, 78> room{};
  EXPECT_EQ(ack.write(room), 0u);
}

}  // namespace
}  // namespace godwit
