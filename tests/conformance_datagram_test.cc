// Wire spec section 11, "Datagrams and crypto" and "Encoding", at the endpoint: what a peer's datagrams do to it in
// every state, and what leaves it. Golden bytes are tested in src/wire and src/crypto.

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/scripted_session.h"

namespace godwit::testing {
namespace {

// The states an address can be in; `Act` is done to each, then the state must still work.
enum class State { kUnknown, kConnecting, kHalfOpen, kEstablishedAcceptor, kEstablishedInitiator };
constexpr std::array kStates = {State::kUnknown, State::kConnecting, State::kHalfOpen, State::kEstablishedAcceptor,
                                State::kEstablishedInitiator};

struct InState {
  explicit InState(State wanted) : state(wanted) {
    switch (state) {
      case State::kUnknown: break;
      case State::kConnecting:
        session.connection = *session.endpoint().connect(session.now(), kPeerAddress, session.peer.public_key());
        session.run({});
        break;
      case State::kHalfOpen: session.deliver(session.peer.intro(session.endpoint().public_key())); break;
      case State::kEstablishedAcceptor: EXPECT_TRUE(session.accept_peer()); break;
      case State::kEstablishedInitiator: EXPECT_TRUE(session.connect_to_peer()); break;
    }
    session.run(10ms);
    sent_before = session.datagrams;
  }
  // Completes what is not complete, and passes a message each way.
  void expect_works() {
    switch (state) {
      case State::kUnknown: ASSERT_TRUE(session.accept_peer()); break;
      case State::kConnecting:
        ASSERT_TRUE(session.take_endpoint_intro());
        session.deliver(session.peer.seal(0, session.peer.success_ack(true)));
        break;
      case State::kHalfOpen:
        ASSERT_TRUE(session.take_success_ack());
        session.say(0, session.peer.success_ack(false));
        break;
      default: break;
    }
    ASSERT_EQ(session.count_events<Connected>(), 1U);
    ASSERT_FALSE(session.has_event<Closed>());
    session.say_text(900'000, "still here");
    ASSERT_EQ(session.messages.size(), 1U);
    ASSERT_TRUE(session.endpoint().send(session.now(), session.connection, Body::owned({1})));
    session.run(10ms);
    const Heard* said = session.last_heard<wire::ShortMessage>();
    ASSERT_NE(said, nullptr);
    const std::array ack = {said->id()};
    session.say(900'001, wire::NoOp{}, ack);
    EXPECT_EQ(session.count_events<MessageConfirmed>(), 1U);
  }

  State state;
  ScriptedSession session;
  std::size_t sent_before = 0;
};

TEST(ConformanceDatagram, Item08NeverRepeatsANonceUnderOneKey) {
  // An acceptor hands out the same key all day: five sessions under it, each with traffic.
  std::set<Bytes> nonces;
  const SymmetricKey reused = SymmetricKey(std::array<std::uint8_t, 16>{1, 2, 3});
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    ScriptedSession session({}, wire::kAnnouncedVersion, seed);
    session.peer.use_own_key(reused);
    ASSERT_TRUE(session.connect_to_peer());
    const Bytes body = pattern(50'000);
    ASSERT_TRUE(session.endpoint().send(session.now(), session.connection, Body::borrowed(body)));
    session.run(20s);  // unacknowledged: retransmissions too
    std::set<Bytes> seen;
    for (const Heard& packet : session.heard) {
      const Bytes nonce(packet.datagram.begin() + 1, packet.datagram.begin() + 13);
      // A retransmission of the datagram itself would be no repeat of another plaintext; Godwit seals anew all the
      // same.
      EXPECT_TRUE(nonces.insert(nonce).second);
    }
  }
  EXPECT_GT(nonces.size(), 100U);
}

TEST(ConformanceDatagram, Item09AcceptsAnyNonceInAnyOrder) {
  ScriptedSession session;
  ASSERT_TRUE(session.connect_to_peer());
  ASSERT_TRUE(session.take_endpoint_intro());
  std::vector<Bytes> datagrams;
  for (std::uint32_t id = 1; id <= 100; ++id) {
    if (id % 10 == 0) {  // another nonce prefix and counter
      ASSERT_TRUE(session.take_endpoint_intro());
    }
    datagrams.push_back(session.peer.seal(id, wire::ShortMessage{as_bytes("x")}));
  }
  for (std::size_t i = 0; i < datagrams.size(); ++i) session.deliver(datagrams[i * 37 % datagrams.size()]);
  EXPECT_EQ(session.messages.size(), 100U);
}

TEST(ConformanceDatagram, Item10SendsAtMost1200BytesAndAccepts1500) {
  ScriptedSession session;
  ASSERT_TRUE(session.connect_to_peer());
  const Bytes message = pattern(wire::kShortMessageLimit);
  const Bytes stream = pattern(20'000);
  for (std::uint32_t id = 1; id <= 40; ++id) session.say(id, wire::ShortMessage{as_bytes("acknowledgement me")});
  ASSERT_TRUE(session.endpoint().send(session.now(), session.connection, Body::borrowed(message)));
  ASSERT_TRUE(session.endpoint().send(session.now(), session.connection, Body::borrowed(stream)));
  for (const std::size_t size : {0U, 1U, 1114U, 1115U, 1120U}) {
    SendOptions options{.as = SendAs::kOperationsStream, .metadata = pattern(size)};
    ASSERT_TRUE(session.endpoint().send(session.now(), session.connection, Body::borrowed(stream), std::move(options)));
  }
  session.run(10s);
  EXPECT_EQ(session.longest, wire::kMaxDatagram);

  const Bytes largest = pattern(wire::kMaxReceivedPlaintext - wire::kShortMessageOverhead);
  session.messages.clear();
  session.say(5000, wire::ShortMessage{largest});
  ASSERT_EQ(session.messages.size(), 1U);
  EXPECT_TRUE(std::ranges::equal(as_bytes(session.messages[0]), largest));
}

TEST(ConformanceDatagram, Item11SurvivesEveryLengthUpTo28InEveryState) {
  for (const State state : kStates) {
    InState in(state);
    for (std::size_t length = 0; length <= 28; ++length) {
      Bytes datagram(length, 0xaa);
      if (length > 0) datagram[0] = 2;
      in.session.deliver(datagram);
      if (length > 0) datagram[0] = 1;
      in.session.deliver(datagram);
    }
    EXPECT_EQ(in.session.datagrams, in.sent_before) << "answered junk";
    in.expect_works();
  }
}

TEST(ConformanceDatagram, Item11SendsNothingButIntrosAndWholeSymmetricDatagrams) {
  ScriptedSession session;
  ASSERT_TRUE(session.connect_to_peer());
  const Bytes stream = pattern(30'000);
  ASSERT_TRUE(session.endpoint().send(session.now(), session.connection, Body::borrowed(stream)));
  session.run(30s);
  session.endpoint().close(session.now(), session.connection, "done");
  session.run(1s);
  for (const Heard& packet : session.heard) {
    EXPECT_EQ(packet.datagram[0], 2);
    EXPECT_GE(packet.datagram.size(), 45U);
  }
  // An intro has 73 bytes, and behind them the sealed offer when extended sessions are on.
  const std::size_t intro_size = 73U + (extended_setting() == ExtendedPolicy::kOff ? 0U : 171U);
  EXPECT_FALSE(session.others.empty());
  for (const Bytes& datagram : session.others) {
    EXPECT_EQ(datagram[0], 1);
    EXPECT_EQ(datagram.size(), intro_size);
  }
}

TEST(ConformanceDatagram, Item12SurvivesAuthenticPlaintextsThatDoNotDecode) {
  ScriptedSession session;
  ASSERT_TRUE(session.accept_peer());
  DeterministicRandom random(3);
  for (std::size_t length = 0; length <= wire::kMaxReceivedPlaintext; ++length) {
    Bytes plaintext(length);
    random.fill(plaintext);
    if (length >= 16) std::fill_n(plaintext.begin() + 12, 4, 0x99);  // no variant
    if (length >= 12) std::fill_n(plaintext.begin() + 4, 8, 0);      // no acknowledgements
    session.deliver(session.peer.seal_plaintext(plaintext));
  }
  const auto drops = session.statistics().drops;
  EXPECT_EQ(drops.of(trace::DropReason::kUndecodable), wire::kMaxReceivedPlaintext + 1);
  session.say_text(1, "hello");
  EXPECT_EQ(session.messages.size(), 1U);
  EXPECT_TRUE(session.open());
}

TEST(ConformanceDatagram, Item13DropsEveryOtherFirstByteInEveryState) {
  for (const State state : kStates) {
    InState in(state);
    const auto before = in.session.endpoint().statistics().drops.of(trace::DropReason::kUnknownType);
    DeterministicRandom random(5);
    for (int first = 0; first < 256; ++first) {
      if (first == 1 || first == 2) continue;
      for (const std::size_t length : {1U, 28U, 73U, 1200U, 1500U}) {
        Bytes datagram(length);
        random.fill(datagram);
        datagram[0] = static_cast<std::uint8_t>(first);
        in.session.deliver(datagram);
      }
    }
    EXPECT_EQ(in.session.datagrams, in.sent_before) << "answered junk";
    EXPECT_EQ(in.session.endpoint().statistics().drops.of(trace::DropReason::kUnknownType) - before, 254U * 5);
    if (in.session.connection != 0) {
      EXPECT_EQ(in.session.statistics().drops.total(), 0U) << "counted against the connection";
    }
    in.expect_works();
  }
}

TEST(ConformanceDatagram, Item13AnAuthenticPacketUnderAnotherFirstByteIsNotOpened) {
  ScriptedSession session;
  ASSERT_TRUE(session.accept_peer());
  Bytes datagram = session.peer.seal(1, wire::ShortMessage{as_bytes("x")});
  datagram[0] = 0x42;
  session.deliver(datagram);
  EXPECT_TRUE(session.messages.empty());
  datagram[0] = 2;
  session.deliver(datagram);
  EXPECT_EQ(session.messages.size(), 1U);
}

TEST(ConformanceDatagram, Item14TreatsAMappedAddressAsIpv4) {
  ScriptedSession session;
  ASSERT_TRUE(session.accept_peer());
  std::array<std::uint8_t, 16> mapped{};
  mapped[10] = mapped[11] = 0xff;
  std::copy_n(kPeerAddress.octets().begin(), 4, mapped.begin() + 12);
  session.deliver(session.peer.seal(1, wire::ShortMessage{as_bytes("x")}),
                  SocketAddress::ipv6(mapped, kPeerAddress.port()));
  EXPECT_EQ(session.messages.size(), 1U);
  EXPECT_EQ(session.endpoint().connection_count(), 1U);
}

TEST(ConformanceDatagram, Item14EncodesAMappedAddressAsIpv4) {
  ScriptedSession session;
  std::array<std::uint8_t, 16> mapped{};
  mapped[10] = mapped[11] = 0xff;
  std::copy_n(kPeerAddress.octets().begin(), 4, mapped.begin() + 12);
  session.deliver(session.peer.intro(session.endpoint().public_key()),
                  SocketAddress::ipv6(mapped, kPeerAddress.port()));
  ASSERT_EQ(session.count_heard<wire::AckOk>(), 1U);
  EXPECT_EQ(session.heard[0].datagram.size(), 79U);  // the V2 ack of an IPv4 address
  EXPECT_EQ(session.heard[0].as<wire::AckOk>()->remote_address, kPeerAddress);
}

TEST(ConformanceDatagram, Item17IgnoresTrailingBytes) {
  ScriptedSession session;
  ASSERT_TRUE(session.accept_peer());
  const std::vector<wire::Message> kinds = {wire::ShortMessage{as_bytes("x")},
                                            wire::NoOp{},
                                            wire::Ping{7},
                                            wire::Pong{7},
                                            wire::UpgradeOffer{1, 0},
                                            wire::UpgradeAccept{1},
                                            wire::UpgradeDecline{1, 1}};
  std::uint32_t id = 1;
  for (const wire::Message& kind : kinds) {
    Bytes plaintext(wire::encoded_size(kind));
    ASSERT_EQ(wire::encode(plaintext, id++, {}, kind), plaintext.size());
    plaintext.insert(plaintext.end(), 300, 0xee);
    session.deliver(session.peer.seal_plaintext(plaintext));
  }
  session.run(100ms);
  EXPECT_EQ(session.statistics().drops.total(), 0U);
  EXPECT_EQ(session.messages.size(), 1U);
  EXPECT_EQ(session.messages[0], "x");
  EXPECT_EQ(session.count_heard<wire::Pong>(), 1U);
  for (const std::uint32_t acknowledged : {1U, 5U, 6U, 7U})
    EXPECT_GE(session.acks_of(acknowledged), 1U) << acknowledged;
}

TEST(ConformanceDatagram, Item18DropsWhatHasABadTagWithoutAnAck) {
  ScriptedSession session;
  ASSERT_TRUE(session.accept_peer());
  Bytes plaintext(64);
  // A fragment whose option tag is 2.
  const wire::StreamFragment fragment{.stream_id = 1, .total_length = 3000, .number = 1, .payload = as_bytes("abc")};
  plaintext.resize(wire::encoded_size(wire::Message{fragment}));
  ASSERT_EQ(wire::encode(plaintext, 10, {}, wire::Message{fragment}), plaintext.size());
  plaintext.back() = 2;
  session.deliver(session.peer.seal_plaintext(plaintext));
  // Variants above 7.
  for (const std::uint32_t variant : {8U, 9U, 255U, 0xffffffffU}) {
    Bytes unknown(40);
    store_le<std::uint32_t>(unknown.data(), 20 + variant % 16);
    store_le<std::uint32_t>(unknown.data() + 12, variant);
    session.deliver(session.peer.seal_plaintext(unknown));
  }
  // Inner indices of an upgrade above 2.
  for (const std::uint32_t inner : {3U, 0xffffffffU}) {
    Bytes unknown(40);
    store_le<std::uint32_t>(unknown.data(), 40 + inner % 16);
    store_le<std::uint32_t>(unknown.data() + 12, 7U);
    store_le<std::uint32_t>(unknown.data() + 16, inner);
    session.deliver(session.peer.seal_plaintext(unknown));
  }
  session.run(1s);
  EXPECT_EQ(session.statistics().drops.of(trace::DropReason::kUndecodable), 7U);
  for (const Heard& packet : session.heard) EXPECT_TRUE(packet.packet.acks.empty());
  EXPECT_TRUE(session.open());
  // Nor is its id remembered: the packet itself is welcome under it.
  session.say_text(10, "x");
  EXPECT_EQ(session.messages.size(), 1U);
}

}  // namespace
}  // namespace godwit::testing
