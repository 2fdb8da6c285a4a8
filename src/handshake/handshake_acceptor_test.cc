// The answering role, against an initiator that the test scripts datagram by datagram.
#include "handshake/handshake_acceptor.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "handshake/handshake_test_support.h"

namespace godwit::handshake_acceptor_test {
namespace {

using test::Bytes;
using test::kAlice;
using test::kStart;

class AcceptorTest : public testing::Test {
 protected:
  AcceptorTest() { intro_ = make_intro(wire::kAnnouncedVersion); }

  Bytes make_intro(const wire::VersionBytes& version, std::size_t extra = 0) {
    return test::make_intro(alice_.random, bob_.keys.public_key(), {.version = version, .key = key_}, extra);
  }
  Handshake accept(const SocketAddress& remote = kAlice) {
    auto handshake = Handshake::accept(kStart, bob_.context, remote, test::seen(bob_.keys, intro_));
    GODWIT_ASSERT(handshake.has_value());
    return std::move(*handshake);
  }
  // The key that the acceptor hands out.
  SymmetricKey handed_out(const Bytes& ack) { return test::message_in<wire::AckOk>(key_, ack)->key; }
  Bytes completion(const SymmetricKey& under) {
    return test::seal_message(alice_.random, under, 0,
                              wire::AckOk{.key = key_, .remote_address = test::kBob, .version = std::nullopt});
  }

  test::Party alice_{1};
  test::Party bob_{2};
  SymmetricKey key_ = SymmetricKey::generate(alice_.random);
  Bytes intro_;
};

TEST_F(AcceptorTest, Item34AnswersAnIntroWithASuccessAckThatNamesTheSource) {
  Handshake handshake = accept();
  const auto sent = test::drain(kStart, handshake);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].size(), 79u);
  const auto plaintext = test::open_packet(key_, sent[0]);
  ASSERT_TRUE(plaintext.has_value());
  const auto packet = wire::decode(*plaintext);
  ASSERT_TRUE(packet.has_value());
  EXPECT_EQ(packet->packet_id, 0u);
  EXPECT_TRUE(packet->acks.empty());
  const auto& ack = std::get<wire::AckOk>(packet->message);
  EXPECT_EQ(ack.remote_address, kAlice);
  EXPECT_EQ(ack.version, wire::kAnnouncedVersion);
}

TEST_F(AcceptorTest, Item14NamesAMappedAddressAsIpv4) {
  Handshake handshake = accept(test::address("[::ffff:192.0.2.7]:31337"));
  const auto ack = test::message_in<wire::AckOk>(key_, test::drain(kStart, handshake).front());
  ASSERT_TRUE(ack.has_value());
  EXPECT_TRUE(ack->remote_address.is_ipv4());
}

TEST_F(AcceptorTest, Item22JudgesVersionsFromBothSides) {
  const auto accepted = [&](const wire::VersionBytes& version) {
    const Bytes intro = make_intro(version);
    return Handshake::accept(kStart, bob_.context, kAlice, test::seen(bob_.keys, intro)).has_value();
  };
  EXPECT_TRUE(accepted(test::version(122, 64)));
  EXPECT_FALSE(accepted(test::version(121, 64)));
  EXPECT_TRUE(accepted(test::version(200, 154)));
  EXPECT_FALSE(accepted(test::version(200, 155)));
  EXPECT_FALSE(accepted(wire::encode_version({0, 3, 0}, 0)));
  EXPECT_TRUE(accepted({0x00, 0x02, 0x7a, 9, 9, 9, 9, 0}));
  EXPECT_FALSE(accepted({0x00, 0x02, 0x79, 9, 9, 9, 9, 0}));
  EXPECT_FALSE(accepted({0x00, 0x01, 0xff, 9, 9, 9, 9, 0}));
}

TEST_F(AcceptorTest, Item23TheErrorAckIsThatOfTheSpecification) {
  const Bytes intro = make_intro(test::version(121, 64));
  Bytes datagram(wire::kMaxDatagram);
  datagram.resize(
      write_error_ack(bob_.context, test::seen(bob_.keys, intro).intro, version_mismatch_text(bob_.context), datagram));
  ASSERT_EQ(datagram.size(), 127u);
  const auto plaintext = test::open_packet(key_, datagram);
  ASSERT_TRUE(plaintext.has_value());
  const auto packet = wire::decode(*plaintext);
  ASSERT_TRUE(packet.has_value());
  EXPECT_EQ(packet->packet_id, 0u);
  EXPECT_EQ(std::get<wire::AckError>(packet->message).text,
            "remote is using a different protocol version, expected version 0.2.154");
  // 1.74 times the intro: within the limit.
  EXPECT_LE(datagram.size(), intro.size() * bob_.config.amplification_limit);
}

TEST_F(AcceptorTest, Item37HandsOutADifferentKeyEveryTime) {
  Handshake one = accept();
  Handshake two = accept();
  EXPECT_NE(handed_out(test::drain(kStart, one).front()), handed_out(test::drain(kStart, two).front()));
}

TEST_F(AcceptorTest, Item35RepeatsTheIdenticalAckOnRepeatedIntros) {
  Handshake handshake = accept();
  const Bytes ack = test::drain(kStart, handshake).front();
  for (int i = 1; i <= 11; ++i) {
    const Instant now = kStart + 40ms * i;
    ASSERT_TRUE(handshake.repeats_intro(intro_));
    EXPECT_EQ(test::deliver_copy(now, handshake, intro_), HandshakeStep::Kind::kProgress);
    const auto sent = test::drain(now, handshake);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0], ack);
  }
}

TEST_F(AcceptorTest, Item35RepeatsTheAckAfter500MillisecondsWithinTheLimit) {
  Handshake handshake = accept();
  const auto sent = test::run_alone(handshake, kStart, kStart + 1min);
  // 3 × 73 = 219 bytes of budget hold two acks of 79.
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[1].at, kStart + 500ms);
  EXPECT_EQ(sent[1].datagram, sent[0].datagram);
}

TEST_F(AcceptorTest, Item35ForgetsTheHandshakeAfterAboutFiveSeconds) {
  Handshake handshake = accept();
  // Long enough for the first ping of a deployed initiator whose completion ack was lost.
  test::run_alone(handshake, kStart, kStart + 5999ms);
  EXPECT_EQ(handshake.failure(), HandshakeFailure::kNone);
  EXPECT_EQ(handshake.handle_timeout(kStart + 6s).kind, HandshakeStep::Kind::kFailed);
  EXPECT_EQ(handshake.failure(), HandshakeFailure::kTimeout);
  EXPECT_EQ(handshake.next_timeout(), std::nullopt);
}

TEST_F(AcceptorTest, Item35NeverExceedsThreeTimesWhatItReceived) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    DeterministicRandom random(seed);
    const std::size_t extra = random.below(2) == 0 ? 0 : random.below(300);
    intro_ = make_intro(wire::kAnnouncedVersion, extra);
    const SocketAddress remote = random.below(2) == 0 ? kAlice : test::address("[2001:db8::7]:9");
    Handshake handshake = accept(remote);
    std::size_t received = intro_.size();
    std::size_t sent = 0;
    Instant now = kStart;
    while (handshake.next_timeout()) {
      for (const Bytes& datagram : test::drain(now, handshake)) sent += datagram.size();
      ASSERT_LE(sent, 3 * received) << "seed " << seed;
      now += Duration{static_cast<Duration::rep>(random.below(400'000'000))};
      if (random.below(3) == 0) {
        received += intro_.size();
        test::deliver_copy(now, handshake, intro_);
      }
      Bytes junk(random.below(1200));
      random.fill(junk);
      if (!junk.empty()) junk[0] = static_cast<std::uint8_t>(1 + random.below(2));
      test::deliver(now, handshake, junk);
      handshake.handle_timeout(now);
    }
  }
}

TEST_F(AcceptorTest, Item36AnyAuthenticDatagramConfirmsAndIsHandedOver) {
  const std::vector<wire::Message> messages = {
      wire::Ping{7},        wire::Pong{8}, wire::NoOp{}, wire::ShortMessage{as_bytes("hi")}, wire::UpgradeOffer{1, 0},
      wire::AckError{"bye"}};
  for (const wire::Message& message : messages) {
    Handshake handshake = accept();
    const SymmetricKey ours = handed_out(test::drain(kStart, handshake).front());
    Bytes datagram = test::seal_message(alice_.random, ours, 1, message);
    const HandshakeStep step = test::deliver(kStart + 20ms, handshake, datagram);
    ASSERT_EQ(step.kind, HandshakeStep::Kind::kEstablished) << message.index();
    EXPECT_FALSE(step.confirmed_by_ack);
    const auto packet = wire::decode(step.plaintext);
    ASSERT_TRUE(packet.has_value());
    EXPECT_EQ(packet->message.index(), message.index());
  }
}

TEST_F(AcceptorTest, Item36EvenWhatDoesNotDecodeConfirms) {
  Handshake handshake = accept();
  const SymmetricKey ours = handed_out(test::drain(kStart, handshake).front());
  Bytes datagram = test::seal_plaintext(alice_.random, ours, {});
  const HandshakeStep step = test::deliver(kStart, handshake, datagram);
  EXPECT_EQ(step.kind, HandshakeStep::Kind::kEstablished);
  EXPECT_FALSE(step.confirmed_by_ack);
}

TEST_F(AcceptorTest, ACompletionAckConfirmsAndTellsTheObservedAddress) {
  Handshake handshake = accept();
  const SymmetricKey ours = handed_out(test::drain(kStart, handshake).front());
  Bytes datagram = completion(ours);
  const HandshakeStep step = test::deliver(kStart + 20ms, handshake, datagram);
  ASSERT_EQ(step.kind, HandshakeStep::Kind::kEstablished);
  EXPECT_TRUE(step.confirmed_by_ack);
  EXPECT_TRUE(test::drain(kStart, handshake).empty());
  const Session session = handshake.take_session();
  EXPECT_FALSE(session.initiator());
  EXPECT_FALSE(session.peer_authenticated());
  EXPECT_EQ(session.observed_self(), test::kBob);
  EXPECT_EQ(session.sending_key(), key_);
  EXPECT_EQ(session.peer_version(), wire::kAnnouncedVersion);
  EXPECT_FALSE(session.requested_key().has_value());
  EXPECT_TRUE(session.knows_intro(IntroFingerprint::of(intro_)));
}

TEST_F(AcceptorTest, Item35IgnoresJunkWhileWaiting) {
  Handshake handshake = accept();
  const SymmetricKey ours = handed_out(test::drain(kStart, handshake).front());
  const Bytes good = completion(ours);
  for (std::size_t at = 0; at < good.size(); ++at) {
    Bytes damaged = good;
    damaged[at] ^= 0x40;
    EXPECT_EQ(test::deliver(kStart, handshake, damaged).kind, HandshakeStep::Kind::kNothing) << at;
  }
  // A packet of an older session of the same peer.
  EXPECT_EQ(test::deliver_copy(kStart, handshake, completion(SymmetricKey::generate(alice_.random))),
            HandshakeStep::Kind::kNothing);
  EXPECT_EQ(test::deliver_copy(kStart, handshake, good), HandshakeStep::Kind::kEstablished);
}

TEST_F(AcceptorTest, AnotherIntroIsNotItsOwn) {
  Handshake handshake = accept();
  test::drain(kStart, handshake);
  const Bytes other = make_intro(wire::kAnnouncedVersion);
  EXPECT_FALSE(handshake.repeats_intro(other));
  EXPECT_EQ(test::deliver_copy(kStart, handshake, other), HandshakeStep::Kind::kNothing);
  EXPECT_EQ(handshake.receive_intro(kStart, test::seen(bob_.keys, other)).kind, HandshakeStep::Kind::kNothing);
  EXPECT_TRUE(test::drain(kStart, handshake).empty());
}

TEST_F(AcceptorTest, TheSessionGoesOnUnderTheNoncesOfItsAck) {
  Handshake handshake = accept();
  const Bytes ack = test::drain(kStart, handshake).front();
  const SymmetricKey ours = handed_out(ack);
  test::deliver_copy(kStart, handshake, completion(ours));
  Session session = handshake.take_session();
  Bytes next(wire::kMaxDatagram);
  next.resize(session.write_completion_ack(next));
  // Item 8: one counter a key, so that the session's first packet follows the ack's nonce.
  const Nonce before = nonce_of(ack);
  const Nonce after = nonce_of(next);
  EXPECT_TRUE(std::equal(before.bytes.begin(), before.bytes.begin() + 4, after.bytes.begin()));
  EXPECT_EQ(load_le<std::uint64_t>(before.bytes.data() + 4) + 1, load_le<std::uint64_t>(after.bytes.data() + 4));
}

}  // namespace
}  // namespace godwit::handshake_acceptor_test
