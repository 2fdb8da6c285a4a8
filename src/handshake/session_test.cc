#include "handshake/session.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "handshake/handshake_test_support.h"
#include "handshake/key_usage.h"

namespace godwit::session_test {
namespace {

using test::Bytes;
using test::kStart;

class SessionTest : public testing::Test {
 protected:
  Session::Parts parts(bool proves_peer = true) {
    Session::Parts parts;
    parts.established_at = kStart;
    parts.initiator = true;
    parts.remote = test::kBob;
    parts.sending_key = SymmetricKey::generate(bob_.random);
    parts.sending_key_proven = proves_peer;
    parts.sealer = std::make_unique<PacketSealer>(make_sealer(alice_.context, parts.sending_key));
    parts.inbound = std::make_unique<InboundKey>(make_inbound_key(alice_.context, proves_peer));
    parts.others_expire = kStart + 10s;
    return parts;
  }
  InboundKey other_key(bool proves_peer, InboundKeyAge age) {
    InboundKey key = make_inbound_key(alice_.context, proves_peer);
    key.age = age;
    return key;
  }
  std::optional<Session::Opened> open(Session& session, Bytes& datagram) {
    const auto opened = session.open(datagram, scratch_);
    return opened ? std::optional(*opened) : std::nullopt;
  }
  Bytes packet(const SymmetricKey& key) { return test::seal_message(bob_.random, key, 1, wire::Ping{1}); }

  test::Party alice_{1};
  test::Party bob_{2};
  std::array<std::uint8_t, wire::kMaxReceivedPlaintext> scratch_{};
};

TEST_F(SessionTest, OpensInPlaceWithASingleKey) {
  Session::Parts made = parts();
  const SymmetricKey key = made.inbound->key;
  Session session(std::move(made));
  Bytes datagram = packet(key);
  const auto opened = open(session, datagram);
  ASSERT_TRUE(opened.has_value());
  EXPECT_EQ(opened->plaintext.data(), datagram.data() + 13);
  EXPECT_TRUE(opened->proves_peer);
  EXPECT_EQ(opened->age, InboundKeyAge::kCurrent);
}

TEST_F(SessionTest, WithSeveralKeysAWrongOneDestroysNothing) {
  Session::Parts made = parts();
  made.others.push_back(other_key(true, InboundKeyAge::kNewer));
  made.others.push_back(other_key(false, InboundKeyAge::kFormer));
  const std::array keys = {made.inbound->key, made.others[0].key, made.others[1].key};
  Session session(std::move(made));
  for (std::size_t i = 0; i < keys.size(); ++i) {
    Bytes datagram = packet(keys[i]);
    const auto opened = open(session, datagram);
    ASSERT_TRUE(opened.has_value()) << i;
    EXPECT_EQ(opened->plaintext.data(), datagram.data() + 13) << "the plaintext lives in the datagram";
    const auto decoded = wire::decode(opened->plaintext);
    ASSERT_TRUE(decoded.has_value());
    EXPECT_TRUE(std::holds_alternative<wire::Ping>(decoded->message));
  }
  Bytes foreign = packet(SymmetricKey::generate(bob_.random));
  const Bytes before = foreign;
  EXPECT_FALSE(open(session, foreign).has_value());
  EXPECT_EQ(foreign, before);
}

TEST_F(SessionTest, OpenKeepingLeavesTheDatagramOfAPendingHandshakeIntact) {
  Session session(parts());
  Bytes foreign = packet(SymmetricKey::generate(bob_.random));
  const Bytes before = foreign;
  EXPECT_FALSE(session.open_keeping(foreign, scratch_).has_value());
  EXPECT_EQ(foreign, before);
}

TEST_F(SessionTest, OtherKeysExpire) {
  Session::Parts made = parts();
  made.others.push_back(other_key(true, InboundKeyAge::kNewer));
  const SymmetricKey key = made.others[0].key;
  Session session(std::move(made));
  session.expire_others(kStart + 9s);
  EXPECT_TRUE(session.several_keys());
  session.expire_others(kStart + 10s);
  EXPECT_FALSE(session.several_keys());
  Bytes datagram = packet(key);
  EXPECT_FALSE(open(session, datagram).has_value());
}

TEST_F(SessionTest, CountsUnderTheSameKeyGoOnInANewSession) {
  Session::Parts made = parts();
  const SymmetricKey theirs = made.sending_key;
  Session session(std::move(made));
  Bytes out(wire::kMaxDatagram);
  ASSERT_EQ(session.write_completion_ack(out), 75u);
  session.adopt(kStart + 5s, alice_.context, {.key = theirs, .remote_address = test::kAlice, .version = std::nullopt},
                {});
  EXPECT_EQ(session.sealer().packets_sealed(), 1u);
  ASSERT_EQ(session.write_completion_ack(out), 75u);
  EXPECT_EQ(session.sealer().packets_sealed(), 2u);
}

TEST_F(SessionTest, FollowsThePeerIntoASessionUnderANewerKey) {
  // Established under K2, the attacker's or a peer's that had not seen our intro; the real peer answers under K1.
  Session::Parts made = parts(false);
  made.peer_intro_seen = true;
  made.others.push_back(other_key(true, InboundKeyAge::kNewer));
  const SymmetricKey second = made.inbound->key;
  const SymmetricKey first = made.others[0].key;
  Session session(std::move(made));
  EXPECT_FALSE(session.peer_authenticated());

  const wire::AckOk ack{
      .key = SymmetricKey::generate(bob_.random), .remote_address = test::kAlice, .version = wire::kAnnouncedVersion};
  Bytes datagram = test::seal_message(bob_.random, first, 0, ack);
  const auto opened = open(session, datagram);
  ASSERT_TRUE(opened.has_value());
  const AckReaction reaction =
      session.on_success_ack(kStart + 1s, {.ack = ack, .nonce = nonce_of(datagram), .opened_by = opened->age});
  ASSERT_TRUE(reaction.new_session);
  session.adopt(kStart + 1s, alice_.context, ack, *opened);

  EXPECT_EQ(session.sending_key(), ack.key);
  EXPECT_TRUE(session.peer_authenticated());
  EXPECT_EQ(session.established_at(), kStart + 1s);
  EXPECT_EQ(session.observed_self(), test::kAlice);
  // K2 is of no more use to anybody.
  EXPECT_FALSE(session.several_keys());
  Bytes late = packet(second);
  EXPECT_FALSE(open(session, late).has_value());
  // The completion ack names the key that the ack was opened with.
  Bytes out(wire::kMaxDatagram);
  out.resize(session.write_completion_ack(out));
  EXPECT_EQ(test::message_in<wire::AckOk>(ack.key, out)->key, first);
}

TEST_F(SessionTest, KeepsAFormerKeyThatProvesThePeerForTenSeconds) {
  Session::Parts made = parts();
  made.others.push_back(other_key(true, InboundKeyAge::kNewer));
  const SymmetricKey former = made.inbound->key;
  const SymmetricKey newer = made.others[0].key;
  Session session(std::move(made));
  const wire::AckOk ack{
      .key = SymmetricKey::generate(bob_.random), .remote_address = test::kAlice, .version = std::nullopt};
  Bytes datagram = test::seal_message(bob_.random, newer, 0, ack);
  const auto opened = open(session, datagram);
  session.adopt(kStart + 1s, alice_.context, ack, *opened);
  Bytes late = packet(former);
  const auto old = open(session, late);
  ASSERT_TRUE(old.has_value());
  EXPECT_EQ(old->age, InboundKeyAge::kFormer);
  session.expire_others(kStart + 11s);
  EXPECT_FALSE(session.several_keys());
}

TEST_F(SessionTest, AnAnsweredPingProvesTheSendingKeyOnlyUnderAProvingKey) {
  Session::Parts made = parts();
  made.sending_key_proven = false;
  Session session(std::move(made));
  EXPECT_FALSE(session.peer_authenticated());
  EXPECT_FALSE(session.on_ping_answered(false));
  EXPECT_TRUE(session.on_ping_answered(true));
  EXPECT_TRUE(session.peer_authenticated());
  EXPECT_FALSE(session.on_ping_answered(true)) << "reported once";
}

TEST_F(SessionTest, Item39KnowsTheIntrosThatSayNothingNew) {
  Session::Parts made = parts();
  const Bytes founding = test::make_intro(bob_.random, alice_.keys.public_key(),
                                          {.version = wire::kAnnouncedVersion, .key = made.sending_key});
  const IntroSeen founding_seen = test::seen(alice_.keys, founding);
  made.founding_intro = founding_seen.fingerprint;
  made.peer_intro_seen = true;
  const SymmetricKey sending = made.sending_key;
  Session session(std::move(made));
  EXPECT_TRUE(session.knows_intro(founding_seen.fingerprint));
  EXPECT_TRUE(session.is_stale_intro(kStart + 1h, founding_seen));
  // Another intro with the key in use: the same attempt of the peer.
  const Bytes again =
      test::make_intro(bob_.random, alice_.keys.public_key(), {.version = wire::kAnnouncedVersion, .key = sending});
  EXPECT_TRUE(session.is_stale_intro(kStart + 1h, test::seen(alice_.keys, again)));
  // A restart.
  const Bytes fresh =
      test::make_intro(bob_.random, alice_.keys.public_key(),
                       {.version = wire::kAnnouncedVersion, .key = SymmetricKey::generate(bob_.random)});
  EXPECT_FALSE(session.is_stale_intro(kStart + 100ms, test::seen(alice_.keys, fresh)));
}

TEST_F(SessionTest, AnIntroOvertakenByTheAckOfItsAttemptIsStale) {
  Session session(parts());
  const Bytes late = test::make_intro(bob_.random, alice_.keys.public_key(),
                                      {.version = wire::kAnnouncedVersion, .key = SymmetricKey::generate(bob_.random)});
  EXPECT_TRUE(session.is_stale_intro(kStart + 900ms, test::seen(alice_.keys, late)));
  EXPECT_FALSE(session.is_stale_intro(kStart + 1s, test::seen(alice_.keys, late)));
}

TEST_F(SessionTest, LearnsTheObservedAddressFromALaterAck) {
  Session session(parts());
  EXPECT_FALSE(session.observed_self().is_specified());
  const wire::AckOk ack{.key = session.sending_key(), .remote_address = test::kAlice, .version = std::nullopt};
  static_cast<void>(session.on_success_ack(kStart, {.ack = ack, .nonce = {}}));
  EXPECT_EQ(session.observed_self(), test::kAlice);
}

TEST_F(SessionTest, FlagsFollowThePeersVersion) {
  struct Case {
    std::optional<wire::VersionBytes> version;
    bool tracks_noops;
    bool may_use_id_zero;
  };
  for (const Case& c :
       {Case{std::nullopt, true, true}, Case{test::version(141), true, true}, Case{test::version(142), false, true},
        Case{test::version(151), false, true}, Case{test::version(152), false, false}}) {
    Session::Parts made = parts();
    made.peer_version = c.version;
    const Session session(std::move(made));
    EXPECT_EQ(session.peer_tracks_noops(), c.tracks_noops);
    EXPECT_EQ(session.peer_may_use_id_zero(), c.may_use_id_zero);
  }
}

TEST_F(SessionTest, WritesNoCompletionAckIntoTooLittleRoomOrUnderAUsedUpKey) {
  Session::Parts made = parts();
  alice_.context.key_limits = {.soft = 1, .hard = 1};
  made.sealer = std::make_unique<PacketSealer>(make_sealer(alice_.context, made.sending_key));
  Session session(std::move(made));
  Bytes out(wire::kMaxDatagram);
  EXPECT_EQ(session.write_completion_ack(MutableBytes(out).first(74)), 0u);
  EXPECT_EQ(session.write_completion_ack(out), 75u);
  EXPECT_EQ(session.write_completion_ack(out), 0u);
}

TEST_F(SessionTest, Item8SealersOfTwoSessionsUnderOneKeyStartAtDifferentNonces) {
  const SymmetricKey key = SymmetricKey::generate(bob_.random);
  Bytes one(29);
  Bytes two(29);
  ASSERT_TRUE(make_sealer(alice_.context, key).seal_in_place(one));
  ASSERT_TRUE(make_sealer(alice_.context, key).seal_in_place(two));
  EXPECT_NE(nonce_of(one), nonce_of(two));
}

}  // namespace
}  // namespace godwit::session_test
