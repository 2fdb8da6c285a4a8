// The handshake of extended sessions over a lossy link in virtual time, with an attacker on the path, and beside peers
// that have no extended form.
#include "handshake/extended_handshake.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "transport/handshake_link_test_support.h"

namespace godwit::extended_handshake_test {
namespace {

using test::Bytes;
using test::DeployedPeer;
using test::GodwitHost;
using test::is_intro;
using test::kAlice;
using test::kBob;
using test::kDisorderly;
using test::kLossy;
using test::kStart;
using test::Link;
using test::LinkConfig;

constexpr std::uint64_t kSeeds = 200;

void set_policies(GodwitHost& a, ExtendedPolicy of_a, GodwitHost& b, ExtendedPolicy of_b) {
  a.party.config.extended = of_a;
  b.party.config.extended = of_b;
  a.party.config.require_authenticated_peer = b.party.config.require_authenticated_peer = true;
}

bool is_extended(const GodwitHost& host) {
  return host.session() && host.session()->form() == SessionForm::kExtended;
}

// Both sides have the extended form and know whom they talk to.
void expect_extended(const GodwitHost& a, const GodwitHost& b, std::uint64_t seed) {
  ASSERT_TRUE(is_extended(a) && is_extended(b)) << seed;
  EXPECT_EQ(a.session()->peer_key(), b.party.keys.public_key()) << seed;
  EXPECT_EQ(b.session()->peer_key(), a.party.keys.public_key()) << seed;
  EXPECT_TRUE(a.authenticated() && b.authenticated()) << seed;
}

TEST(ExtendedHandshake, AnAcceptorLearnsWhoHasConnectedInOneRoundTrip) {
  GodwitHost a(1, kBob);
  GodwitHost b(2, kAlice);
  set_policies(a, ExtendedPolicy::kAuto, b, ExtendedPolicy::kAuto);
  Link link(3, {.least_delay = 50ms, .most_delay = 50ms}, a, b);
  a.initiate(kStart, b.party.keys.public_key());
  EXPECT_EQ(link.run(kStart + 10s, [&] { return a.session().has_value(); }), kStart + 100ms);
  EXPECT_EQ(link.run(kStart + 10s, [&] { return b.proven(); }), kStart + 150ms);
  expect_extended(a, b, 0);
}

TEST(ExtendedHandshake, SucceedsWithAnAcceptorWhateverIsLostRepeatedOrOvertaken) {
  for (const LinkConfig& config : {kLossy, kDisorderly}) {
    std::size_t succeeded = 0;
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
      GodwitHost a(seed, kBob);
      GodwitHost b(seed + 1'000'000, kAlice);
      set_policies(a, ExtendedPolicy::kAuto, b, ExtendedPolicy::kAuto);
      Link link(seed, config, a, b);
      a.initiate(kStart, b.party.keys.public_key());
      link.run(kStart + 20s, [&] { return a.proven() && b.proven(); });
      if (!a.proven() || !b.proven()) continue;
      ++succeeded;
      expect_extended(a, b, seed);
    }
    EXPECT_GE(succeeded, kSeeds * 95 / 100);
  }
}

TEST(ExtendedHandshake, SucceedsInSimultaneousOpenInBothOrdersOfArrival) {
  for (const Duration offset : {Duration{0}, Duration{10ms}, Duration{300ms}, Duration{1s}}) {
    std::size_t succeeded = 0;
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
      GodwitHost a(seed, kBob);
      GodwitHost b(seed + 1'000'000, kAlice);
      set_policies(a, ExtendedPolicy::kAuto, b, ExtendedPolicy::kAuto);
      Link link(seed, seed % 2 == 0 ? kLossy : kDisorderly, a, b);
      bool b_has_initiated = false;
      link.filter = [&](Instant, bool from_a, const Bytes&) { return !from_a || b_has_initiated; };
      a.initiate(kStart, b.party.keys.public_key());
      link.at(kStart + offset, [&](Instant now) {
        b_has_initiated = true;
        b.initiate(now, a.party.keys.public_key());
      });
      link.run(kStart + 20s, [&] { return a.proven() && b.proven(); });
      if (!a.proven() || !b.proven()) continue;
      ++succeeded;
      expect_extended(a, b, seed);
    }
    EXPECT_GE(succeeded, kSeeds * 95 / 100) << offset.count();
  }
}

TEST(ExtendedHandshake, TheSideWithTheSmallerKeyAnswersInSimultaneousOpen) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    GodwitHost a(seed, kBob);
    GodwitHost b(seed + 1000, kAlice);
    set_policies(a, ExtendedPolicy::kAuto, b, ExtendedPolicy::kAuto);
    Link link(seed, {.least_delay = 20ms, .most_delay = 20ms}, a, b);
    int acks_of_a = 0;
    int acks_of_b = 0;
    link.filter = [&](Instant now, bool from_a, const Bytes& datagram) {
      if (now < kStart + 40ms && !is_intro(datagram)) ++(from_a ? acks_of_a : acks_of_b);
      return true;
    };
    a.initiate(kStart, b.party.keys.public_key());
    b.initiate(kStart, a.party.keys.public_key());
    link.run(kStart + 5s, [&] { return a.proven() && b.proven(); });
    expect_extended(a, b, seed);
    const bool a_answers = a.party.keys.public_key() < b.party.keys.public_key();
    EXPECT_EQ(acks_of_a > 0, a_answers) << seed;
    EXPECT_EQ(acks_of_b > 0, !a_answers) << seed;
  }
}

struct Mix {
  ExtendedPolicy a;
  ExtendedPolicy b;
  FallbackReason of_a;
  FallbackReason of_b;
};

TEST(ExtendedHandshake, OneSideWithoutItLeadsToTheDeployedFormWithAReason) {
  const Mix mixes[] = {
      {ExtendedPolicy::kAuto, ExtendedPolicy::kOff, FallbackReason::kNotAnswered, FallbackReason::kDisabled},
      {ExtendedPolicy::kOff, ExtendedPolicy::kAuto, FallbackReason::kDisabled, FallbackReason::kNotOffered},
      {ExtendedPolicy::kOff, ExtendedPolicy::kOff, FallbackReason::kDisabled, FallbackReason::kDisabled}};
  for (const Mix& mix : mixes) {
    GodwitHost a(1, kBob);
    GodwitHost b(2, kAlice);
    set_policies(a, mix.a, b, mix.b);
    Link link(3, {}, a, b);
    a.initiate(kStart, b.party.keys.public_key());
    link.run(kStart + 5s, [&] { return a.proven() && b.proven(); });
    ASSERT_TRUE(a.proven() && b.proven());
    EXPECT_FALSE(is_extended(a) || is_extended(b));
    EXPECT_EQ(a.session()->fallback(), mix.of_a);
    EXPECT_EQ(b.session()->fallback(), mix.of_b);
    EXPECT_FALSE(b.session()->peer_key());
  }
}

TEST(ExtendedHandshake, WhoRequiresItIsConnectedToNobodyElse) {
  GodwitHost a(1, kBob);
  GodwitHost b(2, kAlice);
  set_policies(a, ExtendedPolicy::kRequire, b, ExtendedPolicy::kOff);
  Link link(3, {}, a, b);
  a.initiate(kStart, b.party.keys.public_key());
  link.run(kStart + 20s, [&] { return a.failure.has_value(); });
  EXPECT_EQ(a.failure, HandshakeFailure::kNotExtended);

  GodwitHost c(4, kBob);
  GodwitHost d(5, kAlice);
  set_policies(c, ExtendedPolicy::kAuto, d, ExtendedPolicy::kRequire);
  Link second(6, {}, c, d);
  bool answered = false;
  second.filter = [&](Instant, bool from_c, const Bytes&) {
    answered |= !from_c;
    return true;
  };
  DeployedPeer deployed(7, false, kBob);
  Link third(8, {}, deployed, d);
  deployed.initiate(kStart, d.party.keys.public_key());
  third.run(kStart + 5s);
  EXPECT_FALSE(deployed.established() || d.session());
  c.initiate(kStart, d.party.keys.public_key());
  second.run(kStart + 10s, [&] { return c.proven() && d.proven(); });
  expect_extended(c, d, 0);
}

TEST(ExtendedHandshake, DeployedPeersNoticeNothingInAnyRole) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    GodwitHost a(seed, kBob);
    DeployedPeer acceptor(seed + 1000, true, kAlice);
    a.party.config.extended = ExtendedPolicy::kAuto;
    a.party.config.require_authenticated_peer = true;
    Link link(seed, kLossy, a, acceptor);
    a.initiate(kStart, acceptor.public_key());
    link.run(kStart + 20s, [&] { return a.proven() && acceptor.established(); });
    EXPECT_TRUE(a.proven() && acceptor.established() && a.authenticated() && !is_extended(a)) << seed;

    DeployedPeer initiator(seed, false, kBob);
    GodwitHost b(seed + 2000, kAlice);
    b.party.config.extended = ExtendedPolicy::kAuto;
    Link second(seed, {}, initiator, b);
    initiator.initiate(kStart, b.party.keys.public_key());
    second.run(kStart + 10s, [&] { return initiator.established() && b.proven(); });
    EXPECT_TRUE(initiator.established() && b.proven() && !is_extended(b)) << seed;
  }
}

TEST(ExtendedHandshake, ASimultaneousOpenWithADeployedPeerGoesAsItDoesWithoutTheExtension) {
  for (const bool strict : {true, false}) {
    std::size_t with = 0;
    std::size_t without = 0;
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
      for (const ExtendedPolicy policy : {ExtendedPolicy::kAuto, ExtendedPolicy::kOff}) {
        GodwitHost a(seed, kBob);
        DeployedPeer other(seed + 3000, false, kAlice);
        a.party.config.extended = policy;
        a.party.config.require_authenticated_peer = strict;
        Link link(seed, {}, a, other);
        a.initiate(kStart, other.public_key());
        link.at(kStart + 300ms, [&](Instant now) { other.initiate(now, a.party.keys.public_key()); });
        link.run(kStart + 20s, [&] { return a.proven() && other.established(); });
        EXPECT_FALSE(is_extended(a));
        if (a.proven() && other.established()) ++(policy == ExtendedPolicy::kAuto ? with : without);
      }
    }
    // The deployed peer has one attempt, and some fail whatever the other side does.
    EXPECT_GE(with, kSeeds * 80 / 100) << strict;
    EXPECT_GE(with + kSeeds / 20, without) << strict;
  }
}

TEST(ExtendedHandshake, AnIntroIsLongerByItsOfferAlone) {
  for (const auto& [policy, bytes] : {std::pair{ExtendedPolicy::kOff, 73u}, std::pair{ExtendedPolicy::kAuto, 226u}}) {
    test::Party alice(1);
    test::Party bob(2);
    alice.config.extended = policy;
    auto handshake = Handshake::initiate(kStart, alice.context, kBob, bob.keys.public_key());
    ASSERT_TRUE(handshake);
    const auto sent = test::drain(kStart, *handshake);
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].size(), bytes);
    const IntroSeen seen = test::seen(bob.keys, sent[0]);
    EXPECT_EQ(seen.intro.version, wire::kAnnouncedVersion);
  }
}

// --- One intro at an acceptor ---

class ExtendedAcceptor : public testing::Test {
 protected:
  ExtendedAcceptor() { bob_.config.extended = ExtendedPolicy::kAuto; }

  // An intro with `tail` behind its 24 bytes, and what the acceptor sends at once.
  Bytes answer_to(const Bytes& tail) {
    Bytes plaintext(wire::kIntroPlaintext);
    wire::encode_intro_plaintext({.version = wire::kAnnouncedVersion, .key = key_},
                                 std::span<std::uint8_t, wire::kIntroPlaintext>(plaintext));
    plaintext.insert(plaintext.end(), tail.begin(), tail.end());
    Bytes datagram(plaintext.size() + kIntroOverhead);
    EXPECT_TRUE(seal_intro(bob_.keys.public_key(), outer_, plaintext, datagram));
    auto handshake = Handshake::accept(kStart, bob_.context, kAlice, test::seen(bob_.keys, datagram));
    if (!handshake) return {};
    const auto sent = test::drain(kStart, *handshake);
    EXPECT_EQ(sent.size(), 1u);
    Bytes again = datagram;
    test::deliver_copy(kStart + 1ms, *handshake, again);
    const auto repeated = test::drain(kStart + 1ms, *handshake);
    EXPECT_EQ(repeated, sent) << "a repeated intro gets the same answer";
    return sent.empty() ? Bytes{} : sent.front();
  }
  [[nodiscard]] Bytes offer() {
    auto made = test::make_offer(alice_.context, bob_.keys.public_key(),
                                 {.version = wire::kAnnouncedVersion, .key = key_}, outer_);
    offer_.emplace(std::move(*made));
    return offer_->take_block();
  }
  // What follows the ack.
  [[nodiscard]] Bytes trailing(const Bytes& datagram) const {
    const auto plaintext = test::open_packet(key_, datagram);
    if (!plaintext) return {};
    const auto packet = wire::decode(*plaintext);
    return packet ? Bytes(packet->trailing.begin(), packet->trailing.end()) : Bytes{};
  }

  test::Party alice_{1};
  test::Party bob_{2};
  SymmetricKey key_ = SymmetricKey::generate(alice_.random);
  KeyPair outer_ = *KeyPair::generate(alice_.random);
  std::optional<ExtendedOffer> offer_;
};

TEST_F(ExtendedAcceptor, AnswersAnOffer) {
  const Bytes answer = answer_to(offer());
  const auto read = offer_->read(trailing(answer));
  ASSERT_TRUE(read.secrets);
  EXPECT_EQ(read.secrets->peer, bob_.keys.public_key());
  // Handshakes by themselves have no tokens.
  EXPECT_EQ(read.secrets->theirs.capabilities, wire::kOwnCapabilities & ~wire::capability::kReset);
}

TEST_F(ExtendedAcceptor, AnswersOtherTailsWithWhatADeployedPeerWouldSend) {
  constexpr std::size_t kPlain = 79;  // AckConnectionV2, IPv4
  const Bytes good = offer();
  EXPECT_EQ(answer_to({}).size(), kPlain);
  EXPECT_EQ(answer_to(Bytes(1300, 0x55)).size(), kPlain);
  for (std::size_t size = 1; size < good.size(); ++size) {
    EXPECT_EQ(answer_to(Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size))).size(), kPlain) << size;
  }
  for (std::size_t i = 0; i < good.size(); ++i) {
    Bytes changed = good;
    changed[i] ^= 0x01;
    EXPECT_EQ(answer_to(changed).size(), kPlain) << i;
  }
  Bytes longer = good;
  longer.push_back(0);
  EXPECT_EQ(answer_to(longer).size(), kPlain);
}

TEST_F(ExtendedAcceptor, AnOfferBelongsToTheIntroThatCarriedIt) {
  const Bytes good = offer();
  outer_ = *KeyPair::generate(alice_.random);
  EXPECT_EQ(answer_to(good).size(), 79u) << "another outer key";
  const Bytes second = offer();
  key_ = SymmetricKey::generate(alice_.random);
  EXPECT_EQ(answer_to(second).size(), 79u) << "another legacy key";
}

TEST_F(ExtendedAcceptor, NeitherAKeyOfTheAckNorAnythingLegacyConfirmsAnAnsweredOffer) {
  Bytes plaintext(wire::kIntroPlaintext);
  wire::encode_intro_plaintext({.version = wire::kAnnouncedVersion, .key = key_},
                               std::span<std::uint8_t, wire::kIntroPlaintext>(plaintext));
  const Bytes tail = offer();
  plaintext.insert(plaintext.end(), tail.begin(), tail.end());
  Bytes datagram(plaintext.size() + kIntroOverhead);
  ASSERT_TRUE(seal_intro(bob_.keys.public_key(), outer_, plaintext, datagram));
  auto handshake = Handshake::accept(kStart, bob_.context, kAlice, test::seen(bob_.keys, datagram));
  ASSERT_TRUE(handshake);
  const auto sent = test::drain(kStart, *handshake);
  ASSERT_EQ(sent.size(), 1u);
  const auto ack = test::message_in<wire::AckOk>(key_, sent.front());
  ASSERT_TRUE(ack);
  const Bytes ping = test::seal_message(alice_.random, ack->key, 1, wire::Ping{7});
  EXPECT_EQ(test::deliver_copy(kStart, *handshake, ping), HandshakeStep::Kind::kNothing);
  EXPECT_FALSE(handshake->established());
}

// --- An attacker on the path ---

// Replaces, repeats and invents: what it may do without anybody's static secret. Every connection that comes about in
// spite of it has the extended form.
class OnPathAttacker {
 public:
  OnPathAttacker(std::uint64_t seed, GodwitHost& a, GodwitHost& b) : random_(seed), a_(a), b_(b) {}

  bool on_datagram(Instant now, bool from_a, const Bytes& datagram) {
    seen_.push_back({from_a, datagram});
    GodwitHost& target = from_a ? b_ : a_;
    switch (random_.below(8)) {
      case 0: return false;  // lost
      case 1:
        // Before the genuine one: an intro without an offer, or with the bytes of somebody else's.
        forge(now, target, random_.below(2) == 0 ? Bytes{} : foreign_offer(target));
        return true;
      case 2: {
        // Something that was said before, by either side.
        const auto& old = seen_[random_.below(seen_.size())];
        (old.first ? b_ : a_).receive(now, old.second);
        return true;
      }
      case 3:
        // In place of an intro.
        if (!is_intro(datagram)) return true;
        forge(now, target, {});
        return random_.below(2) == 0;
      default: return true;
    }
  }

 private:
  void forge(Instant now, GodwitHost& target, const Bytes& tail) {
    Bytes plaintext(wire::kIntroPlaintext);
    wire::encode_intro_plaintext({.version = wire::kAnnouncedVersion, .key = SymmetricKey::generate(random_)},
                                 std::span<std::uint8_t, wire::kIntroPlaintext>(plaintext));
    plaintext.insert(plaintext.end(), tail.begin(), tail.end());
    Bytes datagram(plaintext.size() + kIntroOverhead);
    ASSERT_TRUE(seal_intro(target.party.keys.public_key(), SecretKey::generate(random_), plaintext, datagram));
    target.receive(now, datagram);
  }
  Bytes foreign_offer(GodwitHost& target) {
    auto made = test::make_offer(own_.context, target.party.keys.public_key(), {}, *KeyPair::generate(own_.random));
    return made ? made->take_block() : Bytes{};
  }

  DeterministicRandom random_;
  test::Party own_{99};
  GodwitHost& a_;
  GodwitHost& b_;
  std::vector<std::pair<bool, Bytes>> seen_;
};

TEST(ExtendedHandshake, P5NobodyOnThePathForcesTheDeployedForm) {
  std::size_t connected = 0;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    GodwitHost a(seed, kBob);
    GodwitHost b(seed + 1'000'000, kAlice);
    set_policies(a, ExtendedPolicy::kAuto, b, ExtendedPolicy::kAuto);
    OnPathAttacker attacker(seed, a, b);
    Link link(seed, {.least_delay = 5ms, .most_delay = 60ms}, a, b);
    link.filter = [&](Instant now, bool from_a, const Bytes& datagram) {
      return attacker.on_datagram(now, from_a, datagram);
    };
    a.initiate(kStart, b.party.keys.public_key());
    if (seed % 2 == 0) link.at(kStart + 100ms, [&](Instant now) { b.initiate(now, a.party.keys.public_key()); });
    link.run(kStart + 15s, [&] { return a.proven() && b.proven(); });
    if (a.session()) {
      EXPECT_TRUE(is_extended(a)) << seed;
      EXPECT_EQ(a.session()->peer_key(), b.party.keys.public_key()) << seed;
    }
    if (b.session() && b.session()->initiator()) {
      EXPECT_TRUE(is_extended(b)) << seed;
    }
    if (is_extended(b)) {
      EXPECT_EQ(b.session()->peer_key(), a.party.keys.public_key()) << seed;
    }
    connected += (a.proven() && b.proven()) ? 1u : 0u;
  }
  EXPECT_GE(connected, 360u);
}

TEST(ExtendedHandshake, P6ARecordedIntroCompletesNothing) {
  GodwitHost a(1, kBob);
  GodwitHost b(2, kAlice);
  set_policies(a, ExtendedPolicy::kAuto, b, ExtendedPolicy::kAuto);
  std::vector<Bytes> recorded;
  Link link(3, {}, a, b);
  link.filter = [&](Instant, bool from_a, const Bytes& datagram) {
    if (from_a) recorded.push_back(datagram);
    return true;
  };
  a.initiate(kStart, b.party.keys.public_key());
  link.run(kStart + 5s, [&] { return a.proven() && b.proven(); });
  ASSERT_TRUE(is_extended(b));

  // The same static key after a restart, and everything that the initiator has ever said.
  GodwitHost again(2, kAlice);
  again.party.config.extended = ExtendedPolicy::kAuto;
  static_cast<void>(again.party.random.next_u64());  // no generator repeats itself after a restart
  ASSERT_EQ(again.party.keys.public_key(), b.party.keys.public_key());
  for (int round = 0; round < 3; ++round) {
    for (const Bytes& datagram : recorded) again.receive(kStart + 10s, datagram);
  }
  EXPECT_FALSE(again.session());
}

TEST(ExtendedHandshake, P2TheStaticSecretsAndARecordingDoNotGiveTheKeys) {
  // The secrets of two handshakes between the same parties with the same intro have nothing in common: they depend on
  // the agreement of two ephemeral keys, which are gone with the handshake.
  test::Party alice(1);
  test::Party bob(2);
  const wire::Intro intro{.version = wire::kAnnouncedVersion, .key = SymmetricKey::generate(alice.random)};
  const KeyPair outer = *KeyPair::generate(alice.random);
  std::vector<ExtendedSecrets> secrets;
  for (int i = 0; i < 2; ++i) {
    auto offer = test::make_offer(alice.context, bob.keys.public_key(), intro, outer);
    ASSERT_TRUE(offer);
    const Bytes block = offer->take_block();
    IntroSeen seen{.intro = intro, .fingerprint = {}, .datagram_bytes = 73 + block.size()};
    std::ranges::copy(outer.public_key().bytes(), seen.fingerprint.ephemeral.begin());
    const auto read = wire::read_extension(block);
    seen.extension.assign(read.message.begin(), read.message.end());
    auto request = ExtendedRequest::read(bob.context, seen);
    ASSERT_TRUE(request);
    auto answer = request->answer(kStart, bob.context, test::kAlice);
    ASSERT_TRUE(answer);
    const auto answered = offer->read(answer->block);
    ASSERT_TRUE(answered.secrets);
    EXPECT_EQ(answered.secrets->send.bytes, answer->secrets.receive.bytes);
    EXPECT_EQ(answered.secrets->receive.bytes, answer->secrets.send.bytes);
    secrets.push_back(*answered.secrets);
  }
  EXPECT_NE(secrets[0].send.bytes, secrets[1].send.bytes);
  EXPECT_NE(secrets[0].receive.bytes, secrets[1].receive.bytes);
}

}  // namespace
}  // namespace godwit::extended_handshake_test
