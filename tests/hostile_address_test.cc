// What whoever can write a peer's address on a datagram can do to its session, to its way in, and to others, with
// intros and datagrams forged at a rate: sessions stay where they are, the peer connects, and nobody is sent more than
// the bounds say. Counts, in virtual time.

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "tests/scripted_session.h"
#include "transport/memory_network_test_support.h"

namespace godwit::testing {
namespace {

const SocketAddress kOtherLocal = SocketAddress::ipv4({203, 0, 113, 99}, 31337);

// One endpoint with two addresses, driven by hand: the local address of a datagram matters.
class Multihomed : public test::MemoryNetwork {
 public:
  Multihomed() : MemoryNetwork(2), host_(add(kEndpointAddress)), peer(kEndpointAddress) {
    direct = true;
    reach(host_, kOtherLocal);
    on_path = [this](const test::Flight& flight) {
      left_from_.push_back(flight.left_from);
      return true;
    };
    add_scripted(kPeerAddress).on_datagram = [this](Instant at, const SocketAddress&, MutableBytes datagram) {
      const auto opened = peer.open(at, datagram);
      if (opened && opened->is<wire::AckOk>()) peer.send_with(opened->as<wire::AckOk>()->key);
    };
  }

  void deliver(Bytes datagram, const SocketAddress& local) { inject(kPeerAddress, local, std::move(datagram)); }
  // Where the next datagrams leave from.
  std::vector<SocketAddress> drain() {
    transmit(host_);
    return std::exchange(left_from_, {});
  }
  // Where a reply to a ping leaves from, which the peer sends to `local`.
  SocketAddress reply_to_ping(std::uint32_t id, const SocketAddress& local) {
    deliver(peer.seal(id, wire::Ping{id}), local);
    const auto from = drain();
    return from.empty() ? SocketAddress{} : from.front();
  }
  bool connect() {
    deliver(peer.intro(public_key()), kEndpointAddress);
    static_cast<void>(drain());
    deliver(peer.seal(0, peer.success_ack(false)), kEndpointAddress);
    static_cast<void>(drain());
    return reply_to_ping(1, kEndpointAddress) == kEndpointAddress;
  }
  PublicKey public_key() const { return host_.key(); }

 private:
  Node& host_;
  std::vector<SocketAddress> left_from_;

 public:
  ScriptedPeer peer;
};

TEST(HostileAddress, NothingUnauthenticatedMovesTheLocalAddressOfASession) {
  Multihomed host;
  ASSERT_TRUE(host.connect());
  DeterministicRandom random(4);
  std::uint32_t id = 10;
  const Bytes replayed = host.peer.seal(id++, wire::Ping{1});
  host.deliver(replayed, kEndpointAddress);
  static_cast<void>(host.drain());
  std::vector<Bytes> forged = {{2}, {1}, {0x40}, replayed, host.peer.intro(host.public_key())};
  for (const std::size_t size : {29U, 73U, 200U, 1200U}) {
    for (const std::uint8_t type : {std::uint8_t{1}, std::uint8_t{2}}) {
      Bytes junk(size);
      random.fill(junk);
      junk[0] = type;
      forged.push_back(std::move(junk));
    }
  }
  forged.push_back(ScriptedPeer(kEndpointAddress, 77).intro(host.public_key()));
  for (const Bytes& datagram : forged) {
    host.deliver(datagram, kOtherLocal);
    for (const SocketAddress& from : host.drain()) EXPECT_EQ(from, kEndpointAddress);
    // What the session says by itself has not moved either.
    host.now += 6s;
  }
  EXPECT_EQ(host.reply_to_ping(id++, kEndpointAddress), kEndpointAddress);
}

// The packet that established the session says where the peer is, and nothing of what comes after it.
TEST(HostileAddress, JunkBehindThePacketThatEstablishedASessionMovesNothing) {
  Multihomed host;
  host.deliver(host.peer.intro(host.public_key()), kEndpointAddress);
  static_cast<void>(host.drain());
  const Bytes ping = host.peer.seal(1, wire::Ping{1});
  host.deliver(ping, kEndpointAddress);
  static_cast<void>(host.drain());
  Bytes junk(29);
  junk[0] = 2;
  host.deliver(junk, kOtherLocal);
  // A repeated ping is answered, and moves nothing itself.
  host.deliver(ping, kOtherLocal);
  const auto from = host.drain();
  ASSERT_FALSE(from.empty());
  EXPECT_EQ(from.front(), kEndpointAddress);
}

TEST(HostileAddress, TheLocalAddressFollowsThePeersNewestPacketOnly) {
  Multihomed host;
  ASSERT_TRUE(host.connect());
  const Bytes late = host.peer.seal(2, wire::Ping{2});
  EXPECT_EQ(host.reply_to_ping(3, kOtherLocal), kOtherLocal);
  // An older packet that arrives late, at the former address.
  host.deliver(late, kEndpointAddress);
  for (const SocketAddress& from : host.drain()) EXPECT_EQ(from, kOtherLocal);
  EXPECT_EQ(host.reply_to_ping(4, kEndpointAddress), kEndpointAddress);
}

// Datagrams of a symmetric kind that the peer could not open in the worst 30 s. Intros are sealed to its static key.
class Unopenable {
 public:
  void take(ScriptedSession& session) {
    for (const Bytes& datagram : session.others) {
      if (wire::classify(datagram) == wire::DatagramClass::kSymmetric) sent_.push_back(session.now());
    }
    session.others.clear();
    // What is sent is seen up to 50 ms later.
    while (!sent_.empty() && session.now() - sent_.front() > 30s - 50ms) sent_.pop_front();
    worst = std::max(worst, sent_.size());
  }
  std::size_t worst = 0;

 private:
  std::deque<Instant> sent_;
};

void forge_intros(ScriptedSession& session, Unopenable& unopenable, Duration time, Duration interval, bool repeat) {
  ScriptedPeer forger(kEndpointAddress, 500);
  Bytes intro = forger.intro(session.endpoint().public_key());
  const Instant end = session.now() + time;
  while (session.now() < end) {
    session.deliver(intro);
    unopenable.take(session);
    for (Duration waited{}; waited < interval; waited += std::min(interval, Duration{50ms})) {
      session.run(std::min(interval, Duration{50ms}));
      unopenable.take(session);
    }
    if (!repeat) {
      forger.begin_session();
      intro = forger.intro(session.endpoint().public_key());
    }
  }
}

TEST(HostileAddress, ASessionThatAnswersIsSentNothingUnderAnIntrosKey) {
  for (const bool outbound : {false, true}) {
    for (const Duration interval : {Duration{1s}, Duration{100ms}, Duration{10ms}}) {
      for (const bool repeat : {false, true}) {
        ScriptedSession session;
        ASSERT_TRUE(outbound ? session.connect_to_peer() : session.accept_peer());
        session.run(1s);
        session.others.clear();
        const std::size_t pings = session.count_heard<wire::Ping>();
        const ConnectionId before = session.connection;
        Unopenable unopenable;
        forge_intros(session, unopenable, 60s, interval, repeat);
        EXPECT_EQ(unopenable.worst, 0U) << interval.count() << repeat << outbound;
        EXPECT_GT(session.count_heard<wire::Ping>(), pings);
        EXPECT_EQ(session.connection, before);
        EXPECT_TRUE(session.open());
        session.say_text(5'000'000, "x");
        EXPECT_EQ(session.messages.size(), 1U);
      }
    }
  }
}

TEST(HostileAddress, ASessionWhosePingsAreLostIsSentAtMostTenDatagramsInThirtySeconds) {
  for (const bool outbound : {false, true}) {
    for (const Duration interval : {Duration{1s}, Duration{100ms}, Duration{10ms}}) {
      for (const bool repeat : {false, true}) {
        ScriptedSession session;
        ASSERT_TRUE(outbound ? session.connect_to_peer() : session.accept_peer());
        session.run(1s);
        session.others.clear();
        session.answer_pings = false;
        Unopenable unopenable;
        forge_intros(session, unopenable, 60s, interval, repeat);
        EXPECT_LE(unopenable.worst, 10U) << interval.count() << repeat << outbound;
        // The peer was there all the time, and its session is.
        session.say_text(5'000'000, "x");
        EXPECT_EQ(session.messages.size(), 1U);
      }
    }
  }
}

TEST(HostileAddress, APeerThatHasRestartedConnectsThoughItsIntrosMixWithForgedOnes) {
  std::size_t connected = 0;
  constexpr std::size_t kPeers = 40;
  for (std::uint64_t seed = 0; seed < kPeers; ++seed) {
    ScriptedSession session({}, wire::kAnnouncedVersion, seed + 1);
    ASSERT_TRUE(session.accept_peer());
    session.run(1s);
    session.answer_pings = false;
    ScriptedPeer restarted(kEndpointAddress, 999 + seed);
    ScriptedPeer forger(kEndpointAddress, 5000 + seed);
    // One forged intro a second; the peer's own every 250 ms, a fresh one every 3 s, for 15 s.
    bool done = false;
    Bytes intro;
    for (int step = 0; step < 60 && !done; ++step) {
      if (step % 12 == 0) {
        restarted.begin_session();
        intro = restarted.intro(session.endpoint().public_key());
      }
      if (step % 4 == 0) {
        forger.begin_session();
        session.deliver(forger.intro(session.endpoint().public_key()));
      }
      session.deliver(intro);
      for (int part = 0; part < 5; ++part) {
        session.run(50ms);
        for (const Bytes& datagram : std::exchange(session.others, {})) {
          const auto heard = restarted.open(session.now(), datagram);
          if (!heard || !heard->is<wire::AckOk>()) continue;
          restarted.send_with(heard->as<wire::AckOk>()->key);
          session.deliver(restarted.seal(1, wire::ShortMessage{as_bytes("again")}));
          done = true;
        }
      }
    }
    if (session.messages.size() == 1) ++connected;
  }
  EXPECT_EQ(connected, kPeers);
}

// A stranger connects from `kPeerAddress` with 100 ms to and from, while others forge intros from the same address.
// Returns after how many of its intros it is connected; 0 when it never is within 15 s.
int intros_until_connected(std::uint64_t seed, Duration interval, bool valid) {
  ScriptedSession session({}, wire::kAnnouncedVersion, seed);
  ScriptedPeer forger(kEndpointAddress, 5000 + seed);
  struct Flight {
    Instant at;
    Bytes datagram;
  };
  std::deque<Flight> to_endpoint;
  std::deque<Flight> to_peer;
  Instant next_forged = session.now();
  Instant next_intro = session.now() + 500ms;
  Bytes intro;
  bool has_key = false;
  for (int own = 0; own <= 60;) {
    if (session.now() >= next_forged) {
      next_forged += interval;
      forger.begin_session();
      Bytes forged = forger.intro(session.endpoint().public_key());
      if (!valid) forged[60] ^= 1;
      session.deliver(std::move(forged));
    }
    if (session.now() >= next_intro && !has_key) {
      next_intro += 250ms;
      if (own % 12 == 0) {
        session.peer.begin_session();
        intro = session.peer.intro(session.endpoint().public_key());
      }
      ++own;
      to_endpoint.push_back({session.now() + 100ms, intro});
    }
    const std::size_t heard = session.heard.size();
    while (!to_endpoint.empty() && to_endpoint.front().at <= session.now()) {
      session.deliver(std::move(to_endpoint.front().datagram));
      to_endpoint.pop_front();
    }
    for (std::size_t i = heard; i < session.heard.size(); ++i) {
      if (session.heard[i].is<wire::AckOk>()) to_peer.push_back({session.now() + 100ms, session.heard[i].datagram});
    }
    session.others.clear();
    while (!to_peer.empty() && to_peer.front().at <= session.now()) {
      const auto ack = session.peer.open(session.now(), to_peer.front().datagram);
      to_peer.pop_front();
      if (!ack || has_key) continue;
      has_key = true;
      session.peer.send_with(ack->as<wire::AckOk>()->key);
      to_endpoint.push_back({session.now() + 100ms, session.peer.seal(0, session.peer.success_ack(false))});
    }
    if (session.has_event<Connected>()) return own;
    session.run(std::min(interval, Duration{10ms}));
  }
  return 0;
}

TEST(HostileAddress, AStrangerConnectsThoughOthersForgeItsAddress) {
  for (const bool valid : {true, false}) {
    for (const Duration interval : {Duration{1s}, Duration{250ms}, Duration{50ms}, Duration{5ms}}) {
      for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        const int intros = intros_until_connected(seed, interval, valid);
        EXPECT_GT(intros, 0) << "never; interval " << interval.count() << ", valid " << valid;
        EXPECT_LE(intros, 12) << "interval " << interval.count() << ", valid " << valid;
      }
    }
  }
}

TEST(HostileAddress, AnInitiatorWhoseAnswersAreLostIsAnsweredAtOnceInItsNextAttempt) {
  ScriptedSession session;
  session.deliver(session.peer.intro(session.endpoint().public_key()));
  session.run(3s);
  session.heard.clear();
  session.peer.begin_session();
  session.deliver(session.peer.intro(session.endpoint().public_key()));
  EXPECT_EQ(session.count_heard<wire::AckOk>(), 1U);
}

TEST(HostileAddress, ACopyOfAnIntroFromElsewhereLeavesThePeerWithAnAnswer) {
  ScriptedSession session;
  const Bytes intro = session.peer.intro(session.endpoint().public_key());
  session.deliver(intro, SocketAddress::ipv4({198, 51, 100, 1}, 9));
  session.heard.clear();
  session.deliver(intro);
  EXPECT_EQ(session.count_heard<wire::AckOk>(), 1U);
  // The NAT gives the peer another port.
  session.deliver(intro, kPeerAddress.with_port(40'000));
  EXPECT_EQ(session.count_heard<wire::AckOk>(), 2U);
}

TEST(HostileAddress, AnUnprovenAddressIsSentAtMostThreeTimesWhatCameFromIt) {
  // Valid intros, compatible and not, fresh and repeated, junk, and silence, in all mixtures.
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    ScriptedSession session({}, wire::kAnnouncedVersion, seed);
    DeterministicRandom random(seed);
    ScriptedPeer forger(kEndpointAddress, seed + 50);
    std::vector<Bytes> intros;
    std::size_t received = 0;
    std::size_t sent = 0;
    for (int step = 0; step < 400; ++step) {
      const auto deliver = [&](const Bytes& datagram) {
        received += datagram.size();
        session.deliver(datagram);
      };
      switch (random.below(5)) {
        case 0:
        case 1:
          forger.begin_session();
          forger.announce(random.below(3) == 0 ? wire::encode_version({0, 3, 7}, 500) : wire::kAnnouncedVersion);
          intros.push_back(forger.intro(session.endpoint().public_key()));
          deliver(intros.back());
          break;
        case 2:
          if (!intros.empty()) deliver(intros[random.below(intros.size())]);
          break;
        case 3: session.run(Duration{static_cast<Duration::rep>(random.below(1'500'000'000))}); break;
        default: break;
      }
      for (const Bytes& datagram : std::exchange(session.others, {})) sent += datagram.size();
      for (const Heard& packet : session.heard) sent += packet.datagram.size();
      session.heard.clear();
      ASSERT_LE(sent, 3 * received) << "seed " << seed << ", step " << step;
    }
    EXPECT_GT(sent, received) << "something was answered";
    EXPECT_EQ(session.count_events<Connected>(), 0U);
  }
}

// Many peers of one endpoint, each from an address of its own.
class Crowd : public test::MemoryNetwork {
 public:
  explicit Crowd(const Config& config)
      : MemoryNetwork(6), host_(add(kEndpointAddress, config)), endpoint(*host_.endpoint) {
    direct = true;
  }

  struct Member {
    explicit Member(const SocketAddress& from, std::uint64_t seed) : peer(kEndpointAddress, seed), address(from) {}
    ScriptedPeer peer;
    SocketAddress address;
    std::uint32_t next_id = 1;
    bool told_closed = false;
  };
  void deliver(const Member& member, Bytes datagram) {
    inject(member.address, kEndpointAddress, std::move(datagram));
    transmit(host_);
  }
  // Whether a peer at `address` connects and is answered.
  bool connect(const SocketAddress& address) {
    members.push_back(std::make_unique<Member>(address, members.size() + 1000));
    Member& member = *members.back();
    member.peer.send_with(SymmetricKey::generate(random));  // until an ack brings the right one
    add_scripted(address).on_datagram = [this, &member](Instant at, const SocketAddress&, MutableBytes datagram) {
      const auto heard = member.peer.open(at, datagram);
      if (!heard) return;
      if (const auto* ack = heard->as<wire::AckOk>()) member.peer.send_with(ack->key);
      if (heard->is<wire::AckError>()) member.told_closed = true;
      if (heard->is<wire::Pong>()) ++pongs;
    };
    deliver(member, member.peer.intro(host_.key()));
    deliver(member, member.peer.seal(0, member.peer.success_ack(false)));
    return ping(member);
  }
  bool ping(Member& member) {
    const std::size_t before = pongs;
    deliver(member, member.peer.seal(member.next_id++, wire::Ping{1}));
    return pongs == before + 1;
  }

 private:
  Node& host_;

 public:
  Endpoint& endpoint;
  std::vector<std::unique_ptr<Member>> members;
  std::size_t pongs = 0;
};

SocketAddress host_port(std::uint8_t network, std::uint16_t port) {
  return SocketAddress::ipv4({10, network, 0, 1}, port);
}

TEST(HostileAddress, OneHostThatFillsTheConnectionTableKeepsNobodyOut) {
  Config config;
  config.max_connections = 64;
  config.max_connections_per_host = 64;
  config.reserved_connections = 4;
  Crowd crowd(config);
  for (std::uint16_t port = 1; port <= 64; ++port) {
    ASSERT_TRUE(crowd.connect(host_port(1, port)));
    crowd.now += 1s;
  }
  ASSERT_EQ(crowd.endpoint.connection_count(), 64U);
  // All are kept alive but one, which is idle for longest.
  for (std::size_t i = 0; i < crowd.members.size(); ++i) {
    if (i == 17) continue;
    EXPECT_TRUE(crowd.ping(*crowd.members[i]));
  }
  // A newcomer of the host itself finds the place of a connection that is silent and no other, this side connects, and
  // so do others.
  EXPECT_FALSE(crowd.members[17]->told_closed);
  EXPECT_TRUE(crowd.connect(host_port(1, 998)));
  EXPECT_TRUE(crowd.members[17]->told_closed);
  EXPECT_FALSE(crowd.connect(host_port(1, 999)));
  EXPECT_TRUE(crowd.endpoint.connect(crowd.now, host_port(200, 1), crowd.members[0]->peer.public_key()));
  EXPECT_TRUE(crowd.connect(host_port(2, 1)));
  const std::size_t first_legitimate = crowd.members.size();
  for (std::uint8_t network = 3; network < 50; ++network) {
    EXPECT_TRUE(crowd.connect(host_port(network, 1))) << int{network};
    // The attacker goes on.
    static_cast<void>(crowd.connect(host_port(1, static_cast<std::uint16_t>(2000 + network))));
  }
  for (std::size_t i = first_legitimate; i < crowd.members.size(); i += 2) {
    EXPECT_FALSE(crowd.members[i]->told_closed);
    EXPECT_TRUE(crowd.ping(*crowd.members[i]));
  }
}

TEST(HostileAddress, APeerThatWasConnectedToFindsAPlaceInAFullTable) {
  Config config;
  config.max_connections = 8;
  config.max_connections_per_host = 8;
  config.reserved_connections = 2;
  Crowd crowd(config);
  // Eight networks with one connection each: nobody has more than a newcomer would.
  for (std::uint8_t network = 1; network <= 8; ++network) ASSERT_TRUE(crowd.connect(host_port(network, 1)));
  EXPECT_FALSE(crowd.connect(host_port(9, 1)));
  EXPECT_EQ(crowd.endpoint.statistics().error_acknowledgements_sent, 1U) << "whoever finds no place is told";
  EXPECT_TRUE(crowd.endpoint.connect(crowd.now, host_port(20, 1), crowd.members[0]->peer.public_key()));
  EXPECT_TRUE(crowd.endpoint.connect(crowd.now, host_port(21, 1), crowd.members[0]->peer.public_key()));
  // Beyond the reserve this side takes places of others, longest idle first, and at last there are none.
  for (std::uint8_t i = 0; i < 8; ++i) {
    EXPECT_TRUE(crowd.endpoint.connect(crowd.now, host_port(30, static_cast<std::uint16_t>(1 + i)),
                                       crowd.members[0]->peer.public_key()));
  }
  EXPECT_EQ(crowd.endpoint.connect(crowd.now, host_port(40, 1), crowd.members[0]->peer.public_key()).error().code,
            ErrorCode::kWouldBlock);
  EXPECT_EQ(crowd.endpoint.statistics().connections_evicted, 8U);
}

}  // namespace
}  // namespace godwit::testing
