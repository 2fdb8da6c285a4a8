// Wire spec section 11, "Keep-alive and closing" and "Upgrade and older peers" (items 64 to 69, 74 to 76), at the
// endpoint with a scripted deployed peer.

#include <gtest/gtest.h>

#include "tests/scripted_session.h"

namespace godwit::testing {
namespace {

TEST(ConformanceKeepAlive, Item64AnswersEveryPingAtOnceAlsoADuplicate) {
  for (const std::uint16_t patch : {std::uint16_t{154}, std::uint16_t{130}}) {
    ScriptedSession session({}, release(patch));
    ASSERT_TRUE(session.accept_peer());
    const Bytes ping = session.peer.seal(1, wire::Ping{0xfedcba9876543210});
    for (int copy = 0; copy < 2; ++copy) {
      session.heard.clear();
      session.deliver(ping);
      ASSERT_EQ(session.count_heard<wire::Pong>(), 1U);
      EXPECT_EQ(session.last_heard<wire::Pong>()->as<wire::Pong>()->sequence, 0xfedcba9876543210);
      EXPECT_EQ(session.last_heard<wire::Pong>()->at, session.now());
      session.run(10s);
    }
    EXPECT_EQ(session.acks_of(1), 0U) << "a Ping needs no acknowledgement";
  }
}

TEST(ConformanceKeepAlive, Item64AnswersPingsInABurst) {
  ScriptedSession session;
  ASSERT_TRUE(session.accept_peer());
  for (std::uint32_t i = 1; i <= 100; ++i) session.say(i, wire::Ping{i});
  ASSERT_EQ(session.count_heard<wire::Pong>(), 100U);
}

TEST(ConformanceKeepAlive, Item65SaysSomethingEveryFifteenSecondsAtLeast) {
  for (const bool answered : {true, false}) {
    ScriptedSession session;
    session.answer_pings = answered;
    ASSERT_TRUE(session.accept_peer());
    session.run(100s);
    Instant previous{1h};
    std::size_t pings = 0;
    for (const Heard& packet : session.heard) {
      EXPECT_LE(packet.at - previous, 15s);
      previous = packet.at;
      pings += packet.is<wire::Ping>() ? 1U : 0U;
    }
    if (answered) {
      EXPECT_GE(pings, 19U) << "the default interval is 5 s";
    }
    EXPECT_LE(Instant{1h} + 100s - previous, 15s);
  }
}

TEST(ConformanceKeepAlive, Item66StaysOpenWhileAuthenticDatagramsArriveWithoutPongs) {
  ScriptedSession session;
  session.answer_pings = false;
  ASSERT_TRUE(session.accept_peer());
  for (std::uint32_t i = 1; i <= 60; ++i) {
    session.say(i, wire::NoOp{});
    session.run(30s);
  }
  EXPECT_TRUE(session.open());
}

TEST(ConformanceKeepAlive, Item67ClosesAfter120SecondsOfSilence) {
  ScriptedSession session;
  session.answer_pings = false;
  ASSERT_TRUE(session.accept_peer());
  session.run(119s);
  EXPECT_TRUE(session.open());
  session.run(2s);
  ASSERT_EQ(session.count_events<Closed>(), 1U);
  EXPECT_EQ(session.last_event<Closed>()->reason, CloseReason::kIdleTimeout);
}

TEST(ConformanceKeepAlive, Item67NeitherJunkNorReplaysKeepADeadConnectionAlive) {
  // W8: only what is authentic and new counts as a sign of life.
  ScriptedSession session;
  session.answer_pings = false;
  ASSERT_TRUE(session.connect_to_peer());
  std::vector<Bytes> captured;
  captured.push_back(session.establishing_ack);
  captured.push_back(session.peer.seal(1, wire::ShortMessage{as_bytes("x")}));
  captured.push_back(session.peer.seal(2, wire::Ping{1}));
  captured.push_back(session.peer.seal(3, wire::Pong{1}));
  captured.push_back(session.peer.seal(4, wire::NoOp{}));
  captured.push_back(session.peer.seal(
      5, wire::StreamFragment{.stream_id = 1, .total_length = 9000, .number = 1, .payload = as_bytes("y")}));
  captured.push_back(session.peer.seal(6, wire::UpgradeAccept{1}));
  for (const Bytes& datagram : captured) session.deliver(datagram);
  for (int i = 0; i < 25; ++i) {
    for (const Bytes& datagram : captured) session.deliver(datagram);
    Bytes junk = pattern(100, static_cast<std::uint32_t>(i));
    junk[0] = 2;
    session.deliver(junk);
    session.run(5s);
  }
  ASSERT_EQ(session.count_events<Closed>(), 1U);
  EXPECT_EQ(session.last_event<Closed>()->reason, CloseReason::kIdleTimeout);
}

TEST(ConformanceKeepAlive, Item68AnErrorAckClosesAnEstablishedConnection) {
  ScriptedSession session;
  ASSERT_TRUE(session.accept_peer());
  session.say(44, wire::AckError{"going down\n"});
  ASSERT_EQ(session.count_events<Closed>(), 1U);
  EXPECT_EQ(session.last_event<Closed>()->reason, CloseReason::kRemote);
  EXPECT_EQ(session.last_event<Closed>()->text.find('\n'), std::string::npos) << "the peer's words are made printable";
  const std::size_t sent = session.datagrams;
  session.say_text(45, "x");
  session.run(200s);
  EXPECT_EQ(session.datagrams, sent);
  EXPECT_TRUE(session.messages.empty());
}

TEST(ConformanceKeepAlive, Item69ARepeatOfTheEstablishingAckStartsNoAckExchange) {
  for (const std::uint16_t patch : {std::uint16_t{154}, std::uint16_t{151}, std::uint16_t{130}}) {
    ScriptedSession session({}, release(patch));
    ASSERT_TRUE(session.connect_to_peer());
    session.run(2s);
    const std::size_t from = session.heard.size();
    for (int i = 0; i < 50; ++i) {
      session.deliver(session.establishing_ack);
      session.run(100ms);
    }
    EXPECT_LE(session.count_heard<wire::AckOk>(from), 1U);
    EXPECT_GE(session.count_heard<wire::Ping>(from), 1U) << "the peer must receive something authentic";
    EXPECT_EQ(session.count_events<Connected>(), 1U);
    EXPECT_TRUE(session.open());
    session.say_text(1, "x");
    EXPECT_EQ(session.messages.size(), 1U);
  }
}

TEST(ConformanceKeepAlive, Item69FollowsThePeerIntoANewSession) {
  ScriptedSession session;
  ASSERT_TRUE(session.connect_to_peer());
  session.say_text(1, "old one");
  session.fragment(2, 1, 5000, 1, pattern(1130));
  session.run(3s);
  // A replayed intro has reset the acceptor: it hands out the same key of the day under a fresh nonce, ids begin again.
  const std::size_t from = session.heard.size();
  session.deliver(session.peer.seal(0, session.peer.success_ack(true)));
  EXPECT_EQ(session.count_heard<wire::AckOk>(from), 1U);
  EXPECT_GE(session.count_heard<wire::Ping>(from), 1U);
  EXPECT_EQ(session.count_events<StreamAborted>(), 1U);
  session.say_text(1, "new one");
  session.run(100ms);
  EXPECT_EQ(session.messages, (std::vector<std::string>{"old one", "new one"}));
  EXPECT_TRUE(session.open());
}

TEST(ConformanceKeepAlive, ClosesWithAnErrorAckUnderAFreshId) {
  ScriptedSession session;
  ASSERT_TRUE(session.accept_peer());
  ASSERT_TRUE(session.endpoint().send(session.now(), session.connection, Body::owned({1})));
  session.run({});
  session.endpoint().close(session.now(), session.connection, "expected version 9.9.9");
  session.run({});
  const Heard* close_packet = session.last_heard<wire::AckError>();
  ASSERT_NE(close_packet, nullptr);
  EXPECT_FALSE(wire::expected_version_in(close_packet->as<wire::AckError>()->text)) << "it would be read as a mismatch";
  for (const Heard& packet : session.heard) {
    if (&packet != close_packet) {
      EXPECT_NE(packet.id(), close_packet->id());
    }
  }
}

// --- Upgrade (wire spec 4.8) ---

TEST(ConformanceUpgrade, Item74AcksUpgradesKeepsTheConnectionAndOffersNothing) {
  ScriptedSession session;
  ASSERT_TRUE(session.connect_to_peer());
  std::uint32_t id = 1;
  for (std::uint32_t attempt = 0; attempt < 30; ++attempt) {
    session.say(id++, wire::UpgradeOffer{attempt, 0xffffffff});
    session.say(id++, wire::UpgradeAccept{attempt});
    session.say(id++, wire::UpgradeDecline{attempt, static_cast<std::uint8_t>(attempt * 9)});
    session.run(10s);
  }
  EXPECT_TRUE(session.open());
  for (std::uint32_t sent = 1; sent < id; ++sent) EXPECT_GE(session.acks_of(sent), 1U);
  EXPECT_EQ(session.count_heard<wire::UpgradeOffer>() + session.count_heard<wire::UpgradeAccept>(), 0U);
}

TEST(ConformanceUpgrade, Item75DeclinesAnOfferOnceAndUntilItIsAcknowledged) {
  ScriptedSession session;
  ASSERT_TRUE(session.connect_to_peer());
  const Bytes offer = session.peer.seal(1, wire::UpgradeOffer{77, 0});
  session.deliver(offer);
  session.run(10ms);
  const Heard* decline = session.last_heard<wire::UpgradeDecline>();
  ASSERT_NE(decline, nullptr);
  EXPECT_EQ(decline->as<wire::UpgradeDecline>()->attempt, 77U);
  EXPECT_EQ(decline->as<wire::UpgradeDecline>()->reason, 1U);
  EXPECT_EQ(decline->plaintext.size(), 25U);
  const std::uint32_t declined_under = decline->id();
  EXPECT_GE(declined_under, 1U);
  // Retransmitted under its id until acknowledged.
  session.run(5s);
  EXPECT_GE(session.count_heard<wire::UpgradeDecline>(), 2U);
  for (const Heard& packet : session.heard) {
    if (packet.is<wire::UpgradeDecline>()) {
      EXPECT_EQ(packet.id(), declined_under);
    }
  }
  const std::array ack = {declined_under};
  session.say(2, wire::NoOp{}, ack);
  // The same Offer again, and other ones within 45 s: nothing.
  const std::size_t from = session.heard.size();
  session.deliver(offer);
  session.say(3, wire::UpgradeOffer{78, 0});
  session.run(30s);
  session.deliver(offer);
  session.run(1s);
  EXPECT_EQ(session.count_heard<wire::UpgradeDecline>(from), 0U);
  session.run(15s);
  session.deliver(offer);  // still a duplicate
  session.run(1s);
  EXPECT_EQ(session.count_heard<wire::UpgradeDecline>(from), 0U);
  session.say(4, wire::UpgradeOffer{79, 0});
  session.run(10ms);
  ASSERT_EQ(session.count_heard<wire::UpgradeDecline>(from), 1U);
  EXPECT_EQ(session.last_heard<wire::UpgradeDecline>()->as<wire::UpgradeDecline>()->attempt, 79U);
  EXPECT_NE(session.last_heard<wire::UpgradeDecline>()->id(), declined_under);
}

TEST(ConformanceUpgrade, Item76IgnoresAnswersToOffersNeverMade) {
  ScriptedSession session;
  ASSERT_TRUE(session.accept_peer());
  session.run(1s);
  session.heard.clear();
  session.say(1, wire::UpgradeAccept{1});
  session.say(2, wire::UpgradeDecline{1, 1});
  session.say(3, wire::UpgradeDecline{0xffffffff, 255});
  session.run(1s);
  EXPECT_EQ(session.heard.size(), session.count_heard<wire::NoOp>()) << "acknowledgements and nothing else";
  EXPECT_TRUE(session.open());
}

}  // namespace
}  // namespace godwit::testing
