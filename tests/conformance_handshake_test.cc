// Wire spec section 11, "Versions" and "Handshake", at the endpoint with a scripted deployed peer. The state machines
// alone are tested in src/transport/handshake_*_test.cc.

#include <gtest/gtest.h>

#include "tests/scripted_session.h"

namespace godwit::testing {
namespace {

TEST(ConformanceHandshake, Item06DropsDamagedIntrosWithoutReplyOrState) {
  ScriptedSession session;
  const Bytes intro = session.peer.intro(session.endpoint().public_key());
  for (std::size_t length = 0; length < intro.size(); ++length) {
    session.deliver(Bytes(intro.begin(), intro.begin() + static_cast<std::ptrdiff_t>(length)));
  }
  for (std::size_t at = 1; at < intro.size(); ++at) {
    Bytes damaged = intro;
    damaged[at] ^= 0x10;
    session.deliver(std::move(damaged), kPeerAddress.with_port(static_cast<std::uint16_t>(1000 + at)));
  }
  EXPECT_EQ(session.datagrams, 0U);
  EXPECT_EQ(session.endpoint().connection_count(), 0U);
  EXPECT_FALSE(session.endpoint().next_timeout().has_value());
  session.deliver(intro);
  EXPECT_EQ(session.count_heard<wire::AckOk>(), 1U);
}

TEST(ConformanceHandshake, Item23AnswersAnIncompatibleIntroWithAtMostOneErrorAck) {
  ScriptedSession session({}, release(121, 64));
  const Bytes intro = session.peer.intro(session.endpoint().public_key());
  for (int i = 0; i < 12; ++i) {
    session.deliver(intro);
    session.run(250ms);
  }
  EXPECT_EQ(session.count_heard<wire::AckError>(), 1U);
  EXPECT_EQ(session.heard[0].id(), 0U);
  EXPECT_EQ(session.heard[0].datagram.size(), 127U);
  EXPECT_EQ(session.heard[0].as<wire::AckError>()->text,
            "remote is using a different protocol version, expected version 0.2.154");
  EXPECT_EQ(session.endpoint().connection_count(), 0U);
}

TEST(ConformanceHandshake, Item23StaysSilentTowardsAFloodOfIncompatibleIntros) {
  ScriptedSession session({}, release(121, 64));
  for (std::uint16_t port = 1; port <= 300; ++port) {
    session.deliver(session.peer.intro(session.endpoint().public_key()), kPeerAddress.with_port(port));
  }
  EXPECT_LE(session.count_heard<wire::AckError>(), 30U);
  EXPECT_EQ(session.endpoint().connection_count(), 0U);
}

TEST(ConformanceHandshake, Item24EndsOnAnErrorAckAndTellsTheVersion) {
  ScriptedSession session;
  session.connection = *session.endpoint().connect(session.now(), kPeerAddress, session.peer.public_key());
  session.run({});
  ASSERT_TRUE(session.take_endpoint_intro());
  session.say(0, wire::AckError{"remote is using a different protocol version, expected version 0.3.7"});
  ASSERT_EQ(session.count_events<Closed>(), 1U);
  EXPECT_EQ(session.last_event<Closed>()->reason, CloseReason::kHandshakeFailed);
  EXPECT_NE(session.last_event<Closed>()->text.find("0.3.7"), std::string::npos);
  const std::size_t sent = session.datagrams;
  session.run(20s);
  EXPECT_EQ(session.datagrams, sent) << "the attempt goes on";
}

TEST(ConformanceHandshake, Item25And34AnswersWithAV2AckUnderIdZero) {
  ScriptedSession session;
  session.deliver(session.peer.intro(session.endpoint().public_key()));
  ASSERT_EQ(session.heard.size(), 1U);
  EXPECT_EQ(session.heard[0].id(), 0U);
  EXPECT_TRUE(session.heard[0].packet.acks.empty());
  const auto* ack = session.heard[0].as<wire::AckOk>();
  ASSERT_NE(ack, nullptr);
  EXPECT_EQ(ack->remote_address, kPeerAddress);
  EXPECT_EQ(ack->version, wire::kAnnouncedVersion);
}

TEST(ConformanceHandshake, Item28And29CompletesUnderTheAcksKeyAndPingsAtOnce) {
  ScriptedSession session;
  session.answer_pings = false;
  ASSERT_TRUE(session.connect_to_peer());
  session.run({});  // the Ping is due at once
  // One legacy ack with id 0 that names the key from the intro, then a Ping with an ordinary id.
  ASSERT_GE(session.heard.size(), 2U);
  const auto* completion = session.heard[0].as<wire::AckOk>();
  ASSERT_NE(completion, nullptr);
  EXPECT_EQ(session.heard[0].id(), 0U);
  EXPECT_FALSE(completion->version.has_value());
  EXPECT_EQ(completion->remote_address, kPeerAddress);
  EXPECT_EQ(completion->key, session.peer.take_intro(session.others[0])->key);
  EXPECT_TRUE(session.heard[1].is<wire::Ping>());
  EXPECT_GE(session.heard[1].id(), 1U);
  EXPECT_EQ(session.heard[1].at, session.now());
}

TEST(ConformanceHandshake, Item29PingsUntilProvenAndFailsAfterFiveSeconds) {
  Config config;
  config.handshake.connect_timeout = 5s;
  ScriptedSession session(config);
  session.answer_pings = false;
  ASSERT_TRUE(session.connect_to_peer());
  const Instant established = session.now();
  session.run(4900ms);
  Instant previous = established;
  std::size_t pings = 0;
  for (const Heard& packet : session.heard) {
    if (!packet.is<wire::Ping>()) continue;
    EXPECT_LE(packet.at - previous, 500ms);
    previous = packet.at;
    ++pings;
  }
  EXPECT_GE(pings, 10U);
  EXPECT_LE(established + 4900ms - previous, 500ms);
  // A repeated success ack is authentic, and proves nothing.
  session.deliver(session.establishing_ack);
  EXPECT_TRUE(session.open());
  session.run(200ms);
  ASSERT_TRUE(session.has_event<Closed>());
  EXPECT_EQ(session.last_event<Closed>()->reason, CloseReason::kHandshakeFailed);
}

// wire spec W9: the acceptor's wait has ended in vain, as it seems. What was sent meanwhile may have arrived, and is
// not sent twice; what waits goes into the new session.
TEST(ConformanceHandshake, Item29StartsOverWhileThereIsTimeToConnect) {
  ScriptedSession session;
  session.answer_pings = false;
  ASSERT_TRUE(session.connect_to_peer());
  const auto text = as_bytes("sent to nobody");
  ASSERT_TRUE(session.endpoint().send(session.now(), session.connection, Body::owned({text.begin(), text.end()})));
  session.run(4900ms);
  EXPECT_GE(session.count_heard<wire::ShortMessage>(), 1U);
  session.others.clear();
  session.run(200ms);
  ASSERT_TRUE(session.take_endpoint_intro()) << "a fresh intro";
  EXPECT_TRUE(session.open());
  const std::size_t heard = session.heard.size();
  ASSERT_TRUE(session.endpoint().send(session.now(), session.connection, Body::owned({'n', 'e', 'w'})));
  session.answer_pings = true;
  session.deliver(session.peer.seal(0, session.peer.success_ack(true)));
  session.run(5s);
  EXPECT_TRUE(session.open());
  EXPECT_EQ(session.count_events<Connected>(), 1U);
  ASSERT_EQ(session.count_events<MessageFailed>(), 1U);
  EXPECT_TRUE(session.last_event<MessageFailed>()->may_have_arrived);
  EXPECT_GE(session.count_heard<wire::ShortMessage>(heard), 1U);
  for (std::size_t i = heard; i < session.heard.size(); ++i) {
    const Heard& packet = session.heard[i];
    if (!packet.is<wire::ShortMessage>()) continue;
    EXPECT_EQ(packet.as<wire::ShortMessage>()->payload.size(), 3U);
    session.say(7, wire::NoOp{}, std::array{packet.id()});
    break;
  }
  EXPECT_EQ(session.count_events<MessageConfirmed>(), 1U);
  session.run(20s);
  EXPECT_TRUE(session.open());
}

TEST(ConformanceHandshake, Item29GivesUpWhenTheTimeToConnectIsOver) {
  ScriptedSession session;
  session.answer_pings = false;
  ASSERT_TRUE(session.connect_to_peer());
  const auto text = as_bytes("sent to nobody");
  ASSERT_TRUE(session.endpoint().send(session.now(), session.connection, Body::owned({text.begin(), text.end()})));
  session.run(14s);
  EXPECT_TRUE(session.open());
  session.run(2s);
  ASSERT_EQ(session.count_events<Closed>(), 1U);
  EXPECT_EQ(session.last_event<Closed>()->reason, CloseReason::kHandshakeFailed);
  ASSERT_EQ(session.count_events<MessageFailed>(), 1U);
  EXPECT_TRUE(session.last_event<MessageFailed>()->may_have_arrived);
}

TEST(ConformanceHandshake, Item29AnAckOrAPongProvesThePeer) {
  for (const bool pong : {true, false}) {
    ScriptedSession session;
    session.answer_pings = pong;
    ASSERT_TRUE(session.connect_to_peer());
    if (!pong) session.say(1, wire::NoOp{});
    session.run(6s);
    EXPECT_TRUE(session.open());
  }
}

TEST(ConformanceHandshake, Item30EntersSimultaneousOpenOnThePeersIntro) {
  Config config;
  config.handshake.require_authenticated_peer = false;  // else it sends no success ack (wire spec W3)
  ScriptedSession session(config);
  session.connection = *session.endpoint().connect(session.now(), kPeerAddress, session.peer.public_key());
  session.run({});
  ASSERT_TRUE(session.take_endpoint_intro());
  session.deliver(session.peer.intro(session.endpoint().public_key()));
  session.run(1s);
  // Success acks with id 0 under the key of the intro, about every 250 ms.
  EXPECT_GE(session.count_heard<wire::AckOk>(), 4U);
  for (const Heard& packet : session.heard) {
    EXPECT_EQ(packet.id(), 0U);
    ASSERT_TRUE(packet.is<wire::AckOk>());
    EXPECT_EQ(packet.as<wire::AckOk>()->version, wire::kAnnouncedVersion);
  }
  EXPECT_FALSE(session.has_event<Connected>());
  // Item 31: nothing unauthentic completes it.
  Bytes junk = pattern(100);
  junk[0] = 2;
  session.deliver(junk);
  EXPECT_FALSE(session.has_event<Connected>());
  session.deliver(session.peer.seal(0, session.peer.success_ack(true)));
  session.run(1s);
  EXPECT_TRUE(session.has_event<Connected>());
}

TEST(ConformanceHandshake, Item33AnswersFromTheAddressThatReceived) {
  DeterministicRandom random(2);
  Endpoint endpoint({}, *KeyPair::generate(random), random);
  ScriptedPeer peer(kEndpointAddress);
  const Instant now{1h};
  TransmitBuffer buffer;
  const auto deliver = [&](Bytes datagram) {
    endpoint.receive(
        now, {.local = kEndpointAddress, .remote = kPeerAddress, .bytes = datagram, .segment_size = datagram.size()});
    std::size_t batches = 0;
    while (const auto batch = endpoint.poll_transmit(now, buffer)) {
      EXPECT_EQ(batch->local, kEndpointAddress);
      EXPECT_EQ(batch->remote, kPeerAddress);
      if (const auto heard = peer.open(now, batch->segment(0)); heard && heard->is<wire::AckOk>()) {
        peer.send_with(heard->as<wire::AckOk>()->key);
      }
      ++batches;
    }
    while (endpoint.poll_event() != nullptr) {
    }
    return batches;
  };
  EXPECT_EQ(deliver(peer.intro(endpoint.public_key())), 1U);
  deliver(peer.seal(0, peer.success_ack(false)));
  EXPECT_GE(deliver(peer.seal(1, wire::Ping{1})), 1U);
}

TEST(ConformanceHandshake, Item35RepeatsTheIdenticalAckWithinThreeTimesWhatItReceived) {
  ScriptedSession session;
  const Bytes intro = session.peer.intro(session.endpoint().public_key());
  session.deliver(intro);
  for (int i = 0; i < 5; ++i) {
    Bytes junk = pattern(200, static_cast<std::uint32_t>(i));
    junk[0] = 2;
    session.deliver(junk);
  }
  session.run(3s);
  // 3 x 73 bytes hold two acks of 79: the first, and one after 500 ms.
  ASSERT_EQ(session.heard.size(), 2U);
  EXPECT_EQ(session.heard[1].datagram, session.heard[0].datagram);
  EXPECT_LE(session.heard[1].at - session.heard[0].at, 550ms);
  session.deliver(intro);
  session.run(1s);
  ASSERT_GE(session.heard.size(), 3U);
  EXPECT_EQ(session.heard[2].datagram, session.heard[0].datagram);
  EXPECT_LE(session.heard.size() * 79, 2 * 73U * 3);
  session.run(10s);
  EXPECT_EQ(session.endpoint().connection_count(), 0U) << "the handshake is forgotten";
}

TEST(ConformanceHandshake, Item35ALostCompletionAckDoesNotFailTheHandshake) {
  ScriptedSession session;
  session.deliver(session.peer.intro(session.endpoint().public_key()));
  ASSERT_TRUE(session.take_success_ack());
  // The completion ack is lost. A deployed initiator answers the repeated ack once more.
  session.run(600ms);
  EXPECT_EQ(session.heard.size(), 2U);
  session.say(0, session.peer.success_ack(false));
  EXPECT_TRUE(session.has_event<Connected>());
}

TEST(ConformanceHandshake, Item36ProcessesTheContentOfTheConfirmingPacket) {
  ScriptedSession session;
  session.deliver(session.peer.intro(session.endpoint().public_key()));
  ASSERT_TRUE(session.take_success_ack());
  session.say_text(1, "first words");
  ASSERT_TRUE(session.has_event<Connected>());
  ASSERT_EQ(session.messages.size(), 1U);
  EXPECT_EQ(session.messages[0], "first words");
  session.run(100ms);
  EXPECT_GE(session.acks_of(1), 1U);
}

TEST(ConformanceHandshake, Item37SharesNoKeyBetweenHandshakes) {
  ScriptedSession session;
  std::vector<SymmetricKey> keys;
  for (int i = 0; i < 20; ++i) {
    session.heard.clear();
    session.deliver(session.peer.intro(session.endpoint().public_key()));
    ASSERT_EQ(session.count_heard<wire::AckOk>(), 1U);
    for (const SymmetricKey& key : keys) EXPECT_FALSE(key == session.heard[0].as<wire::AckOk>()->key);
    keys.push_back(session.heard[0].as<wire::AckOk>()->key);
    session.run(10s);
  }
}

TEST(ConformanceHandshake, Item38LimitsTheDecryptionsOfOneAddress) {
  ScriptedSession session;
  for (int i = 0; i < 4000; ++i) {
    Bytes junk = pattern(73, static_cast<std::uint32_t>(i));
    junk[0] = 1;
    session.deliver(junk);
    session.run(2500us);
  }
  const Admission& admission = session.endpoint().admission();
  const AdmissionConfig limits;
  EXPECT_LE(admission.statistics().of(AdmissionVerdict::kDecrypt), limits.address_burst + 10 * limits.address_rate);
  EXPECT_GE(admission.statistics().of(AdmissionVerdict::kAddressLimited), 3200U);
}

TEST(ConformanceHandshake, Item39ANewIntroLeadsToANewConnectionOnceItHasProvedItself) {
  ScriptedSession session;
  ASSERT_TRUE(session.accept_peer());
  const ConnectionId first = session.connection;
  session.run(3s);
  // The new process knows nothing of the old keys, and answers no ping under them.
  session.answer_pings = false;
  ScriptedPeer restarted(kEndpointAddress, 999);
  const std::size_t before = session.others.size();
  session.deliver(restarted.intro(session.endpoint().public_key()));
  EXPECT_EQ(session.others.size(), before) << "first the session is asked";
  session.run(100ms);
  EXPECT_FALSE(session.has_event<Closed>()) << "the old session stays until the newcomer has proved itself";
  ASSERT_GT(session.others.size(), before);
  const auto heard = restarted.open(session.now(), session.others.back());
  ASSERT_TRUE(heard && heard->is<wire::AckOk>());
  restarted.send_with(heard->as<wire::AckOk>()->key);
  session.deliver(restarted.seal(1, wire::ShortMessage{as_bytes("again")}));
  ASSERT_EQ(session.count_events<Connected>(), 2U);
  EXPECT_NE(session.connection, first);
  EXPECT_EQ(session.last_event<Closed>()->reason, CloseReason::kReplaced);
  ASSERT_EQ(session.messages.size(), 1U);
  EXPECT_EQ(session.messages[0], "again");
}

TEST(ConformanceHandshake, Item39RepeatsOfAnAnsweredIntroResetNothing) {
  ScriptedSession session;
  const Bytes intro = session.peer.intro(session.endpoint().public_key());
  session.deliver(intro);
  ASSERT_TRUE(session.take_success_ack());
  session.say(0, session.peer.success_ack(false));
  ASSERT_TRUE(session.has_event<Connected>());
  const std::size_t acks = session.count_heard<wire::AckOk>();
  for (int i = 0; i < 20; ++i) {
    session.deliver(intro);
    session.run(3s);
  }
  EXPECT_EQ(session.count_events<Connected>(), 1U);
  EXPECT_TRUE(session.open());
  EXPECT_EQ(session.count_heard<wire::AckOk>(), acks);
  session.say_text(1, "x");
  EXPECT_EQ(session.messages.size(), 1U);
}

TEST(ConformanceHandshake, Item40NeverClosesBecauseOfUndecryptableDatagrams) {
  ScriptedSession session;
  ASSERT_TRUE(session.accept_peer());
  DeterministicRandom random(9);
  for (int i = 0; i < 2000; ++i) {
    Bytes junk(29 + random.below(1400));
    random.fill(junk);
    junk[0] = 2;
    session.deliver(junk);
    if (i % 100 == 0) session.run(1s);
  }
  EXPECT_TRUE(session.open());
  EXPECT_EQ(session.statistics().drops.of(trace::DropReason::kAuthenticationFailed), 2000U);
  session.say_text(1, "x");
  EXPECT_EQ(session.messages.size(), 1U);
}

TEST(ConformanceHandshake, Item41SeveralPortsOfOneHostAreIndependent) {
  ScriptedSession session;
  ASSERT_TRUE(session.accept_peer());
  ScriptedPeer second(kEndpointAddress, 55);
  const SocketAddress other = kPeerAddress.with_port(4000);
  session.deliver(second.intro(session.endpoint().public_key()), other);
  const auto ack = second.open(session.now(), session.others.back());
  ASSERT_TRUE(ack && ack->is<wire::AckOk>());
  second.send_with(ack->as<wire::AckOk>()->key);
  session.deliver(second.seal(0, second.success_ack(false)), other);
  EXPECT_EQ(session.endpoint().connection_count(), 2U);
  EXPECT_EQ(session.count_events<Connected>(), 2U);
  session.deliver(second.seal(1, wire::ShortMessage{as_bytes("two")}), other);
  session.deliver(second.seal(2, wire::AckError{"bye"}), other);
  EXPECT_EQ(session.count_events<Closed>(), 1U);
  session.say_text(1, "one");
  EXPECT_EQ(session.messages, (std::vector<std::string>{"two", "one"}));
}

}  // namespace
}  // namespace godwit::testing
