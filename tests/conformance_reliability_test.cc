// Wire spec section 11, "Reliability", at the endpoint with a scripted deployed peer.

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <optional>
#include <set>
#include <span>

#include "tests/scripted_session.h"

namespace godwit::testing {
namespace {

// Every short message the endpoint has sent, without repeats, by id.
std::vector<std::uint32_t> message_ids(const ScriptedSession& session) {
  std::vector<std::uint32_t> ids;
  for (const Heard& packet : session.heard) {
    if (packet.is<wire::ShortMessage>() && std::ranges::find(ids, packet.id()) == ids.end()) ids.push_back(packet.id());
  }
  return ids;
}

void send_messages(ScriptedSession& session, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    ASSERT_TRUE(
        session.endpoint().send(session.now(), session.connection, Body::owned({static_cast<std::uint8_t>(i)})));
  }
  session.run({});
}

TEST(ConformanceReliability, Item42NumbersOrdinaryPacketsFromOne) {
  for (const bool initiates : {false, true}) {
    ScriptedSession session;
    ASSERT_TRUE(initiates ? session.connect_to_peer() : session.accept_peer());
    send_messages(session, 5);
    for (const Heard& packet : session.heard) EXPECT_EQ(packet.id() == 0, packet.is<wire::AckOk>());
  }
}

TEST(ConformanceReliability, Item42AcceptsPeersThatStartAtZeroSkipIdsAndWrap) {
  const std::vector<std::vector<std::uint32_t>> sequences = {
      {0, 1, 2, 3}, {5, 100, 70'000, 2'000'000'000}, {0xfffffffe, 0xffffffff, 0, 1, 2}, {0x80000000, 0x7fffffff}};
  for (const auto& ids : sequences) {
    ScriptedSession session({}, release(141));
    ASSERT_TRUE(session.accept_peer());
    session.heard.clear();
    for (const std::uint32_t id : ids) session.say_text(id, "x");
    session.run(100ms);
    EXPECT_EQ(session.messages.size(), ids.size());
    for (const std::uint32_t id : ids) EXPECT_GE(session.acks_of(id), 1U) << id;
  }
}

TEST(ConformanceReliability, Item43AcksMessagesFragmentsAndUpgradesWithin100Milliseconds) {
  ScriptedSession session;
  ASSERT_TRUE(session.accept_peer());
  session.say_text(1, "x");
  session.fragment(2, 9, 3000, 1, pattern(1130));
  session.say(3, wire::UpgradeOffer{1, 0});
  session.say(4, wire::UpgradeAccept{1});
  session.say(5, wire::UpgradeDecline{1, 2});
  session.run(100ms);
  for (std::uint32_t id = 1; id <= 5; ++id) EXPECT_GE(session.acks_of(id), 1U) << id;
}

TEST(ConformanceReliability, Item43AcksFragmentsOfStreamsItRefuses) {
  ScriptedSession session;
  ASSERT_TRUE(session.accept_peer());
  session.fragment(1, 9, std::uint64_t{1} << 60, 1, pattern(1130));
  session.run(100ms);
  EXPECT_GE(session.acks_of(1), 1U);
}

TEST(ConformanceReliability, Item43AcksANoOpOfAnOldOrUnknownPeerAlone) {
  struct Case {
    wire::VersionBytes version;
    bool known;
    bool acks;
  };
  for (const Case& c :
       {Case{release(154), true, false}, Case{release(142), true, false}, Case{release(141), true, true},
        Case{release(122), true, true}, Case{release(154), false, true}}) {
    ScriptedSession session({}, c.version);
    ASSERT_TRUE(session.connect_to_peer(c.known));
    session.say(17, wire::NoOp{});
    session.run(100ms);
    EXPECT_EQ(session.acks_of(17) > 0, c.acks);
  }
}

TEST(ConformanceReliability, Item44AcksDuplicatesAgainAndNeverDeliversThemTwice) {
  for (const std::uint16_t patch : {std::uint16_t{154}, std::uint16_t{130}}) {
    ScriptedSession session({}, release(patch));
    ASSERT_TRUE(session.accept_peer());
    const Bytes stream = pattern(1130 + 200);
    const Bytes message = session.peer.seal(1, wire::ShortMessage{as_bytes("once")});
    const Bytes first = session.peer.seal(
        2, wire::StreamFragment{
               .stream_id = 3, .total_length = 1330, .number = 1, .payload = ByteView(stream).first(1130)});
    const Bytes second = session.peer.seal(
        3, wire::StreamFragment{
               .stream_id = 3, .total_length = 1330, .number = 2, .payload = ByteView(stream).subspan(1130)});
    std::size_t from = 0;
    for (const Duration age :
         {Duration{0ms}, Duration{50ms}, Duration{1s}, Duration{59s}, Duration{61s}, Duration{300s}, Duration{900s}}) {
      const Instant until = session.now() + age;
      while (session.now() < until) {  // the peer is alive
        session.say(session.next_answer_id++, wire::Pong{1});
        session.run(std::min<Duration>(until - session.now(), 30s));
      }
      from = session.heard.size();
      session.deliver(message);
      session.deliver(first);
      session.deliver(second);
      session.run(100ms);
      for (std::uint32_t id = 1; id <= 3; ++id) EXPECT_GE(session.acks_of(id, from), 1U) << to_seconds(age);
    }
    EXPECT_EQ(session.messages.size(), 1U);
    ASSERT_EQ(session.count_events<StreamMessage>(), 1U);
    EXPECT_EQ(session.last_event<StreamMessage>()->payload, stream);
  }
}

TEST(ConformanceReliability, Item44NeverLosesALateRetransmission) {
  // The packet with id 1 is lost again and again while 40,000 others arrive; it is still new when it comes.
  ScriptedSession session;
  ASSERT_TRUE(session.accept_peer());
  for (std::uint32_t id = 2; id <= 40'000; ++id) session.say(id, wire::Pong{0});
  session.say_text(1, "late");
  EXPECT_EQ(session.messages.size(), 1U);
  session.say_text(1, "late");
  EXPECT_EQ(session.messages.size(), 1U);
}

TEST(ConformanceReliability, Item45AcksStayOutOfDuplicateDetectionAndGetNoAck) {
  for (const std::uint16_t patch : {std::uint16_t{154}, std::uint16_t{151}, std::uint16_t{141}}) {
    for (const bool initiates : {true, false}) {
      ScriptedSession session({}, release(patch));
      ASSERT_TRUE(initiates ? session.connect_to_peer() : session.accept_peer());
      // A repeat within the first second, then the first data packet, which has id 0 too.
      session.deliver(initiates ? session.establishing_ack : session.peer.seal(0, session.peer.success_ack(false)));
      session.run(100ms);
      EXPECT_EQ(session.acks_of(0), 0U);
      session.say_text(0, "first");
      session.run(100ms);
      EXPECT_EQ(session.messages.size(), 1U);
      EXPECT_GE(session.acks_of(0), 1U);
    }
  }
}

TEST(ConformanceReliability, Item46ProcessesAcksInEveryVariant) {
  ScriptedSession session;
  ASSERT_TRUE(session.accept_peer());
  send_messages(session, 11);
  const auto ids = message_ids(session);
  ASSERT_EQ(ids.size(), 11U);
  std::size_t next = 0;
  const auto ack = [&] { return std::array<std::uint32_t, 1>{ids[next++]}; };
  session.say(50, wire::ShortMessage{as_bytes("x")}, ack());
  session.say(51, wire::StreamFragment{.stream_id = 2, .total_length = 5, .number = 1, .payload = as_bytes("hello")},
              ack());
  session.say(52, wire::NoOp{}, ack());
  session.say(53, wire::Ping{1}, ack());
  session.say(54, wire::Pong{1}, ack());
  session.say(55, wire::UpgradeOffer{1, 0}, ack());
  session.say(56, wire::UpgradeAccept{1}, ack());
  session.say(57, wire::UpgradeDecline{1, 1}, ack());
  session.say(0, session.peer.success_ack(false), ack());
  EXPECT_EQ(session.count_events<MessageConfirmed>(), 9U);
  // In a duplicate too.
  session.say(50, wire::ShortMessage{as_bytes("x")}, ack());
  EXPECT_EQ(session.count_events<MessageConfirmed>(), 10U);
  EXPECT_EQ(session.messages.size(), 1U);
  // An error ack ends the connection, and its acknowledgements count before.
  session.say(60, wire::AckError{"bye"}, ack());
  EXPECT_EQ(session.count_events<MessageConfirmed>() + session.count_events<MessageFailed>(), 11U);
  EXPECT_TRUE(session.has_event<Closed>());
}

TEST(ConformanceReliability, Item46ClosesWhenAPacketNeverSentIsAcknowledged) {
  // Ahead of all ids, far ahead, and just behind the first.
  for (const std::uint32_t invented : {1'000U, 0x7000'0000U, 0xffff'ffffU}) {
    SCOPED_TRACE(invented);
    ScriptedSession session;
    ASSERT_TRUE(session.connect_to_peer());
    send_messages(session, 3);
    const auto ids = message_ids(session);
    ASSERT_EQ(ids.size(), 3U);
    // What is true beside it counts as little.
    session.say(10, wire::NoOp{}, std::array{ids[0], invented, ids[1]});
    EXPECT_EQ(session.count_events<MessageConfirmed>(), 0U);
    EXPECT_EQ(session.count_events<MessageFailed>(), 3U);
    ASSERT_TRUE(session.has_event<Closed>());
    EXPECT_EQ(session.last_event<Closed>()->reason, CloseReason::kProtocolViolation);
    EXPECT_EQ(session.last_event<Closed>()->text, "the peer acknowledged a packet that was never sent");
    ASSERT_NE(session.last_heard<wire::AckError>(), nullptr) << "the peer is told";
  }
}

TEST(ConformanceReliability, Item46ClosesWhenASkippedIdIsAcknowledged) {
  Config config;
  config.recovery.skip_least = 20;
  config.recovery.skip_most = 40;
  config.recovery.skip_interval = 0s;
  ScriptedSession session(config);
  ASSERT_TRUE(session.accept_peer());
  std::optional<std::uint32_t> skipped;
  std::uint32_t answer = 10;
  for (int round = 0; round < 100 && !skipped; ++round) {
    send_messages(session, 5);
    session.run(10ms);
    const auto ids = message_ids(session);
    std::set<std::uint32_t> sent(ids.begin(), ids.end());
    for (const Heard& packet : session.heard) sent.insert(packet.id());
    for (std::uint32_t id = 1; id < *sent.rbegin() && !skipped; ++id) {
      if (!sent.contains(id)) skipped = id;
    }
    session.say(answer++, wire::NoOp{}, ids);
    ASSERT_TRUE(session.open());
  }
  ASSERT_TRUE(skipped);
  session.say(answer, wire::NoOp{}, std::array{*skipped});
  ASSERT_TRUE(session.has_event<Closed>());
  EXPECT_EQ(session.last_event<Closed>()->reason, CloseReason::kProtocolViolation);
}

// Of every kind, once and again, in any order, from a new peer and from one that acknowledges NoOps and handshake acks.
TEST(ConformanceReliability, Item46NeverClosesForAcknowledgementsOfPacketsThatWereSent) {
  for (const bool old_peer : {false, true}) {
    SCOPED_TRACE(old_peer);
    Config config;
    config.recovery.skip_least = 20;
    config.recovery.skip_most = 40;
    config.recovery.skip_interval = 0s;
    ScriptedSession session(config, release(old_peer ? 141 : 154));
    ASSERT_TRUE(session.connect_to_peer(!old_peer));
    std::uint32_t answer = 10;
    for (int round = 0; round < 60; ++round) {
      send_messages(session, 1 + static_cast<std::size_t>(round) % 7);
      session.say(answer++, wire::Ping{static_cast<std::uint64_t>(round)});
      session.say_text(answer++, "a text that is acknowledged in a NoOp");
      session.say(answer++, wire::UpgradeOffer{static_cast<std::uint32_t>(round), 0});
      session.run(round % 5 == 0 ? 3s : 20ms);  // retransmissions too
      std::vector<std::uint32_t> all{0};
      for (const Heard& packet : session.heard) all.push_back(packet.id());
      if (round % 2 == 0) std::ranges::reverse(all);
      for (std::size_t at = 0; at < all.size(); at += 200) {
        session.say(answer++, wire::NoOp{}, std::span(all).subspan(at, std::min<std::size_t>(200, all.size() - at)));
      }
      ASSERT_TRUE(session.open());
    }
    EXPECT_GT(session.count_events<MessageConfirmed>(), 100U);
    EXPECT_EQ(session.statistics().acks_unknown, 0U);
  }
}

// Of an old peer, and of one that wrongly announces a newer version (wire spec W31).
TEST(ConformanceReliability, Item47DeliversAMessageWhoseIdAnAckPacketShares) {
  struct Case {
    std::uint16_t patch;
    bool noop_first;
  };
  for (const auto& [patch, noop_first] : {Case{141, true}, Case{141, false}, Case{154, true}, Case{154, false}}) {
    ScriptedSession session({}, release(patch));
    ASSERT_TRUE(session.accept_peer());
    send_messages(session, 1);
    const std::array acks = {message_ids(session).at(0)};
    if (noop_first) session.say(9, wire::NoOp{}, acks);
    session.say_text(9, "overflowing");
    session.say_text(9, "overflowing");
    if (!noop_first) session.say(9, wire::NoOp{}, acks);
    session.run(100ms);
    EXPECT_EQ(session.count_events<MessageConfirmed>(), 1U);
    EXPECT_EQ(session.messages.size(), 1U);
    EXPECT_GE(session.acks_of(9), 1U);
  }
}

// A receiver's few messages (its credit, say) pass between the acknowledgements of what it receives, however slow its
// own sending is.
TEST(ConformanceReliability, AcksDoNotUseUpThePacingOfMessages) {
  Config config;
  config.connection_rate_limit = Bandwidth::from_bits_per_second(100'000);
  ScriptedSession session(config);
  ASSERT_TRUE(session.accept_peer());
  for (std::uint32_t id = 1; id <= 6000; ++id) {
    session.say_text(id, "in");
    if (id % 20 == 0) session.run(1ms);
  }
  EXPECT_GE(session.count_heard<wire::NoOp>(), 20U);
  send_messages(session, 1);
  session.run(50ms);
  EXPECT_EQ(session.count_heard<wire::ShortMessage>(), 1U);
}

TEST(ConformanceReliability, Item48RetransmitsUnderTheSameIdAfterOneSecond) {
  ScriptedSession session;
  ASSERT_TRUE(session.accept_peer());
  send_messages(session, 1);
  const Bytes stream = pattern(2000);
  ASSERT_TRUE(session.endpoint().send(session.now(), session.connection, Body::borrowed(stream)));
  session.say(1, wire::UpgradeOffer{1, 0});
  const Instant sent = session.now();
  session.answer_pings = false;
  session.run(990ms);
  EXPECT_EQ(session.count_heard<wire::ShortMessage>(), 1U) << "sent again before the initial time-out";
  session.run(4s);
  std::map<std::uint32_t, std::vector<const Heard*>> by_id;
  for (const Heard& packet : session.heard) {
    if (packet.is<wire::ShortMessage>() || packet.is<wire::StreamFragment>() || packet.is<wire::UpgradeDecline>()) {
      by_id[packet.id()].push_back(&packet);
    }
  }
  ASSERT_EQ(by_id.size(), 4U) << "one message, two fragments, one Decline; a retransmission keeps its id";
  for (const auto& [id, copies] : by_id) {
    ASSERT_GE(copies.size(), 2U) << id;
    EXPECT_GE(copies[1]->at - sent, 1s);
    for (const Heard* copy : copies) {
      EXPECT_EQ(copy->packet.message.index(), copies[0]->packet.message.index());
      EXPECT_NE(copy->datagram, copies[0] == copy ? Bytes{} : copies[0]->datagram) << "sealed anew";
    }
    // The time-out doubles.
    if (copies.size() >= 3) {
      EXPECT_GE(copies[2]->at - copies[1]->at, 1900ms);
    }
  }
}

TEST(ConformanceReliability, Item48RetransmitsNoNoOps) {
  for (const std::uint16_t patch : {std::uint16_t{154}, std::uint16_t{141}}) {
    ScriptedSession session({}, release(patch));
    ASSERT_TRUE(session.accept_peer());
    session.say_text(1, "x");
    session.run(20s);
    EXPECT_EQ(session.count_heard<wire::NoOp>(), 1U);
  }
}

TEST(ConformanceReliability, Item48TakesNoSampleFromRetransmissions) {
  ScriptedSession session;
  ASSERT_TRUE(session.accept_peer());
  session.answer_pings = false;
  send_messages(session, 1);
  session.run(1500ms);
  ASSERT_GE(session.count_heard<wire::ShortMessage>(), 2U);
  const std::array ack = {message_ids(session).at(0)};
  session.say(1, wire::NoOp{}, ack);
  EXPECT_EQ(session.count_events<MessageConfirmed>(), 1U);
  EXPECT_EQ(session.statistics().latest_round_trip, Duration::zero());
}

TEST(ConformanceReliability, Item49ReportsAnAbandonedPacketAndKeepsTheConnection) {
  ScriptedSession session;
  ASSERT_TRUE(session.accept_peer());
  send_messages(session, 1);
  session.run(30min);
  EXPECT_TRUE(session.open());
  ASSERT_EQ(session.count_events<MessageFailed>(), 1U);
  EXPECT_TRUE(session.last_event<MessageFailed>()->may_have_arrived);
  EXPECT_GE(session.count_heard<wire::ShortMessage>(), 13U);
  // The stream of packets goes on.
  send_messages(session, 1);
  const std::array ack = {session.last_heard<wire::ShortMessage>()->id()};
  session.say(1, wire::NoOp{}, ack);
  EXPECT_EQ(session.count_events<MessageConfirmed>(), 1U);
}

TEST(ConformanceReliability, Item50AnIdleLinkWithACurrentPeerCarriesPingAndPongAlone) {
  ScriptedSession session;
  ASSERT_TRUE(session.connect_to_peer());
  session.say_text(1, "x");
  session.run(1s);
  session.heard.clear();
  for (int i = 0; i < 60; ++i) {
    session.say(static_cast<std::uint32_t>(100 + i), wire::Ping{static_cast<std::uint64_t>(i)});
    session.run(5s);
  }
  EXPECT_EQ(session.heard.size(), session.count_heard<wire::Ping>() + session.count_heard<wire::Pong>());
  EXPECT_EQ(session.count_heard<wire::Pong>(), 60U);
}

TEST(ConformanceReliability, Item51ToleratesAcksThatComeAfter700Milliseconds) {
  ScriptedSession session({}, release(130));
  ASSERT_TRUE(session.connect_to_peer());
  std::uint32_t reply = 1;
  std::vector<std::uint32_t> acknowledged;
  for (int round = 0; round < 30; ++round) {
    send_messages(session, 4);
    session.run(700ms);
    const auto ids = message_ids(session);
    std::vector<std::uint32_t> fresh;
    for (const std::uint32_t id : ids) {
      if (std::ranges::find(acknowledged, id) == acknowledged.end()) fresh.push_back(id);
    }
    acknowledged.insert(acknowledged.end(), fresh.begin(), fresh.end());
    session.say(reply++, wire::NoOp{}, fresh);
  }
  EXPECT_TRUE(session.open());
  EXPECT_EQ(session.count_events<MessageConfirmed>(), 120U);
  EXPECT_EQ(session.count_events<MessageFailed>() + session.count_events<Suspect>(), 0U);
}

TEST(ConformanceReliability, Item52DeliversWithoutWaitingForEarlierIds) {
  ScriptedSession session;
  ASSERT_TRUE(session.accept_peer());
  session.fragment(1, 1, 5000, 1, pattern(1130));  // never completed
  for (const std::uint32_t id : {30U, 10U, 20U}) {
    session.say_text(id, std::to_string(id));
    EXPECT_EQ(session.messages.back(), std::to_string(id));
  }
  EXPECT_EQ(session.messages.size(), 3U);
}

}  // namespace
}  // namespace godwit::testing
