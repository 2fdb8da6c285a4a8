// What an attacker can send to an endpoint, and what a peer gone bad can send inside its session: the connection, its
// memory bound and its other streams survive. Every operator new of the process is counted.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>

#include "base/counted_allocations_test_support.h"
#include "tests/scripted_session.h"

namespace godwit::testing {
namespace {

#ifdef NDEBUG
constexpr int kManyDatagrams = 100'000;
#else
constexpr int kManyDatagrams = 20'000;
#endif

enum class State { kUnknown, kConnecting, kHalfOpen, kSimultaneous, kAccepted, kConnected };
constexpr std::array kStates = {State::kUnknown,      State::kConnecting, State::kHalfOpen,
                                State::kSimultaneous, State::kAccepted,   State::kConnected};

void reach(ScriptedSession& session, State state) {
  const auto initiate = [&] {
    session.connection = *session.endpoint().connect(session.now(), kPeerAddress, session.peer.public_key());
    session.run({});
  };
  switch (state) {
    case State::kUnknown: break;
    case State::kConnecting: initiate(); break;
    case State::kHalfOpen: session.deliver(session.peer.intro(session.endpoint().public_key())); break;
    case State::kSimultaneous:
      initiate();
      ASSERT_TRUE(session.take_endpoint_intro());
      session.deliver(session.peer.intro(session.endpoint().public_key()));
      break;
    case State::kAccepted: ASSERT_TRUE(session.accept_peer()); break;
    case State::kConnected: ASSERT_TRUE(session.connect_to_peer()); break;
  }
  session.run({});
}

// Finishes what is unfinished and exchanges a message each way.
void expect_works(ScriptedSession& session, State state) {
  switch (state) {
    case State::kUnknown:
      session.run(2s);  // the attacker has used up the address's decryption of this second
      ASSERT_TRUE(session.accept_peer());
      break;
    case State::kConnecting:
      ASSERT_TRUE(session.take_endpoint_intro());
      session.deliver(session.peer.seal(0, session.peer.success_ack(true)));
      break;
    case State::kHalfOpen:
      ASSERT_TRUE(session.take_success_ack());
      session.say(0, session.peer.success_ack(false));
      break;
    case State::kSimultaneous:
      session.deliver(session.peer.seal(0, session.peer.success_ack(true)));
      session.run(500ms);
      break;
    default: break;
  }
  ASSERT_EQ(session.count_events<Connected>(), 1U);
  EXPECT_FALSE(session.has_event<Closed>());
  const std::size_t before = session.messages.size();
  session.say_text(2'000'000, "well?");
  EXPECT_EQ(session.messages.size(), before + 1);
  ASSERT_TRUE(session.endpoint().send(session.now(), session.connection, Body::owned({1})));
  session.run({});
  const Heard* said = session.last_heard<wire::ShortMessage>();
  ASSERT_NE(said, nullptr);
  const std::array ack = {said->id()};
  session.say(2'000'001, wire::NoOp{}, ack);
  EXPECT_EQ(session.count_events<MessageConfirmed>(), 1U);
}

TEST(Hostile, Item11And72SurvivesEveryLengthUpTo1600InEveryState) {
  for (const State state : kStates) {
    SCOPED_TRACE(static_cast<int>(state));
    ScriptedSession session;
    reach(session, state);
    DeterministicRandom random(4);
    for (std::size_t length = 0; length <= 1600; ++length) {
      for (const std::uint8_t first : {std::uint8_t{1}, std::uint8_t{2}, std::uint8_t{0x40}}) {
        Bytes datagram(length);
        random.fill(datagram);
        if (length > 0) datagram[0] = first;
        session.deliver(std::move(datagram));
      }
    }
    expect_works(session, state);
  }
}

TEST(Hostile, Item72SurvivesManyRandomDatagramsInEveryState) {
  for (const State state : kStates) {
    SCOPED_TRACE(static_cast<int>(state));
    ScriptedSession session;
    reach(session, state);
    DeterministicRandom random(6);
    const std::uint64_t live = allocation_counts.live_bytes;
    for (int i = 0; i < kManyDatagrams; ++i) {
      Bytes datagram(random.below(1501));
      random.fill(datagram);
      // Half of them look like what the address may send.
      if (!datagram.empty() && random.below(2) == 0) datagram[0] = static_cast<std::uint8_t>(1 + random.below(2));
      session.deliver(std::move(datagram));
    }
    EXPECT_LE(allocation_counts.live_bytes, live + (1 << 20));
    expect_works(session, state);
  }
}

TEST(Hostile, Item73SurvivesAHundredThousandIntrosFromSpoofedPorts) {
  ScriptedSession session;
  ASSERT_TRUE(session.accept_peer());
  // Valid ones, from 100,000 addresses and ports of 64 hosts, at 5,000 a second.
  std::vector<Bytes> intros;
  for (int i = 0; i < 1000; ++i) intros.push_back(session.peer.intro(session.endpoint().public_key()));
  session.run(1s);
  std::uint64_t most = 0;
  const std::uint64_t live = allocation_counts.live_bytes;
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    const auto host = static_cast<std::uint8_t>(i % 64);
    const SocketAddress from = SocketAddress::ipv4({198, 18, 0, host}, static_cast<std::uint16_t>(1 + i / 64));
    if (i % 100 < 3) {
      session.deliver(intros[i / 100], from);
    } else {
      Bytes junk(73);
      session.random().fill(junk);
      junk[0] = 1;
      session.deliver(std::move(junk), from);
    }
    if (i % 50 == 0) session.run(10ms);
    session.others.clear();
    session.heard.clear();
    session.events.clear();
    most = std::max(most, allocation_counts.live_bytes.load());
    ASSERT_LE(session.endpoint().connection_count(), 1025U);
  }
  EXPECT_LE(most - std::min(live, most), 8U << 20) << "bytes held for strangers";
  session.say_text(1, "still here");
  EXPECT_EQ(session.messages.size(), 1U);
  session.run(10s);
  EXPECT_EQ(session.endpoint().connection_count(), 1U) << "half-open handshakes are forgotten";
}

// --- Captures ---

// What a peer said in a session, sealed: messages, a stream, acknowledgements, pings.
std::vector<Bytes> capture(ScriptedSession& session) {
  const Bytes stream = pattern(5000);
  std::vector<Bytes> said;
  std::uint32_t id = 1;
  for (int i = 0; i < 5; ++i)
    said.push_back(session.peer.seal(id++, wire::ShortMessage{as_bytes("message " + std::to_string(i))}));
  for (std::uint32_t n = 1; n <= 5; ++n) {
    const ByteView piece = ByteView(stream).subspan((n - 1) * 1130, std::min<std::size_t>(1130, 5000 - (n - 1) * 1130));
    said.push_back(session.peer.seal(
        id++, wire::StreamFragment{.stream_id = 1, .total_length = 5000, .number = n, .payload = piece}));
  }
  said.push_back(session.peer.seal(id++, wire::Ping{5}));
  said.push_back(session.peer.seal(id++, wire::NoOp{}, std::array<std::uint32_t, 3>{1, 2, 3}));
  said.push_back(session.peer.seal(id++, wire::UpgradeOffer{1, 0}));
  return said;
}

TEST(Hostile, RefusesEveryFlippedBitAndEveryTruncation) {
  ScriptedSession session;
  ASSERT_TRUE(session.connect_to_peer());
  const auto said = capture(session);
  const auto before = session.statistics();
  std::uint64_t refused = 0;
  DeterministicRandom random(8);
  for (const Bytes& datagram : said) {
    for (std::size_t bit = 8; bit < datagram.size() * 8; bit += datagram.size() > 200 ? 1 + random.below(40) : 1) {
      Bytes flipped = datagram;
      flipped[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
      session.deliver(std::move(flipped));
      ++refused;
    }
    for (std::size_t length = 29; length < datagram.size();
         length += datagram.size() > 200 ? 1 + random.below(20) : 1) {
      session.deliver(Bytes(datagram.begin(), datagram.begin() + static_cast<std::ptrdiff_t>(length)));
      ++refused;
    }
    Bytes longer = datagram;
    longer.push_back(0);
    session.deliver(std::move(longer));
    ++refused;
  }
  const auto after = session.statistics();
  EXPECT_EQ(after.drops.of(trace::DropReason::kAuthenticationFailed) -
                before.drops.of(trace::DropReason::kAuthenticationFailed),
            refused);
  EXPECT_EQ(after.packets_received, before.packets_received);
  EXPECT_TRUE(session.messages.empty());
  for (const Bytes& datagram : said) session.deliver(datagram);
  EXPECT_EQ(session.messages.size(), 5U);
  EXPECT_EQ(session.count_events<StreamMessage>(), 1U);
}

TEST(Hostile, ReplaysNeverDeliverTwiceHoweverOldTheyAre) {
  ScriptedSession session;
  ASSERT_TRUE(session.connect_to_peer());
  const auto said = capture(session);
  DeterministicRandom random(10);
  for (const Bytes& datagram : said) session.deliver(datagram);
  for (int round = 0; round < 40; ++round) {
    session.run(30s);  // 20 minutes in all
    for (int i = 0; i < 50; ++i) session.deliver(said[random.below(said.size())]);
    session.next_answer_id += static_cast<std::uint32_t>(random.below(3));
    session.say(session.next_answer_id++, wire::ShortMessage{as_bytes("fresh")});
  }
  EXPECT_EQ(session.messages.size(), 45U);
  EXPECT_EQ(session.count_events<StreamMessage>(), 1U);
  EXPECT_TRUE(session.open());
}

TEST(Hostile, ALateRetransmissionIsDeliveredNineMinutesAfterItsNeighbours) {
  ScriptedSession session;
  ASSERT_TRUE(session.connect_to_peer());
  std::map<std::uint32_t, Bytes> held;
  for (std::uint32_t id = 1; id <= 5000; ++id) {
    Bytes datagram = session.peer.seal(id, wire::ShortMessage{as_bytes("x")});
    if (id % 7 == 0) {
      held.emplace(id, std::move(datagram));
    } else {
      session.deliver(std::move(datagram));
    }
  }
  for (int i = 0; i < 18; ++i) {
    session.run(30s);
    session.say(session.next_answer_id++, wire::Pong{1});
  }
  for (int copy = 0; copy < 2; ++copy) {
    for (const auto& [id, datagram] : held) session.deliver(datagram);
  }
  EXPECT_EQ(session.messages.size(), 5000U);
}

// --- A peer gone bad ---

TEST(Hostile, LengthsOfTwoToThe64AreNoTrouble) {
  ScriptedSession session;
  ASSERT_TRUE(session.connect_to_peer());
  const std::uint64_t live = allocation_counts.live_bytes;
  const auto deliver = [&](std::uint32_t variant, const std::function<void(Bytes&)>& rest, std::uint64_t acks = 0) {
    Bytes plaintext;
    const auto put = [&plaintext](auto value) {
      Bytes field(sizeof value);
      store_le(field.data(), value);
      plaintext.insert(plaintext.end(), field.begin(), field.end());
    };
    put(std::uint32_t{77});
    put(acks);
    put(variant);
    rest(plaintext);
    plaintext.resize(plaintext.size() + 100, 0xff);
    session.deliver(session.peer.seal_plaintext(plaintext));
  };
  const auto u64 = [](Bytes& out, std::uint64_t value) {
    out.resize(out.size() + 8);
    store_le(out.data() + out.size() - 8, value);
  };
  for (const std::uint64_t length :
       {~std::uint64_t{0}, ~std::uint64_t{0} - 15, std::uint64_t{1} << 63, std::uint64_t{1} << 62,
        (std::uint64_t{1} << 62) - 1, std::uint64_t{1} << 32, std::uint64_t{2000}}) {
    deliver(3, [](Bytes&) {}, length);                  // acknowledgements
    deliver(1, [&](Bytes& out) { u64(out, length); });  // a short message
    deliver(2, [&](Bytes& out) {                        // a fragment's payload
      out.resize(out.size() + 4, 1);
      u64(out, 3000);
      out.resize(out.size() + 4, 0);
      u64(out, length);
    });
    deliver(0, [&](Bytes& out) {  // an error text
      out.insert(out.end(), {1, 0, 0, 0});
      u64(out, length);
    });
    session.fragment(session.next_answer_id++, 9, length, 1, pattern(1130));  // a total
    session.fragment(session.next_answer_id++, 10, 3000, 0xffffffff, pattern(1130));
  }
  EXPECT_TRUE(session.open());
  EXPECT_GE(session.statistics().drops.of(trace::DropReason::kUndecodable), 28U);
  EXPECT_LE(allocation_counts.live_bytes, live + (1 << 20));
  session.say_text(1, "x");
  EXPECT_EQ(session.messages.size(), 1U);
}

TEST(Hostile, AStreamThatContradictsItselfHurtsNoOther) {
  for (const DeliveryMode mode : {DeliveryMode::kWhole, DeliveryMode::kChunks}) {
    Config config;
    config.streams.delivery = mode;
    ScriptedSession session(config);
    ASSERT_TRUE(session.connect_to_peer());
    DeterministicRandom random(12);
    const Bytes good = pattern(50'000);
    std::uint32_t id = 1;
    for (std::uint32_t n = 1; n <= wire::fragment_count(good.size()); ++n) {
      for (int i = 0; i < 40; ++i) {
        // Other totals, other contents, other lengths for the same numbers; overlaps if sizes differ.
        session.fragment(id++, 2, random.below(60'000), static_cast<std::uint32_t>(random.below(60)),
                         pattern(random.below(1300), static_cast<std::uint32_t>(i)));
      }
      const std::size_t at = std::size_t{n - 1} * 1130;
      session.fragment(id++, 1, good.size(), n,
                       ByteView(good).subspan(at, std::min<std::size_t>(1130, good.size() - at)));
    }
    EXPECT_TRUE(session.open());
    if (mode == DeliveryMode::kWhole) {
      const bool delivered = std::ranges::any_of(session.events, [&](const Event& event) {
        const auto* message = std::get_if<StreamMessage>(&event);
        return message != nullptr && message->stream_id == 1 && message->payload == good;
      });
      EXPECT_TRUE(delivered);
    } else {
      std::uint64_t arrived = 0;
      for (const Event& event : session.events) {
        const auto* chunk = std::get_if<StreamChunk>(&event);
        if (chunk != nullptr && chunk->stream_id == 1) arrived += chunk->bytes.size();
      }
      EXPECT_EQ(arrived, good.size());
    }
  }
}

TEST(Hostile, ThousandsOfStreamsBegunAndNeverFinishedStayWithinTheBound) {
  for (const DeliveryMode mode : {DeliveryMode::kWhole, DeliveryMode::kChunks}) {
    Config config;
    config.streams.delivery = mode;
    config.streams.memory = {.reorder_bytes = 1 << 20, .buffer_bytes = 4 << 20};
    ScriptedSession session(config);
    ASSERT_TRUE(session.connect_to_peer());
    const std::uint64_t live = allocation_counts.live_bytes;
    std::uint64_t most = live;
    std::uint32_t id = 1;
    const Bytes payload = pattern(1130);
    for (std::uint32_t stream = 1; stream <= 20'000; ++stream) {
      // The first, and one far out of order.
      session.fragment(id++, stream, 10'000'000, 1, payload);
      session.fragment(id++, stream, 10'000'000, 2 + stream % 8000, payload);
      session.events.clear();
      session.heard.clear();
      session.chunks.clear();
      most = std::max(most, allocation_counts.live_bytes.load());
    }
    EXPECT_TRUE(session.open());
    EXPECT_LE(most - live, 10U << 20);
    session.say_text(id, "x");
    EXPECT_EQ(session.messages.size(), 1U);
    session.run(60s);
    const std::uint64_t settled = allocation_counts.live_bytes;
    EXPECT_LE(settled, live + (2U << 20)) << "evicted streams give their memory back";
  }
}

TEST(Hostile, InventedAcknowledgementsMoveNothingAndEndTheConnection) {
  ScriptedSession session;
  ASSERT_TRUE(session.connect_to_peer());
  ASSERT_TRUE(session.endpoint().send(session.now(), session.connection, Body::owned(pattern(200'000))));
  session.run(10ms);
  ASSERT_GT(session.statistics().bytes_in_flight, 0U);
  const std::size_t sent = session.datagrams;
  std::vector<std::uint32_t> invented(288);
  for (std::uint32_t i = 0; i < 288; ++i) invented[i] = 1 + i;  // all that is in flight, and what comes next
  for (int i = 0; i < 100; ++i) session.say(session.next_answer_id++, wire::NoOp{}, invented);
  session.run(10s);
  EXPECT_GE(session.datagrams, sent + 1) << "the close packet";
  EXPECT_LE(session.datagrams, sent + 4) << "the close packet and its repetitions alone";
  EXPECT_EQ(session.count_events<MessageConfirmed>(), 0U);
  ASSERT_EQ(session.count_events<Closed>(), 1U);
  EXPECT_EQ(session.last_event<Closed>()->reason, CloseReason::kProtocolViolation);
}

}  // namespace
}  // namespace godwit::testing
