// Whole handshakes over a lossy link in virtual time: Godwit with Godwit, and Godwit with a deployed peer in every
// role.
#include "handshake/handshake.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "transport/handshake_link_test_support.h"

namespace godwit::handshake_test {
namespace {

using test::Bytes;
using test::DeployedPeer;
using test::GodwitHost;
using test::kAlice;
using test::kBob;
using test::kDisorderly;
using test::kLossy;
using test::kStart;
using test::Link;
using test::LinkConfig;

constexpr std::uint64_t kSeeds = 500;

// Of kSeeds runs, how many succeed; prints the seeds of those that do not.
template <typename Run>
void expect_success_in(double share, Run run) {
  std::size_t succeeded = 0;
  std::string failed;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    if (run(seed)) {
      ++succeeded;
    } else {
      failed += " " + std::to_string(seed);
    }
  }
  EXPECT_GE(succeeded, static_cast<std::size_t>(share * kSeeds)) << "failed with seeds" << failed;
}

bool connect_to_an_acceptor(std::uint64_t seed, LinkConfig config, bool strict, Duration timeout) {
  GodwitHost a(seed, kBob);
  GodwitHost b(seed + 1'000'000, kAlice);
  a.party.config.connect_timeout = timeout;
  a.party.config.require_authenticated_peer = strict;
  Link link(seed, config, a, b);
  a.initiate(kStart, b.party.keys.public_key());
  link.run(kStart + timeout + 5s, [&] { return a.proven() && b.proven(); });
  return a.proven() && b.proven() && a.authenticated();
}

bool open_simultaneously(std::uint64_t seed, LinkConfig config, Duration offset, bool strict, Duration timeout) {
  GodwitHost a(seed, kBob);
  GodwitHost b(seed + 1'000'000, kAlice);
  for (GodwitHost* host : {&a, &b}) {
    host->party.config.connect_timeout = timeout;
    host->party.config.require_authenticated_peer = strict;
  }
  Link link(seed, config, a, b);
  // What reaches a host before it has sent anything itself is stopped by its address translation (wire spec 4.5).
  bool b_has_initiated = false;
  link.filter = [&](Instant, bool from_a, const Bytes&) { return !from_a || b_has_initiated; };
  a.initiate(kStart, b.party.keys.public_key());
  link.at(kStart + offset, [&](Instant now) {
    b_has_initiated = true;
    b.initiate(now, a.party.keys.public_key());
  });
  link.run(kStart + offset + timeout + 5s,
           [&] { return a.proven() && b.proven() && (!strict || (a.authenticated() && b.authenticated())); });
  return a.proven() && b.proven() && (!strict || (a.authenticated() && b.authenticated()));
}

TEST(Handshake, Item32SucceedsWithAnAcceptorAt20PercentLossInOneAttempt) {
  expect_success_in(0.95, [](std::uint64_t seed) { return connect_to_an_acceptor(seed, kLossy, false, 3s); });
}

TEST(Handshake, Item32SucceedsInSimultaneousOpenAt20PercentLossInOneAttempt) {
  expect_success_in(0.95, [](std::uint64_t seed) { return open_simultaneously(seed, kLossy, 0ms, false, 3s); });
}

TEST(Handshake, Item32SucceedsInSimultaneousOpenWhereOneIntroIsStoppedAtFirst) {
  for (const Duration offset : {Duration{300ms}, Duration{1s}}) {
    expect_success_in(0.95, [&](std::uint64_t seed) { return open_simultaneously(seed, kLossy, offset, false, 3s); });
  }
}

TEST(Handshake, AlwaysSucceedsWithinTheConnectTimeout) {
  expect_success_in(0.998, [](std::uint64_t seed) { return connect_to_an_acceptor(seed, kLossy, false, 15s); });
  expect_success_in(0.998, [](std::uint64_t seed) { return open_simultaneously(seed, kLossy, 100ms, false, 15s); });
}

TEST(Handshake, AuthenticatesBothSidesOfASimultaneousOpenUnderThePolicy) {
  expect_success_in(0.95, [](std::uint64_t seed) { return open_simultaneously(seed, kLossy, 0ms, true, 15s); });
  expect_success_in(0.95, [](std::uint64_t seed) { return open_simultaneously(seed, kLossy, 1s, true, 15s); });
}

TEST(Handshake, SurvivesReorderingAndDuplication) {
  expect_success_in(0.95, [](std::uint64_t seed) { return connect_to_an_acceptor(seed, kDisorderly, true, 15s); });
  expect_success_in(0.95, [](std::uint64_t seed) { return open_simultaneously(seed, kDisorderly, 0ms, false, 15s); });
  expect_success_in(0.95, [](std::uint64_t seed) { return open_simultaneously(seed, kDisorderly, 200ms, true, 15s); });
}

TEST(Handshake, WithoutLossTakesOneRoundTrip) {
  GodwitHost a(1, kBob);
  GodwitHost b(2, kAlice);
  Link link(3, {.least_delay = 50ms, .most_delay = 50ms}, a, b);
  a.initiate(kStart, b.party.keys.public_key());
  EXPECT_EQ(link.run(kStart + 10s, [&] { return a.session().has_value(); }), kStart + 100ms);
  EXPECT_TRUE(a.authenticated());
  EXPECT_EQ(link.run(kStart + 10s, [&] { return b.proven(); }), kStart + 150ms);
}

TEST(Handshake, Item35ACompletionAckLostOnceDoesNotFailTheHandshake) {
  GodwitHost a(1, kBob);
  GodwitHost b(2, kAlice);
  Link link(3, {}, a, b);
  int dropped = 0;
  link.filter = [&](Instant, bool from_a, const Bytes& datagram) {
    return !(from_a && datagram.size() == 75 && ++dropped == 1);
  };
  a.initiate(kStart, b.party.keys.public_key());
  link.run(kStart + 1s, [&] { return a.proven() && b.proven(); });
  EXPECT_EQ(dropped, 1);
  EXPECT_TRUE(a.proven() && b.proven());
}

// --- With a deployed peer ---

bool connect_to_a_deployed_peer(std::uint64_t seed, LinkConfig config, bool strict) {
  GodwitHost a(seed, kBob);
  DeployedPeer d(seed + 1'000'000, true, kAlice);
  a.party.config.require_authenticated_peer = strict;
  Link link(seed, config, a, d);
  a.initiate(kStart, d.public_key());
  link.run(kStart + 20s, [&] { return a.proven() && d.established(); });
  return a.proven() && d.established() && a.authenticated();
}

TEST(Handshake, SucceedsWithADeployedAcceptorAt20PercentLoss) {
  expect_success_in(0.95, [](std::uint64_t seed) { return connect_to_a_deployed_peer(seed, kLossy, true); });
}

TEST(Handshake, Item32RecoversFromAnAckThatADeployedAcceptorSendsOnce) {
  GodwitHost a(1, kBob);
  DeployedPeer d(2, true, kAlice);
  Link link(3, {}, a, d);
  int from_d = 0;
  link.filter = [&](Instant, bool from_a, const Bytes&) { return from_a || ++from_d > 1; };
  a.initiate(kStart, d.public_key());
  const Instant done = link.run(kStart + 20s, [&] { return a.proven(); });
  EXPECT_TRUE(a.proven());
  EXPECT_EQ(d.acks_sent(), 2);
  // Deaf for five seconds after the intro it took; the next one comes within a quarter of a second.
  EXPECT_GE(done, kStart + 5s);
  EXPECT_LE(done, kStart + 5500ms);
}

TEST(Handshake, Item29NoticesADeployedAcceptorThatNeverBecameEstablished) {
  GodwitHost a(1, kBob);
  DeployedPeer d(2, true, kAlice);
  Link link(3, {}, a, d);
  bool acked = false;
  link.filter = [&](Instant, bool from_a, const Bytes&) {
    if (!from_a) acked = true;
    return !(from_a && acked);  // everything after its ack is lost
  };
  a.initiate(kStart, d.public_key());
  link.run(kStart + 10s, [&] { return a.proof_failed; });
  EXPECT_TRUE(a.proof_failed);
}

TEST(Handshake, ADeployedInitiatorSucceedsAt20PercentLossInItsOneAttempt) {
  expect_success_in(0.95, [](std::uint64_t seed) {
    DeployedPeer d(seed, false, kBob);
    GodwitHost b(seed + 1'000'000, kAlice);
    Link link(seed, kLossy, d, b);
    d.initiate(kStart, b.party.keys.public_key());
    link.run(kStart + 10s, [&] { return d.established() && b.proven(); });
    return d.established() && b.proven();
  });
}

bool open_with_deployed(std::uint64_t seed, LinkConfig config, Duration offset, bool strict) {
  GodwitHost a(seed, kBob);
  DeployedPeer d(seed + 1'000'000, false, kAlice);
  a.party.config.require_authenticated_peer = strict;
  Link link(seed, config, a, d);
  a.initiate(kStart, d.public_key());
  link.at(kStart + offset, [&](Instant now) { d.initiate(now, a.party.keys.public_key()); });
  link.run(kStart + 20s, [&] { return a.proven() && d.established() && (!strict || a.authenticated()); });
  return a.proven() && d.established() && (!strict || a.authenticated());
}

TEST(Handshake, Item32SucceedsWithADeployedPeerInSimultaneousOpenAt20PercentLoss) {
  for (const Duration offset : {Duration{0}, Duration{300ms}, Duration{1s}}) {
    expect_success_in(0.95, [&](std::uint64_t seed) { return open_with_deployed(seed, kLossy, offset, false); });
  }
}

TEST(Handshake, AuthenticatesADeployedPeerInSimultaneousOpen) {
  expect_success_in(0.95, [](std::uint64_t seed) { return open_with_deployed(seed, kLossy, 0ms, true); });
}

TEST(Handshake, SurvivesReorderingAndDuplicationWithADeployedPeer) {
  expect_success_in(0.95, [](std::uint64_t seed) { return connect_to_a_deployed_peer(seed, kDisorderly, true); });
  // A deployed peer connects once, and gives up for one late packet of the session that a late intro has ended.
  expect_success_in(0.85, [](std::uint64_t seed) { return open_with_deployed(seed, kDisorderly, 100ms, false); });
}

TEST(Handshake, Item24SurfacesADeployedPeersRefusalOfTheVersion) {
  GodwitHost a(1, kBob);
  DeployedPeer d(2, true, kAlice);
  a.party.config.version = test::version(121, 64);
  Link link(3, {}, a, d);
  a.initiate(kStart, d.public_key());
  link.run(kStart + 20s, [&] { return a.failure.has_value(); });
  EXPECT_EQ(a.failure, HandshakeFailure::kVersionMismatch);
}

// Appendix C, O6: the ack overtakes the intro, the peer connects with K2, and the late intro makes it an acceptor.
TEST(Handshake, FollowsADeployedPeerThatALateIntroResets) {
  GodwitHost a(1, kBob);
  DeployedPeer d(2, false, kAlice);
  Link link(3, {.least_delay = 10ms, .most_delay = 10ms}, a, d);
  std::optional<Bytes> held;
  link.filter = [&](Instant, bool from_a, const Bytes& datagram) {
    if (!from_a || !test::is_intro(datagram)) return true;
    held = datagram;
    return false;
  };
  a.initiate(kStart, d.public_key());
  link.at(kStart + 50ms, [&](Instant now) { d.initiate(now, a.party.keys.public_key()); });
  link.run(kStart + 1200ms);
  ASSERT_TRUE(a.proven() && d.established());
  EXPECT_FALSE(a.authenticated()) << "it uses K2";
  link.at(kStart + 1500ms, [&](Instant now) { d.receive(now, *held); });
  link.run(kStart + 3s);
  EXPECT_EQ(d.resets(), 1);
  EXPECT_TRUE(a.proven() && d.established());
  EXPECT_EQ(a.sessions, 2);
  EXPECT_TRUE(a.authenticated()) << "now it uses K1";
  const int before = a.pongs_matched;
  link.run(kStart + 12s);
  EXPECT_GE(a.pongs_matched, before + 2) << "both sides read each other";
}

// W5: a recorded intro, replayed from the initiator's address, resets a deployed peer at any time.
TEST(Handshake, FollowsADeployedAcceptorThatAReplayedIntroResets) {
  GodwitHost a(1, kBob);
  DeployedPeer d(2, true, kAlice);
  Link link(3, {}, a, d);
  std::optional<Bytes> recorded;
  link.filter = [&](Instant, bool from_a, const Bytes& datagram) {
    if (from_a && !recorded) recorded = datagram;
    return true;
  };
  a.initiate(kStart, d.public_key());
  link.run(kStart + 30s);
  ASSERT_TRUE(a.proven() && d.established());
  link.at(kStart + 31s, [&](Instant now) { d.receive(now, *recorded); });
  link.run(kStart + 33s);
  EXPECT_EQ(d.resets(), 1);
  EXPECT_TRUE(d.established()) << "the new session was completed";
  EXPECT_EQ(a.sessions, 2) << "same key, another nonce: a new session (wire spec 5.8)";
  const int before = a.pongs_matched;
  link.run(kStart + 45s);
  EXPECT_GE(a.pongs_matched, before + 2);
}

// --- Re-connection ---

TEST(Handshake, Item39ARestartedPeerGetsANewSessionAndTheOldOneStaysUntilItIsProven) {
  GodwitHost a(1, kBob);
  GodwitHost b(2, kAlice);
  GodwitHost again(4, kBob);
  {
    Link link(3, {}, a, b);
    a.initiate(kStart, b.party.keys.public_key());
    link.run(kStart + 2s);
  }
  ASSERT_TRUE(b.proven());
  const SymmetricKey before = b.session()->sending_key();
  Link link(5, {}, again, b);
  bool first = true;
  link.filter = [&](Instant, bool from_restarted, const Bytes&) {
    if (!from_restarted && std::exchange(first, false)) {
      EXPECT_EQ(b.session()->sending_key(), before) << "not yet";
    }
    return true;
  };
  again.initiate(kStart + 3s, b.party.keys.public_key());
  link.run(kStart + 4s);
  EXPECT_TRUE(again.proven() && b.proven());
  EXPECT_NE(b.session()->sending_key(), before);
  EXPECT_EQ(b.sessions, 2);
}

TEST(Handshake, Item39ReplayedIntrosResetNothing) {
  GodwitHost a(1, kBob);
  GodwitHost b(2, kAlice);
  Link link(3, {}, a, b);
  std::vector<Bytes> recorded;
  link.filter = [&](Instant, bool from_a, const Bytes& datagram) {
    if (from_a && test::is_intro(datagram)) recorded.push_back(datagram);
    return true;
  };
  a.initiate(kStart, b.party.keys.public_key());
  link.run(kStart + 10s);
  ASSERT_TRUE(a.proven() && b.proven());
  for (int i = 0; i < 20; ++i) {
    link.at(kStart + 10s + 2s * i, [&](Instant now) { b.receive(now, recorded.front()); });
  }
  link.run(kStart + 60s);
  EXPECT_EQ(a.sessions, 1);
  EXPECT_EQ(b.sessions, 1);
  EXPECT_TRUE(a.proven() && b.proven());
}

TEST(Handshake, ASpoofedIntroAtAnEstablishedSessionReplacesNothing) {
  GodwitHost a(1, kBob);
  GodwitHost b(2, kAlice);
  Link link(3, {}, a, b);
  a.initiate(kStart, b.party.keys.public_key());
  link.run(kStart + 2s);
  DeterministicRandom random(9);
  const SymmetricKey key = SymmetricKey::generate(random);
  for (int i = 0; i < 10; ++i) {
    link.at(kStart + 3s + 2s * i, [&](Instant now) {
      b.receive(now,
                test::make_intro(random, b.party.keys.public_key(), {.version = wire::kAnnouncedVersion, .key = key}));
    });
  }
  link.run(kStart + 40s);
  EXPECT_EQ(b.sessions, 1);
  EXPECT_TRUE(a.proven() && b.proven());
}

TEST(Handshake, W3AttackerOnThePathOfAnAttemptIsNeverTakenForTheRequestedPeer) {
  // It answers the first intro with one of its own, faster than the acceptor that was asked for, and then speaks under
  // K2.
  for (const bool strict : {false, true}) {
    GodwitHost a(1, kBob);
    GodwitHost b(2, kAlice);
    a.party.config.require_authenticated_peer = strict;
    Link link(3, {}, a, b);
    DeterministicRandom random(9);
    const SymmetricKey key = SymmetricKey::generate(random);
    link.at(kStart + 1ms, [&](Instant now) {
      a.receive(now,
                test::make_intro(random, a.party.keys.public_key(), {.version = wire::kAnnouncedVersion, .key = key}));
    });
    link.filter = [&](Instant now, bool from_a, const Bytes& datagram) {
      if (from_a && strict) {
        if (const auto ack = test::message_in<wire::AckOk>(key, datagram)) {
          Bytes forged = test::seal_message(random, ack->key, 1, wire::ShortMessage{as_bytes("evil")});
          link.at(now + 1ms, [&a, forged](Instant later) { a.receive(later, forged); });
        }
      }
      return true;
    };
    a.initiate(kStart, b.party.keys.public_key());
    link.run(kStart + 5s);
    EXPECT_TRUE(a.proven() && b.proven()) << "strict: " << strict;
    EXPECT_TRUE(a.authenticated());
    EXPECT_NE(a.session()->sending_key(), key);
    EXPECT_EQ(a.messages, 0);
  }
}

}  // namespace
}  // namespace godwit::handshake_test
