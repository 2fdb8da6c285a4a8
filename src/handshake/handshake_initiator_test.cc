// The initiator's role, against a peer that the test scripts datagram by datagram.
#include "handshake/handshake_initiator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "handshake/handshake_initiator_test_support.h"
#include "handshake/key_usage.h"

namespace godwit::handshake_initiator_test {
namespace {

using test::Bytes;
using test::InitiatorTest;
using test::kAlice;
using test::kBob;
using test::kStart;

TEST_F(InitiatorTest, Item1SendsIntrosOf73Bytes) {
  Handshake handshake = initiate();
  const auto sent = test::drain(kStart, handshake);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].size(), 73u);
  EXPECT_EQ(sent[0][0], 0x01);
}

TEST_F(InitiatorTest, Item20AnnouncesTheCurrentVersion) {
  Handshake handshake = initiate();
  const IntroSeen intro = test::seen(bob_.keys, test::drain(kStart, handshake).front());
  EXPECT_EQ(intro.intro.version, (wire::VersionBytes{0xff, 0x00, 0x02, 0x00, 0x9a, 0x00, 0x7a, 0x01}));
}

TEST_F(InitiatorTest, Item27SendsIntrosEvery250MillisecondsForThreeSeconds) {
  alice_.config.connect_timeout = 3s;
  Handshake handshake = initiate();
  const auto sent = test::run_alone(handshake, kStart, kStart + 1min);
  ASSERT_EQ(sent.size(), 12u);
  for (std::size_t i = 0; i < sent.size(); ++i) {
    EXPECT_EQ(sent[i].at, kStart + 250ms * static_cast<int>(i));
    EXPECT_EQ(sent[i].datagram, sent[0].datagram);
  }
  EXPECT_EQ(handshake.failure(), HandshakeFailure::kTimeout);
}

TEST_F(InitiatorTest, Item27NeverSendsMoreThanFortyTimesAnAttempt) {
  alice_.config.connect_timeout = 3s;
  alice_.config.attempt_interval = 10ms;
  Handshake handshake = initiate();
  EXPECT_EQ(test::run_alone(handshake, kStart, kStart + 1min).size(), 40u);
}

TEST_F(InitiatorTest, Item27LateTimersDoNotStretchTheSpacing) {
  alice_.config.connect_timeout = 3s;
  Handshake handshake = initiate();
  std::size_t sent = test::drain(kStart, handshake).size();
  // Every timer fires 100 ms late.
  while (const auto next = handshake.next_timeout()) {
    handshake.handle_timeout(*next + 100ms);
    sent += test::drain(*next, handshake).size();
  }
  EXPECT_EQ(sent, 12u);
}

TEST_F(InitiatorTest, Item4UsesAFreshEphemeralKeyForEveryAttempt) {
  Handshake handshake = initiate();
  const auto sent = test::run_alone(handshake, kStart, kStart + 1min);
  // Five attempts of twelve within the 15 s of a connect.
  ASSERT_EQ(sent.size(), 60u);
  std::set<std::string> ephemerals;
  std::set<std::string> keys;
  for (const test::Sent& intro : sent) {
    ephemerals.insert(std::string(intro.datagram.begin() + 1, intro.datagram.begin() + 33));
    const SymmetricKey key = first_key(intro.datagram);
    keys.insert(std::string(key.bytes().begin(), key.bytes().end()));
  }
  EXPECT_EQ(ephemerals.size(), 5u);
  EXPECT_EQ(keys.size(), 5u);
  EXPECT_EQ(handshake.failure(), HandshakeFailure::kTimeout);
}

TEST_F(InitiatorTest, HonoursADeadlineOfItsOwn) {
  auto handshake = Handshake::initiate(kStart, alice_.context, kBob, bob_.keys.public_key(), kStart + 1s);
  ASSERT_TRUE(handshake.has_value());
  EXPECT_EQ(test::run_alone(*handshake, kStart, kStart + 1min).size(), 4u);
  EXPECT_EQ(handshake->failure(), HandshakeFailure::kTimeout);
  EXPECT_EQ(handshake->next_timeout(), std::nullopt);
}

TEST_F(InitiatorTest, RefusesAPeerKeyOfLowOrder) {
  const auto handshake = Handshake::initiate(kStart, alice_.context, kBob, PublicKey());
  ASSERT_FALSE(handshake.has_value());
  EXPECT_EQ(handshake.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(InitiatorTest, Item28TakesTheKeyOfTheAckAndSendsOneCompletionAck) {
  Handshake handshake = initiate();
  const SymmetricKey k1 = first_key(test::drain(kStart, handshake).front());
  const SymmetricKey theirs = new_key();
  Bytes ack = success_ack(k1, theirs);
  const HandshakeStep step = test::deliver(kStart + 40ms, handshake, ack);
  ASSERT_EQ(step.kind, HandshakeStep::Kind::kEstablished);
  EXPECT_TRUE(step.confirmed_by_ack);
  EXPECT_TRUE(step.plaintext.empty());

  const auto sent = test::drain(kStart + 40ms, handshake);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].size(), 75u);
  const auto completion = test::message_in<wire::AckOk>(theirs, sent[0]);
  ASSERT_TRUE(completion.has_value());
  EXPECT_EQ(completion->key, k1);
  EXPECT_EQ(completion->remote_address, kBob);
  EXPECT_FALSE(completion->version.has_value());
  const auto plaintext = test::open_packet(theirs, sent[0]);
  EXPECT_EQ(wire::decode(*plaintext)->packet_id, 0u);

  const Session session = handshake.take_session();
  EXPECT_EQ(session.sending_key(), theirs);
  EXPECT_TRUE(session.peer_authenticated());
  EXPECT_TRUE(session.initiator());
  EXPECT_EQ(session.observed_self(), kAlice);
  EXPECT_EQ(session.peer_version(), wire::kAnnouncedVersion);
  EXPECT_EQ(session.requested_key(), bob_.keys.public_key());
  EXPECT_FALSE(session.several_keys());
  EXPECT_FALSE(session.peer_tracks_noops());
  EXPECT_FALSE(session.peer_may_use_id_zero());
}

TEST_F(InitiatorTest, Item26AcceptsALegacyAckAndRegardsTheVersionAsUnknown) {
  Handshake handshake = initiate();
  const SymmetricKey k1 = first_key(test::drain(kStart, handshake).front());
  Bytes ack = success_ack(k1, new_key(), false);
  ASSERT_EQ(test::deliver(kStart, handshake, ack).kind, HandshakeStep::Kind::kEstablished);
  const Session session = handshake.take_session();
  EXPECT_FALSE(session.peer_version().has_value());
  EXPECT_TRUE(session.peer_tracks_noops());
  EXPECT_TRUE(session.peer_may_use_id_zero());
}

TEST_F(InitiatorTest, Item24EndsOnAnErrorAckAndSurfacesTheVersion) {
  Handshake handshake = initiate();
  const SymmetricKey k1 = first_key(test::drain(kStart, handshake).front());
  Bytes error = test::seal_message(
      bob_.random, k1, 0, wire::AckError{"remote is using a different protocol version, expected version 0.2.200"});
  EXPECT_EQ(test::deliver(kStart, handshake, error).kind, HandshakeStep::Kind::kFailed);
  EXPECT_EQ(handshake.failure(), HandshakeFailure::kVersionMismatch);
  EXPECT_EQ(handshake.failure_text(), "the peer expects version 0.2.200");
  EXPECT_EQ(handshake.next_timeout(), std::nullopt);
  EXPECT_TRUE(test::drain(kStart, handshake).empty());
}

TEST_F(InitiatorTest, Item24SurfacesAnyOtherErrorPrintably) {
  Handshake handshake = initiate();
  const SymmetricKey k1 = first_key(test::drain(kStart, handshake).front());
  Bytes error = test::seal_message(bob_.random, k1, 0, wire::AckError{"go\x1b away\n"});
  EXPECT_EQ(test::deliver(kStart, handshake, error).kind, HandshakeStep::Kind::kFailed);
  EXPECT_EQ(handshake.failure(), HandshakeFailure::kRefused);
  EXPECT_EQ(handshake.failure_text(), "the peer refused: go? away?");
}

TEST_F(InitiatorTest, Item31NothingUnauthenticCompletesIt) {
  Handshake handshake = initiate();
  const SymmetricKey k1 = first_key(test::drain(kStart, handshake).front());
  const Bytes ack = success_ack(k1, new_key());
  for (std::size_t at = 0; at < ack.size(); ++at) {
    Bytes damaged = ack;
    damaged[at] ^= 1;
    EXPECT_EQ(test::deliver(kStart, handshake, damaged).kind, HandshakeStep::Kind::kNothing) << at;
  }
  Bytes foreign = success_ack(new_key(), new_key());
  EXPECT_EQ(test::deliver(kStart, handshake, foreign).drop, trace::DropReason::kAuthenticationFailed);
  EXPECT_FALSE(handshake.established());
}

TEST_F(InitiatorTest, Item12SurvivesAuthenticPlaintextsThatDoNotDecode) {
  Handshake handshake = initiate();
  const SymmetricKey k1 = first_key(test::drain(kStart, handshake).front());
  for (const std::size_t size : {0u, 1u, 15u, 16u, 400u}) {
    Bytes junk = test::seal_plaintext(bob_.random, k1, Bytes(size, 0xee));
    const HandshakeStep step = test::deliver(kStart, handshake, junk);
    EXPECT_EQ(step.kind, HandshakeStep::Kind::kNothing);
    EXPECT_EQ(step.drop, trace::DropReason::kUndecodable);
  }
  Bytes ping = test::seal_message(bob_.random, k1, 1, wire::Ping{3});
  EXPECT_EQ(test::deliver(kStart, handshake, ping).kind, HandshakeStep::Kind::kNothing);
  Bytes ack = success_ack(k1, new_key());
  EXPECT_EQ(test::deliver(kStart, handshake, ack).kind, HandshakeStep::Kind::kEstablished);
}

TEST_F(InitiatorTest, AnAckThatComesAfterTheNextAttemptBeganStillCounts) {
  Handshake handshake = initiate();
  const SymmetricKey k1 = first_key(test::drain(kStart, handshake).front());
  const auto sent = test::run_alone(handshake, kStart, kStart + 3250ms);
  const SymmetricKey next_k1 = first_key(sent.back().datagram);
  ASSERT_NE(k1, next_k1);
  const SymmetricKey theirs = new_key();
  Bytes ack = success_ack(k1, theirs);
  ASSERT_EQ(test::deliver(kStart + 3300ms, handshake, ack).kind, HandshakeStep::Kind::kEstablished);
  EXPECT_EQ(test::message_in<wire::AckOk>(theirs, test::drain(kStart + 3300ms, handshake).front())->key, k1);
  // The newer intro may yet reset the peer, which then seals under the newer key.
  Session session = handshake.take_session();
  EXPECT_TRUE(session.several_keys());
  Bytes late =
      test::seal_message(bob_.random, next_k1, 0,
                         wire::AckOk{.key = theirs, .remote_address = kAlice, .version = wire::kAnnouncedVersion});
  std::array<std::uint8_t, wire::kMaxReceivedPlaintext> scratch;
  const auto opened = session.open(late, scratch);
  ASSERT_TRUE(opened.has_value());
  EXPECT_EQ(opened->age, InboundKeyAge::kNewer);
}

TEST_F(InitiatorTest, AnAckTwoAttemptsLateDoesNotCount) {
  Handshake handshake = initiate();
  const SymmetricKey k1 = first_key(test::drain(kStart, handshake).front());
  test::run_alone(handshake, kStart, kStart + 6s);
  Bytes ack = success_ack(k1, new_key());
  EXPECT_EQ(test::deliver(kStart + 6s, handshake, ack).kind, HandshakeStep::Kind::kNothing);
}

// --- Simultaneous open ---

TEST_F(InitiatorTest, Item30AnswersThePeersIntroWithOneMoreIntroAndSuccessAcks) {
  Handshake handshake = initiate();
  const Bytes intro = test::drain(kStart, handshake).front();
  const SymmetricKey k1 = first_key(intro);
  const SymmetricKey theirs = new_key();
  Bytes peer = peer_intro(theirs);
  EXPECT_EQ(test::deliver(kStart + 100ms, handshake, peer).kind, HandshakeStep::Kind::kProgress);
  EXPECT_TRUE(handshake.repeats_intro(peer));

  const auto sent = test::run_alone(handshake, kStart + 100ms, kStart + 3s);
  ASSERT_GE(sent.size(), 13u);
  // W3: the intro once more, so that the peer learns K1 before K2, and then no more intros.
  EXPECT_EQ(sent[0].datagram, intro);
  EXPECT_EQ(sent[0].at, sent[1].at);
  for (std::size_t i = 1; i < sent.size(); ++i) {
    const auto ack = test::message_in<wire::AckOk>(theirs, sent[i].datagram);
    ASSERT_TRUE(ack.has_value()) << i;
    EXPECT_EQ(ack->version, wire::kAnnouncedVersion);
    EXPECT_EQ(ack->remote_address, kBob);
    EXPECT_NE(ack->key, k1) << "the ack must carry K2, never K1";
    EXPECT_EQ(sent[i].datagram, sent[1].datagram) << "repeats are byte-identical";
    EXPECT_EQ(sent[i].at, kStart + 100ms + 250ms * static_cast<int>(i - 1));
  }
}

TEST_F(InitiatorTest, SimultaneousOpenIgnoresAnIncompatibleIntroSilently) {
  Handshake handshake = initiate();
  test::drain(kStart, handshake);
  Bytes peer = peer_intro(new_key(), test::version(200, 155));
  const HandshakeStep step = test::deliver(kStart, handshake, peer);
  EXPECT_EQ(step.kind, HandshakeStep::Kind::kNothing);
  EXPECT_EQ(step.drop, trace::DropReason::kIncompatibleVersion);
  EXPECT_TRUE(test::drain(kStart, handshake).empty());
  EXPECT_EQ(test::run_alone(handshake, kStart, kStart + 1s).size(), 4u);
}

TEST_F(InitiatorTest, SimultaneousOpenWithADeployedPeerNeedsNoFurtherProof) {
  Handshake handshake = initiate();
  const SymmetricKey k1 = first_key(test::drain(kStart, handshake).front());
  // A deployed peer has one key for its intro and its acks.
  const SymmetricKey theirs = new_key();
  Bytes peer = peer_intro(theirs);
  test::deliver(kStart, handshake, peer);
  test::drain(kStart, handshake);
  Bytes ack = success_ack(k1, theirs);
  const HandshakeStep step = test::deliver(kStart + 50ms, handshake, ack);
  ASSERT_EQ(step.kind, HandshakeStep::Kind::kEstablished);
  EXPECT_TRUE(step.confirmed_by_ack);
  // Item 28: the completion ack, with K1, which this peer has proven to know.
  const auto sent = test::drain(kStart + 50ms, handshake);
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(test::message_in<wire::AckOk>(theirs, sent[0])->key, k1);
  Session session = handshake.take_session();
  EXPECT_EQ(session.sending_key(), theirs);
  EXPECT_TRUE(session.peer_authenticated());
  EXPECT_FALSE(session.several_keys());
}

TEST_F(InitiatorTest, Item31InSimultaneousOpenOnlyAnAuthenticDatagramCompletesIt) {
  Handshake handshake = initiate();
  test::drain(kStart, handshake);
  Bytes peer = peer_intro(new_key());
  test::deliver(kStart, handshake, peer);
  test::drain(kStart, handshake);
  for (int i = 0; i < 200; ++i) {
    Bytes junk(bob_.random.below(200) + 1);
    bob_.random.fill(junk);
    junk[0] = 0x02;
    EXPECT_EQ(test::deliver(kStart, handshake, junk).kind, HandshakeStep::Kind::kNothing);
  }
  // Nor does junk cause or delay a transmission (wire spec 1.5).
  EXPECT_TRUE(test::drain(kStart, handshake).empty());
}

TEST_F(InitiatorTest, W4HandsOverTheContentThatCompletesASimultaneousOpen) {
  Handshake handshake = initiate();
  const SymmetricKey k1 = first_key(test::drain(kStart, handshake).front());
  Bytes peer = peer_intro(new_key());
  test::deliver(kStart, handshake, peer);
  Bytes message = test::seal_message(bob_.random, k1, 1, wire::ShortMessage{as_bytes("first words")});
  const HandshakeStep step = test::deliver(kStart, handshake, message);
  ASSERT_EQ(step.kind, HandshakeStep::Kind::kEstablished);
  EXPECT_FALSE(step.confirmed_by_ack);
  const auto packet = wire::decode(step.plaintext);
  ASSERT_TRUE(packet.has_value());
  EXPECT_TRUE(std::ranges::equal(std::get<wire::ShortMessage>(packet->message).payload, as_bytes("first words")));
  // Inside the datagram, so that it lives as long as the batch.
  EXPECT_GE(step.plaintext.data(), message.data());
  EXPECT_LE(step.plaintext.data() + step.plaintext.size(), message.data() + message.size());
}

TEST_F(InitiatorTest, Item12AnUndecodablePacketCompletesASimultaneousOpenToo) {
  Handshake handshake = initiate();
  const SymmetricKey k1 = first_key(test::drain(kStart, handshake).front());
  Bytes peer = peer_intro(new_key());
  test::deliver(kStart, handshake, peer);
  Bytes junk = test::seal_plaintext(bob_.random, k1, Bytes(3, 0xee));
  const HandshakeStep step = test::deliver(kStart, handshake, junk);
  EXPECT_EQ(step.kind, HandshakeStep::Kind::kEstablished);
  EXPECT_EQ(step.plaintext.size(), 3u);
}

TEST_F(InitiatorTest, AnErrorAckEndsASimultaneousOpen) {
  Handshake handshake = initiate();
  const SymmetricKey k1 = first_key(test::drain(kStart, handshake).front());
  Bytes peer = peer_intro(new_key());
  test::deliver(kStart, handshake, peer);
  Bytes error = test::seal_message(bob_.random, k1, 0, wire::AckError{"no"});
  EXPECT_EQ(test::deliver(kStart, handshake, error).kind, HandshakeStep::Kind::kFailed);
}

TEST_F(InitiatorTest, AnAttemptThatBecameSimultaneousHasItsThreeSecondsFromThere) {
  Handshake handshake = initiate();
  test::run_alone(handshake, kStart, kStart + 2900ms);
  const SymmetricKey theirs = new_key();
  Bytes peer = peer_intro(theirs);
  test::deliver(kStart + 2900ms, handshake, peer);
  const auto sent = test::run_alone(handshake, kStart + 2900ms, kStart + 5800ms);
  EXPECT_EQ(std::ranges::count_if(sent, [](const test::Sent& s) { return test::is_intro(s.datagram); }), 1);
  EXPECT_EQ(sent.size(), 1u + 12u);
}

TEST_F(InitiatorTest, CountsOnFromEarlierSessionsUnderAReusedKey) {
  KeyUsage usage(alice_.random);
  const SymmetricKey theirs = new_key();
  usage.record(theirs, 1000);
  alice_.context.key_usage = &usage;
  Handshake handshake = initiate();
  Bytes ack = success_ack(first_key(test::drain(kStart, handshake).front()), theirs);
  test::deliver(kStart, handshake, ack);
  test::drain(kStart, handshake);
  EXPECT_EQ(handshake.take_session().sealer().packets_sealed(), 1001u);
}

}  // namespace
}  // namespace godwit::handshake_initiator_test
