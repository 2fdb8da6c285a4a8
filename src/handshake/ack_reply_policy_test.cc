#include "handshake/ack_reply_policy.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "wire/version.h"

namespace godwit::ack_reply_policy_test {
namespace {

constexpr Instant kStart{100s};

class AckReplyTest : public testing::Test {
 protected:
  AckReplyTest() : sending_key_(SymmetricKey::generate(random_)) { establishing_ = new_nonce(); }

  Nonce new_nonce() {
    Nonce nonce;
    random_.fill(nonce.bytes);
    return nonce;
  }
  SymmetricKey new_key() { return SymmetricKey::generate(random_); }
  AckReplyFacts facts() const {
    return {.sending_key = sending_key_,
            .established_at = kStart,
            .initiator = initiator_,
            .peer_intro_seen = peer_intro_seen_,
            .inbound_proves_peer = inbound_proves_peer_,
            .peer_may_use_id_zero = peer_may_use_id_zero_};
  }
  AckReaction on_ack(Duration after, const SymmetricKey& key, const Nonce& nonce, bool v2 = true) {
    wire::AckOk ack{.key = key, .remote_address = {}, .version = std::nullopt};
    if (v2) ack.version = wire::kAnnouncedVersion;
    return policy_.on_success_ack(kStart + after, facts(),
                                  {.ack = ack,
                                   .nonce = nonce,
                                   .opened_by = opened_by_,
                                   .ordinary_packet_seen = ordinary_packet_seen_,
                                   .ordinary_id_zero_seen = ordinary_id_zero_seen_});
  }

  DeterministicRandom random_{1};
  SymmetricKey sending_key_;
  Nonce establishing_;
  // An acceptor that has proven itself, the common case.
  bool initiator_ = true;
  bool peer_intro_seen_ = false;
  bool inbound_proves_peer_ = true;
  bool peer_may_use_id_zero_ = false;
  InboundKeyAge opened_by_ = InboundKeyAge::kCurrent;
  bool ordinary_packet_seen_ = true;
  bool ordinary_id_zero_seen_ = false;
  AckReplyPolicy policy_{std::nullopt};

  void begin() { policy_ = AckReplyPolicy(establishing_); }
};

TEST_F(AckReplyTest, Item69AnExactRepeatOfTheEstablishingAckAnnouncesNothing) {
  begin();
  for (const Duration after : {Duration{100ms}, Duration{2s}, Duration{1h}}) {
    const AckReaction reaction = on_ack(after, sending_key_, establishing_);
    EXPECT_FALSE(reaction.new_session);
    EXPECT_TRUE(reaction.repeat);
    EXPECT_TRUE(reaction.ping);
    EXPECT_FALSE(reaction.ack_zero);
  }
}

TEST_F(AckReplyTest, TellsARepeatFromAnAckNeverSeen) {
  begin();
  EXPECT_TRUE(on_ack(5s, sending_key_, establishing_).repeat);
  const Nonce fresh = new_nonce();
  EXPECT_FALSE(on_ack(5s, sending_key_, fresh, false).repeat);
  EXPECT_TRUE(on_ack(6s, sending_key_, fresh, false).repeat);
}

TEST_F(AckReplyTest, PingsAreSpacedHoweverManyAcksAreReplayed) {
  begin();
  int pings = 0;
  for (int i = 0; i < 1000; ++i) pings += on_ack(1ms * i, sending_key_, establishing_).ping ? 1 : 0;
  EXPECT_EQ(pings, 10);
}

TEST_F(AckReplyTest, AnAckThatNamesAnotherKeyAnnouncesANewSession) {
  begin();
  const AckReaction reaction = on_ack(5s, new_key(), new_nonce());
  EXPECT_FALSE(reaction.repeat);
  EXPECT_TRUE(reaction.new_session);
  EXPECT_TRUE(reaction.ping);
  EXPECT_FALSE(reaction.ack_zero);
}

TEST_F(AckReplyTest, ALegacyAckThatNamesAnotherKeyDoesSoToo) {
  begin();
  EXPECT_TRUE(on_ack(5s, new_key(), new_nonce(), false).new_session);
}

TEST_F(AckReplyTest, AnAcceptorsFirstAckWithTheSameKeyAndAnotherNonceAnnouncesANewSession) {
  begin();
  EXPECT_TRUE(on_ack(5s, sending_key_, new_nonce()).new_session);
}

TEST_F(AckReplyTest, ALegacyAnswerUnderTheSameKeyAnnouncesNothing) {
  begin();
  // A deployed peer answers the first ack it sees on an established connection so (wire spec 5.8).
  EXPECT_FALSE(on_ack(5s, sending_key_, new_nonce(), false).new_session);
}

TEST_F(AckReplyTest, ASimultaneousOpenersRepeatsUnderFreshNoncesAnnounceNothing) {
  begin();
  peer_intro_seen_ = true;
  for (int i = 0; i < 12; ++i) EXPECT_FALSE(on_ack(250ms * i, sending_key_, new_nonce()).new_session);
}

TEST_F(AckReplyTest, RepeatsOfASimultaneousOpenerWhoseIntroWasLostAnnounceNothing) {
  begin();
  // To this side it looks like an acceptor; until something else than acks comes, a Ping serves both.
  ordinary_packet_seen_ = false;
  for (int i = 1; i < 12; ++i) {
    const AckReaction reaction = on_ack(250ms * i, sending_key_, new_nonce());
    EXPECT_FALSE(reaction.new_session);
    EXPECT_TRUE(reaction.ping);
  }
}

TEST_F(AckReplyTest, AnAckOvertakenByThePeersFirstPacketAnnouncesNothing) {
  begin();
  EXPECT_FALSE(on_ack(300ms, sending_key_, new_nonce()).new_session);
}

TEST_F(AckReplyTest, TheSecondKeyOfASimultaneousOpenerAnnouncesNothing) {
  begin();
  peer_intro_seen_ = true;
  const SymmetricKey second = new_key();
  ordinary_packet_seen_ = false;
  EXPECT_FALSE(on_ack(100ms, second, new_nonce()).new_session);
  ordinary_packet_seen_ = true;
  EXPECT_FALSE(on_ack(10s, second, new_nonce()).new_session);
  // A third one does.
  EXPECT_TRUE(on_ack(10s, new_key(), new_nonce()).new_session);
}

TEST_F(AckReplyTest, ALateAnswerOfASimultaneousOpenerAnnouncesNothing) {
  begin();
  peer_intro_seen_ = true;
  const SymmetricKey second = new_key();
  EXPECT_FALSE(on_ack(3s, second, new_nonce()).new_session);
  EXPECT_FALSE(on_ack(10s, second, new_nonce()).new_session);
}

TEST_F(AckReplyTest, AnUnknownKeyLongAfterASimultaneousOpenAnnouncesANewSession) {
  begin();
  peer_intro_seen_ = true;
  EXPECT_TRUE(on_ack(5s, new_key(), new_nonce()).new_session);
}

TEST_F(AckReplyTest, AnAckUnderANewerKeyAnnouncesANewSessionEvenWithTheSameKeyNamed) {
  begin();
  // A later intro of ours reset the peer, which names its key of the day again (wire spec W15).
  opened_by_ = InboundKeyAge::kNewer;
  EXPECT_TRUE(on_ack(100ms, sending_key_, new_nonce()).new_session);
}

TEST_F(AckReplyTest, AnAckUnderAFormerKeyAnnouncesNothing) {
  begin();
  opened_by_ = InboundKeyAge::kFormer;
  EXPECT_FALSE(on_ack(5s, new_key(), new_nonce()).new_session);
}

TEST_F(AckReplyTest, AReplayOfAnEarlierAnnouncementAnnouncesNothing) {
  begin();
  const Nonce second = new_nonce();
  ASSERT_TRUE(on_ack(5s, sending_key_, second).new_session);
  EXPECT_FALSE(on_ack(10s, sending_key_, establishing_).new_session);
  EXPECT_FALSE(on_ack(11s, sending_key_, second).new_session);
}

TEST_F(AckReplyTest, Item45NoAckForAcksOfCurrentPeers) {
  begin();
  EXPECT_FALSE(on_ack(5s, sending_key_, establishing_).ack_zero);
}

TEST_F(AckReplyTest, Item78AnOldAcceptorsRetransmittedAckIsAcknowledgedAfterASecond) {
  begin();
  peer_may_use_id_zero_ = true;
  ordinary_packet_seen_ = false;
  EXPECT_FALSE(on_ack(500ms, sending_key_, establishing_).ack_zero);
  EXPECT_TRUE(on_ack(1s, sending_key_, establishing_).ack_zero);
  EXPECT_TRUE(on_ack(3s, sending_key_, establishing_).ack_zero);
}

TEST_F(AckReplyTest, Item78TheAckNeverConfirmsAnOrdinaryPacketZeroThatIsMissing) {
  begin();
  peer_may_use_id_zero_ = true;
  // Packet 1 is here, packet 0 is not: it may have been sent and lost.
  ordinary_packet_seen_ = true;
  EXPECT_FALSE(on_ack(2s, sending_key_, establishing_).ack_zero);
  ordinary_id_zero_seen_ = true;
  EXPECT_TRUE(on_ack(3s, sending_key_, establishing_).ack_zero);
}

TEST_F(AckReplyTest, AnOldInitiatorsCompletionAckIsNotAcknowledged) {
  begin();
  initiator_ = false;
  peer_intro_seen_ = true;
  peer_may_use_id_zero_ = true;
  ordinary_packet_seen_ = false;
  EXPECT_FALSE(on_ack(5s, sending_key_, establishing_, false).ack_zero);
}

}  // namespace
}  // namespace godwit::ack_reply_policy_test
