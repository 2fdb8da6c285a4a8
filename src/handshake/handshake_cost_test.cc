// Counts the X25519 operations of handshakes, by role: they are nearly all that a handshake costs. A key pair is one
// (its public key is an agreement with the base point), an agreement is one.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "crypto/static_agreements.h"
#include "handshake/ephemeral_keys.h"
#include "handshake/handshake_test_support.h"

namespace {

int operations = 0;

}  // namespace

// Stands before the library's own in this program, and calls it.
extern "C" int EVP_PKEY_derive(EVP_PKEY_CTX* context, unsigned char* key, size_t* size) {
  using Derive = int (*)(EVP_PKEY_CTX*, unsigned char*, size_t*);
  static const auto derive = reinterpret_cast<Derive>(dlsym(RTLD_NEXT, "EVP_PKEY_derive"));
  ++operations;
  return derive(context, key, size);
}

namespace godwit::handshake_cost_test {
namespace {

using test::Bytes;
using test::kAlice;
using test::kBob;
using test::kStart;

template <typename Work>
int operations_of(Work work) {
  const int before = operations;
  work();
  return operations - before;
}

// A party that keeps what an endpoint keeps between handshakes.
struct Host : test::Party {
  explicit Host(std::uint64_t seed, ExtendedPolicy extended) : Party(seed) {
    config.extended = extended;
    context.ephemeral_keys = &ephemeral;
    context.static_agreements = &statics;
  }
  void prepare() {
    while (ephemeral.make_one()) continue;
  }

  EphemeralKeys ephemeral{random, 8};
  StaticAgreements statics{16, HashKey(1, 2)};
};

struct Costs {
  int begin = 0;   // of the initiator, until its intro is there
  int accept = 0;  // of the acceptor, until its ack is there
  int finish = 0;  // of the initiator, until it is established
  friend bool operator==(const Costs&, const Costs&) = default;
  friend void PrintTo(const Costs& costs, std::ostream* out) {
    *out << costs.begin << " + " << costs.finish << " and " << costs.accept;
  }
};

Costs connect(Host& alice, Host& bob) {
  Costs costs;
  std::optional<Handshake> initiator;
  std::optional<Handshake> acceptor;
  costs.begin = operations_of(
      [&] { initiator.emplace(std::move(*Handshake::initiate(kStart, alice.context, kBob, bob.keys.public_key()))); });
  const Bytes intro = test::drain(kStart, *initiator).at(0);
  costs.accept = operations_of([&] {
    acceptor.emplace(std::move(*Handshake::accept(kStart, bob.context, kAlice, test::seen(bob.keys, intro))));
  });
  Bytes ack = test::drain(kStart, *acceptor).at(0);
  costs.finish = operations_of([&] { test::deliver(kStart, *initiator, ack); });
  EXPECT_TRUE(initiator->established());
  return costs;
}

TEST(HandshakeCost, OfTheDeployedFormIsAKeyPairAndAnAgreementAndOneAgreement) {
  Host alice(1, ExtendedPolicy::kOff);
  Host bob(2, ExtendedPolicy::kOff);
  EXPECT_EQ(connect(alice, bob), (Costs{.begin = 2, .accept = 1, .finish = 0}));
  alice.prepare();
  EXPECT_EQ(connect(alice, bob), (Costs{.begin = 1, .accept = 1, .finish = 0}));
}

TEST(HandshakeCost, OfANewPeerIsAKeyPairAndFourAgreementsOnEitherSide) {
  Host alice(1, ExtendedPolicy::kRequire);
  Host bob(2, ExtendedPolicy::kRequire);
  EXPECT_EQ(connect(alice, bob), (Costs{.begin = 3, .accept = 5, .finish = 2}));
}

TEST(HandshakeCost, OfAPeerThatComesBackIsThreeAgreementsWithKeyPairsMadeBefore) {
  Host alice(1, ExtendedPolicy::kRequire);
  Host bob(2, ExtendedPolicy::kRequire);
  connect(alice, bob);
  EXPECT_EQ(connect(alice, bob), (Costs{.begin = 2, .accept = 4, .finish = 2}));
  alice.prepare();
  bob.prepare();
  EXPECT_EQ(connect(alice, bob), (Costs{.begin = 1, .accept = 3, .finish = 2}));
  EXPECT_EQ(alice.statics.found(), 2u);
  EXPECT_EQ(bob.statics.found(), 2u);
}

// Message 1 of `from`, with an ephemeral key that is `shared` with the intro or not, as it arrives at `to`.
IntroSeen offer_seen(Host& from, Host& to, bool shared, std::size_t changed_byte) {
  const wire::Intro intro{.version = wire::kAnnouncedVersion, .key = SymmetricKey::generate(from.random)};
  const KeyPair outer = *KeyPair::generate(from.random);
  Bytes plaintext(wire::kIntroPlaintext);
  wire::encode_intro_plaintext(intro, std::span<std::uint8_t, wire::kIntroPlaintext>(plaintext));
  Bytes prologue(as_bytes("godwit extended session 1").begin(), as_bytes("godwit extended session 1").end());
  prologue.insert(prologue.end(), outer.public_key().bytes().begin(), outer.public_key().bytes().end());
  prologue.insert(prologue.end(), plaintext.begin(), plaintext.end());
  std::array<std::uint8_t, wire::kMaxParametersSize> parameters{};
  const std::size_t size =
      wire::encode_parameters({.connection_tag = {1}, .largest_datagram = wire::kMaxReceivedDatagram}, parameters);
  Bytes message(size + NoiseIk::kFirstOverhead);
  NoiseIk noise = NoiseIk::initiator(prologue, from.keys, to.keys.public_key());
  EXPECT_TRUE(
      noise.write_first(shared ? *KeyPair::from_secret(outer.secret().bytes()) : *KeyPair::generate(from.random),
                        ByteView(parameters).first(size), message));
  message[changed_byte] ^= 1;
  std::array<std::uint8_t, wire::kExtensionHeader> header;
  wire::write_extension_header(header, message.size());
  plaintext.insert(plaintext.end(), header.begin(), header.end());
  plaintext.insert(plaintext.end(), message.begin(), message.end());
  Bytes datagram(plaintext.size() + kIntroOverhead);
  EXPECT_TRUE(seal_intro(to.keys.public_key(), outer, plaintext, datagram));
  std::optional<IntroSeen> seen;
  EXPECT_EQ(operations_of([&] { seen = open_intro_datagram(to.keys, datagram); }), 1);
  return *seen;
}

TEST(HandshakeCost, OfAForgedOfferIsTheSameWhetherOrNotThePeerHasBeenHere) {
  constexpr std::size_t kEphemeral = 0;
  constexpr std::size_t kStatic = kPublicKeySize;
  constexpr std::size_t kPayload = 2 * kPublicKeySize + kTagSize;
  for (const bool known : {false, true}) {
    Host alice(1, ExtendedPolicy::kAuto);
    Host bob(2, ExtendedPolicy::kAuto);
    if (known) connect(alice, bob);
    const auto cost = [&](bool shared, std::size_t changed_byte) {
      const IntroSeen seen = offer_seen(alice, bob, shared, changed_byte);
      return operations_of([&] { EXPECT_FALSE(ExtendedRequest::read(bob.context, seen)); });
    };
    // Beside the one that opens the intro.
    EXPECT_EQ(cost(true, kEphemeral), 1) << known;
    EXPECT_EQ(cost(true, kStatic), 0) << known;
    EXPECT_EQ(cost(true, kPayload), 1) << known;
    EXPECT_EQ(cost(false, kStatic), 1) << known;
    EXPECT_EQ(cost(false, kPayload), 2) << known;
  }
}

TEST(HandshakeCost, NothingIsKeptOfAForgedOffer) {
  Host alice(1, ExtendedPolicy::kAuto);
  Host bob(2, ExtendedPolicy::kAuto);
  const IntroSeen seen = offer_seen(alice, bob, true, 2 * kPublicKeySize + kTagSize);
  EXPECT_FALSE(ExtendedRequest::read(bob.context, seen));
  Secret shared;
  EXPECT_FALSE(bob.statics.find(alice.keys.public_key(), shared));
  connect(alice, bob);
  EXPECT_TRUE(bob.statics.find(alice.keys.public_key(), shared));
}

TEST(EphemeralKeysTest, EachPairIsHandedOutOnceAndNoMoreWaitThanWereUsed) {
  DeterministicRandom random(1);
  EphemeralKeys keys(random, 2);
  EXPECT_FALSE(keys.make_one()) << "nothing has been used yet";
  std::vector<PublicKey> seen;
  for (int i = 0; i < 8; ++i) {
    const auto pair = keys.take();
    ASSERT_TRUE(pair);
    EXPECT_EQ(std::ranges::find(seen, pair->public_key()), seen.end());
    seen.push_back(pair->public_key());
    while (keys.make_one()) continue;
    EXPECT_LE(keys.waiting(), 2u);
  }
  EXPECT_EQ(keys.taken(), 8u);
  EXPECT_EQ(keys.taken_ready(), 7u);
}

TEST(EphemeralKeysTest, WithoutPreparationTheyAreWhatTheGeneratorGives) {
  DeterministicRandom random(5);
  DeterministicRandom same(5);
  EphemeralKeys keys(random, 8);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(keys.take()->public_key(), KeyPair::generate(same)->public_key());
}

}  // namespace
}  // namespace godwit::handshake_cost_test
