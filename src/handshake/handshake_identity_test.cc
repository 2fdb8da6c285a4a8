// Who answers a connection attempt? Spoofed intros, two inbound keys, and the proof of a sending key (wire spec W3).
#include <gtest/gtest.h>

#include <vector>

#include "handshake/handshake_initiator.h"
#include "handshake/handshake_initiator_test_support.h"

namespace godwit::handshake_identity_test {
namespace {

using test::Bytes;
using test::InitiatorTest;
using test::kAlice;
using test::kStart;

TEST_F(InitiatorTest, W3ASpoofedIntroDoesNotAuthenticateItsSender) {
  Handshake handshake = initiate();
  test::drain(kStart, handshake);
  // The attacker has no static secret: it seals an intro with a key of its own and reads K2 in the ack.
  const SymmetricKey attackers = new_key();
  Bytes spoofed = peer_intro(attackers);
  test::deliver(kStart, handshake, spoofed);
  const auto sent = test::drain(kStart, handshake);
  ASSERT_EQ(sent.size(), 2u);
  const SymmetricKey k2 = test::message_in<wire::AckOk>(attackers, sent[1])->key;
  Bytes confirming = test::seal_message(bob_.random, k2, 1, wire::Ping{1});
  ASSERT_EQ(test::deliver(kStart, handshake, confirming).kind, HandshakeStep::Kind::kEstablished);
  Session session = handshake.take_session();
  EXPECT_FALSE(session.peer_authenticated());
  // Not even an answered ping authenticates what opens under K2.
  EXPECT_FALSE(session.on_ping_answered(false));
  EXPECT_FALSE(session.peer_authenticated());
}

TEST_F(InitiatorTest, W3NeverTellsTheFirstKeyToAnUnprovenKey) {
  // Whatever an attacker with a spoofed intro sends under K2, nothing sealed with its key names K1.
  for (const bool v2 : {false, true}) {
    Handshake handshake = initiate();
    const SymmetricKey k1 = first_key(test::drain(kStart, handshake).front());
    const SymmetricKey attackers = new_key();
    Bytes spoofed = peer_intro(attackers);
    test::deliver(kStart, handshake, spoofed);
    auto sent = test::drain(kStart, handshake);
    const SymmetricKey k2 = test::message_in<wire::AckOk>(attackers, sent[1])->key;
    Bytes ack = success_ack(k2, attackers, v2);
    ASSERT_EQ(test::deliver(kStart, handshake, ack).kind, HandshakeStep::Kind::kProgress);
    ASSERT_EQ(handshake.handle_timeout(kStart + 100ms).kind, HandshakeStep::Kind::kEstablished);
    for (const Bytes& datagram : test::drain(kStart, handshake)) sent.push_back(datagram);
    Session session = handshake.take_session();
    Bytes completion(wire::kMaxDatagram);
    completion.resize(session.write_completion_ack(completion));
    sent.push_back(completion);
    for (const Bytes& datagram : sent) {
      const auto read = test::message_in<wire::AckOk>(attackers, datagram);
      if (read) {
        EXPECT_NE(read->key, k1);
      }
    }
  }
}

TEST_F(InitiatorTest, W3UnderThePolicyASpoofedIntroLearnsNoKeyAndNeverEstablishes) {
  alice_.config.require_authenticated_peer = true;
  Handshake handshake = initiate();
  const SymmetricKey attackers = new_key();
  Instant now = kStart;
  std::size_t read = 0;
  while (const auto next = handshake.next_timeout()) {
    Bytes spoofed = peer_intro(attackers);
    test::deliver(now, handshake, spoofed);
    for (const Bytes& datagram : test::drain(now, handshake)) {
      const auto plaintext = test::open_packet(attackers, datagram);
      if (!plaintext) continue;
      ++read;
      const auto packet = wire::decode(*plaintext);
      ASSERT_TRUE(packet.has_value());
      EXPECT_TRUE(std::holds_alternative<wire::Ping>(packet->message)) << "nothing that names a key";
    }
    now = *next;
    handshake.handle_timeout(now);
  }
  EXPECT_GT(read, 0u);
  EXPECT_EQ(handshake.failure(), HandshakeFailure::kUnauthenticated);
}

TEST_F(InitiatorTest, W3UnderThePolicyIntrosGoOnUntilThePeerProvesItself) {
  alice_.config.require_authenticated_peer = true;
  Handshake handshake = initiate();
  const Bytes intro = test::drain(kStart, handshake).front();
  const SymmetricKey theirs = new_key();
  Bytes peer = peer_intro(theirs);
  test::deliver(kStart + 100ms, handshake, peer);
  const auto sent = test::run_alone(handshake, kStart + 100ms, kStart + 1100ms);
  // The first rounds are intros alone: an acceptor that took one would give up for a ping that it cannot open. Its ack
  // has half a second to come.
  ASSERT_EQ(sent.size(), 2u + 3 * 2);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(sent[i].datagram, intro);
  EXPECT_GE(sent[3].at, kStart + 500ms);
  for (std::size_t i = 2; i < sent.size(); i += 2) {
    EXPECT_EQ(sent[i].datagram, intro);
    EXPECT_TRUE(test::message_in<wire::Ping>(theirs, sent[i + 1].datagram).has_value());
  }
  // The first packet under K1 ends the intros; the answer to a ping under the intro's key ends the rest.
  Bytes ack = success_ack(first_key(intro), new_key());
  EXPECT_EQ(test::deliver(kStart + 1200ms, handshake, ack).kind, HandshakeStep::Kind::kProgress);
  for (const test::Sent& s : test::run_alone(handshake, kStart + 1200ms, kStart + 1700ms)) {
    EXPECT_FALSE(test::is_intro(s.datagram));
  }
  const std::uint64_t sequence = test::message_in<wire::Ping>(theirs, sent[3].datagram)->sequence;
  Bytes pong = test::seal_message(bob_.random, first_key(intro), 1, wire::Pong{sequence});
  ASSERT_EQ(test::deliver(kStart + 1700ms, handshake, pong).kind, HandshakeStep::Kind::kEstablished);
  EXPECT_TRUE(handshake.take_session().peer_authenticated());
}

// A peer whose sending key is `key` alone: answers all pings under it until nothing comes of an answer.
HandshakeStep::Kind answer_pings(Handshake& handshake, const SymmetricKey& k1, const SymmetricKey& key,
                                 std::vector<Bytes> sent) {
  test::Party party{77};
  HandshakeStep::Kind last = HandshakeStep::Kind::kNothing;
  for (std::uint32_t id = 1; id < 10 && !sent.empty(); ++id) {
    std::vector<Bytes> next;
    for (const Bytes& datagram : sent) {
      const auto ping = test::message_in<wire::Ping>(key, datagram);
      if (!ping) continue;
      Bytes pong = test::seal_message(party.random, k1, id, wire::Pong{ping->sequence});
      last = test::deliver(kStart + 60ms + 40ms * id, handshake, pong).kind;
      if (last == HandshakeStep::Kind::kEstablished) return last;
      next = test::drain(kStart + 60ms + 40ms * id, handshake);
    }
    sent = std::move(next);
  }
  return last;
}

TEST_F(InitiatorTest, W3UnderThePolicyASpoofedIntroDoesNotKeepTheRequestedAcceptorAway) {
  alice_.config.require_authenticated_peer = true;
  Handshake handshake = initiate();
  const SymmetricKey k1 = first_key(test::drain(kStart, handshake).front());
  Bytes spoofed = peer_intro(new_key());
  test::deliver(kStart, handshake, spoofed);
  test::drain(kStart, handshake);
  const SymmetricKey acceptors = new_key();
  Bytes ack = success_ack(k1, acceptors);
  test::deliver(kStart + 50ms, handshake, ack);
  const auto sent = test::drain(kStart + 50ms, handshake);
  EXPECT_EQ(test::message_in<wire::AckOk>(acceptors, sent.at(0))->key, k1);
  ASSERT_EQ(answer_pings(handshake, k1, acceptors, sent), HandshakeStep::Kind::kEstablished);
  Session session = handshake.take_session();
  EXPECT_EQ(session.sending_key(), acceptors);
  EXPECT_TRUE(session.peer_authenticated());
}

// The peer's intro named one key, its ack under K1 another: whose is the intro?
class ProbeTest : public InitiatorTest {
 protected:
  // Brings the handshake to the probe and returns what it sends there.
  std::vector<Bytes> begin() {
    k1_ = first_key(test::drain(kStart, handshake_).front());
    Bytes peer = peer_intro(intro_key_);
    test::deliver(kStart, handshake_, peer);
    test::drain(kStart, handshake_);
    Bytes ack = success_ack(k1_, acked_key_);
    EXPECT_EQ(test::deliver(kStart + 50ms, handshake_, ack).kind, HandshakeStep::Kind::kProgress);
    return test::drain(kStart + 50ms, handshake_);
  }
  HandshakeStep::Kind deliver_pong(std::uint64_t sequence) {
    Bytes pong = test::seal_message(bob_.random, k1_, 3, wire::Pong{sequence});
    return test::deliver(kStart + 90ms, handshake_, pong).kind;
  }

  SymmetricKey intro_key_ = new_key();
  SymmetricKey acked_key_ = new_key();
  Handshake handshake_ = initiate();
  SymmetricKey k1_;
};

TEST_F(ProbeTest, W3PingsUnderBothKeysAndTellsK1ToTheProvenOneAlone) {
  const auto sent = begin();
  ASSERT_EQ(sent.size(), 3u);
  // A deployed acceptor gives up for one datagram it cannot open: its key comes first.
  const auto completion = test::message_in<wire::AckOk>(acked_key_, sent[0]);
  ASSERT_TRUE(completion.has_value());
  EXPECT_EQ(completion->key, k1_);
  const auto ping_acked = test::message_in<wire::Ping>(acked_key_, sent[1]);
  const auto ping_intro = test::message_in<wire::Ping>(intro_key_, sent[2]);
  ASSERT_TRUE(ping_acked.has_value());
  ASSERT_TRUE(ping_intro.has_value());
  EXPECT_NE(ping_acked->sequence, ping_intro->sequence);
}

TEST_F(ProbeTest, W3SendsWithTheIntrosKeyWhereThePeerCanReadIt) {
  const auto sent = begin();
  ASSERT_EQ(deliver_pong(test::message_in<wire::Ping>(intro_key_, sent[2])->sequence),
            HandshakeStep::Kind::kEstablished);
  Session session = handshake_.take_session();
  EXPECT_EQ(session.sending_key(), intro_key_);
  EXPECT_TRUE(session.peer_authenticated());
  EXPECT_EQ(session.observed_self(), kAlice);
  // The peer's acks under its second key, which may still be on their way, announce nothing.
  const wire::AckOk late{.key = acked_key_, .remote_address = kAlice, .version = wire::kAnnouncedVersion};
  EXPECT_FALSE(
      session.on_success_ack(kStart + 10s, {.ack = late, .nonce = {}, .ordinary_packet_seen = true}).new_session);
}

TEST_F(ProbeTest, W3ASpoofedIntroCostsTheRequestedAcceptorNothing) {
  const auto sent = begin();
  ASSERT_EQ(answer_pings(handshake_, k1_, acked_key_, sent), HandshakeStep::Kind::kEstablished);
  const Session session = handshake_.take_session();
  EXPECT_EQ(session.sending_key(), acked_key_);
  EXPECT_TRUE(session.peer_authenticated());
}

// A peer that is its intro's sender drops its second key with the first packet under its first: found by seed 136087.
TEST_F(ProbeTest, AnAnswerToTheAckedKeyWaitsForOneThatNoPacketUnderTheIntrosCanOvertake) {
  const auto sent = begin();
  EXPECT_EQ(deliver_pong(test::message_in<wire::Ping>(acked_key_, sent[1])->sequence), HandshakeStep::Kind::kProgress);
  const auto confirmation = test::drain(kStart + 90ms, handshake_);
  ASSERT_EQ(confirmation.size(), 1u);
  EXPECT_TRUE(test::message_in<wire::Ping>(acked_key_, confirmation[0]).has_value());
  // What else comes is not lost: it is not acknowledged.
  Bytes message = test::seal_message(bob_.random, k1_, 1, wire::ShortMessage{as_bytes("hi")});
  EXPECT_EQ(test::deliver(kStart + 90ms, handshake_, message).kind, HandshakeStep::Kind::kProgress);
  ASSERT_EQ(deliver_pong(test::message_in<wire::Ping>(intro_key_, sent[2])->sequence),
            HandshakeStep::Kind::kEstablished);
  EXPECT_EQ(handshake_.take_session().sending_key(), intro_key_);
}

TEST_F(ProbeTest, RepeatsThePingsButNotTheCompletionAck) {
  begin();
  const auto sent = test::run_alone(handshake_, kStart + 50ms, kStart + 1050ms);
  ASSERT_EQ(sent.size(), 8u);
  for (std::size_t i = 0; i < sent.size(); i += 2) {
    EXPECT_EQ(sent[i].at, kStart + 50ms + 250ms * static_cast<int>(i / 2 + 1));
    EXPECT_TRUE(test::message_in<wire::Ping>(acked_key_, sent[i].datagram).has_value());
    EXPECT_TRUE(test::message_in<wire::Ping>(intro_key_, sent[i + 1].datagram).has_value());
  }
}

TEST_F(ProbeTest, AnswersThePeersPingsUnderBothKeys) {
  begin();
  Bytes ping = test::seal_message(bob_.random, k1_, 1, wire::Ping{77});
  EXPECT_EQ(test::deliver(kStart + 60ms, handshake_, ping).kind, HandshakeStep::Kind::kProgress);
  const auto sent = test::drain(kStart + 60ms, handshake_);
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(test::message_in<wire::Pong>(acked_key_, sent[0])->sequence, 77u);
  EXPECT_EQ(test::message_in<wire::Pong>(intro_key_, sent[1])->sequence, 77u);
}

TEST_F(ProbeTest, AnAnswerUnderTheSecondKeyOrWithAnotherSequenceProvesNothing) {
  const auto sent = begin();
  const std::uint64_t sequence = test::message_in<wire::Ping>(intro_key_, sent[2])->sequence;
  EXPECT_EQ(deliver_pong(sequence + 1), HandshakeStep::Kind::kNothing);
  EXPECT_EQ(deliver_pong(0), HandshakeStep::Kind::kNothing);
  EXPECT_FALSE(handshake_.established());
}

TEST_F(ProbeTest, TheFormerAttemptGoesOnWhereThePeerIsInIt) {
  k1_ = first_key(test::drain(kStart, handshake_).front());
  Bytes peer = peer_intro(intro_key_);
  test::deliver(kStart, handshake_, peer);
  test::run_alone(handshake_, kStart, kStart + 3100ms);
  Bytes ack = success_ack(k1_, acked_key_);
  EXPECT_EQ(test::deliver(kStart + 3100ms, handshake_, ack).kind, HandshakeStep::Kind::kProgress);
  // No more intros: one of the newer attempt would reset the peer.
  const auto sent = test::run_alone(handshake_, kStart + 3100ms, kStart + 5s);
  EXPECT_GE(sent.size(), 15u);
  for (const test::Sent& s : sent) EXPECT_FALSE(test::is_intro(s.datagram));
  EXPECT_EQ(deliver_pong(test::message_in<wire::Ping>(intro_key_, sent[2].datagram)->sequence),
            HandshakeStep::Kind::kEstablished);
  // The newer attempt's K1 has been sent and may still be used.
  EXPECT_TRUE(handshake_.take_session().several_keys());
}

TEST_F(ProbeTest, AProbeWithoutAnswerEndsWithItsAttempt) {
  begin();
  const auto sent = test::run_alone(handshake_, kStart + 50ms, kStart + 3050ms);
  EXPECT_TRUE(test::is_intro(sent.back().datagram));
  EXPECT_EQ(sent.back().at, kStart + 3050ms);
}

TEST_F(ProbeTest, DataThatArrivesDuringAProbeEstablishesTheSessionUnproven) {
  begin();
  Bytes message = test::seal_message(bob_.random, k1_, 1, wire::ShortMessage{as_bytes("hi")});
  const HandshakeStep step = test::deliver(kStart + 60ms, handshake_, message);
  ASSERT_EQ(step.kind, HandshakeStep::Kind::kEstablished);
  EXPECT_FALSE(step.plaintext.empty());
  EXPECT_FALSE(handshake_.take_session().peer_authenticated());
}

TEST_F(ProbeTest, UnderThePolicyNothingButAProofEstablishesASimultaneousOpen) {
  alice_.config.require_authenticated_peer = true;
  k1_ = first_key(test::drain(kStart, handshake_).front());
  Bytes peer = peer_intro(intro_key_);
  test::deliver(kStart, handshake_, peer);
  test::drain(kStart, handshake_);
  // Authentic, but nobody says yet that the intro was the peer's: the message has to come again.
  Bytes message = test::seal_message(bob_.random, k1_, 1, wire::ShortMessage{as_bytes("hi")});
  EXPECT_EQ(test::deliver(kStart + 50ms, handshake_, message).kind, HandshakeStep::Kind::kProgress);
  const auto sent = test::drain(kStart + 50ms, handshake_);
  ASSERT_EQ(sent.size(), 1u);
  const auto ping = test::message_in<wire::Ping>(intro_key_, sent[0]);
  ASSERT_TRUE(ping.has_value());
  ASSERT_EQ(deliver_pong(ping->sequence), HandshakeStep::Kind::kEstablished);
  EXPECT_TRUE(handshake_.take_session().peer_authenticated());
}

TEST_F(InitiatorTest, KeepsTheFirstKeyAliveWhereThePeerLearntTheSecondFirst) {
  Handshake handshake = initiate();
  const SymmetricKey k1 = first_key(test::drain(kStart, handshake).front());
  const SymmetricKey theirs = new_key();
  Bytes peer = peer_intro(theirs);
  test::deliver(kStart, handshake, peer);
  const SymmetricKey k2 = test::message_in<wire::AckOk>(theirs, test::drain(kStart, handshake)[1])->key;
  Bytes ack = success_ack(k2, theirs, false);
  ASSERT_EQ(test::deliver(kStart, handshake, ack).kind, HandshakeStep::Kind::kProgress);
  ASSERT_EQ(handshake.next_timeout(), kStart + 100ms);
  const HandshakeStep step = handshake.handle_timeout(kStart + 100ms);
  ASSERT_EQ(step.kind, HandshakeStep::Kind::kEstablished);
  EXPECT_TRUE(step.confirmed_by_ack);
  EXPECT_TRUE(test::drain(kStart + 100ms, handshake).empty());
  Session session = handshake.take_session();
  ASSERT_TRUE(session.several_keys());
  // The late intro resets the deployed peer, which answers as an acceptor under K1 (appendix C, O6).
  Bytes late = success_ack(k1, new_key());
  std::array<std::uint8_t, wire::kMaxReceivedPlaintext> scratch;
  const auto opened = session.open(late, scratch);
  ASSERT_TRUE(opened.has_value());
  EXPECT_TRUE(opened->proves_peer);
  EXPECT_EQ(opened->age, InboundKeyAge::kNewer);
}

TEST_F(InitiatorTest, WaitsAMomentForTheAckOfAPeerThatItsLateIntroHasReset) {
  Handshake handshake = initiate();
  const SymmetricKey k1 = first_key(test::drain(kStart, handshake).front());
  const SymmetricKey theirs = new_key();
  Bytes peer = peer_intro(theirs);
  test::deliver(kStart, handshake, peer);
  const SymmetricKey k2 = test::message_in<wire::AckOk>(theirs, test::drain(kStart, handshake)[1])->key;
  Bytes completion = success_ack(k2, theirs, false);
  test::deliver(kStart + 50ms, handshake, completion);
  EXPECT_TRUE(test::drain(kStart + 50ms, handshake).empty()) << "a word now would end its second handshake";
  const SymmetricKey acceptors = new_key();
  Bytes ack = success_ack(k1, acceptors);
  test::deliver(kStart + 60ms, handshake, ack);
  const auto sent = test::drain(kStart + 60ms, handshake);
  ASSERT_GE(sent.size(), 2u);
  EXPECT_EQ(test::message_in<wire::AckOk>(acceptors, sent[0])->key, k1);
  ASSERT_EQ(answer_pings(handshake, k1, acceptors, sent), HandshakeStep::Kind::kEstablished);
  EXPECT_TRUE(handshake.take_session().peer_authenticated());
}

}  // namespace
}  // namespace godwit::handshake_identity_test
