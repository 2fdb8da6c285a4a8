#include "crypto/noise_ik.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "crypto/chacha20_poly1305.h"
#include "crypto/test_vectors.h"

namespace godwit {
namespace {

using Bytes = std::vector<std::uint8_t>;

KeyPair pair_of(ByteView secret) {
  return *KeyPair::from_secret(secret);
}

// Message `number` of the two directions, sealed as the framework's CipherState does.
Bytes transport(const Secret& secret, std::uint64_t number, const Bytes& payload) {
  std::array<std::uint8_t, kChachaNonceSize> nonce{};
  store_le(nonce.data() + 4, number);
  Bytes sealed(payload.size() + kChachaTagSize);
  EXPECT_TRUE(chacha20_poly1305_seal(secret.bytes, nonce, {}, payload, sealed.data()));
  return sealed;
}

TEST(NoiseIk, ReproducesTheVectorsOfOtherImplementations) {
  const auto vectors = read_vectors("noise_ik.txt");
  ASSERT_EQ(vectors.size(), 2u);
  for (const TestVector& vector : vectors) {
    const KeyPair initiator_keys = pair_of(vector["init_static"]);
    const KeyPair responder_keys = pair_of(vector["resp_static"]);
    ASSERT_EQ(to_hex(responder_keys.public_key().bytes()), to_hex(vector["resp_public"])) << vector.name;
    NoiseIk initiator = NoiseIk::initiator(vector["prologue"], initiator_keys, responder_keys.public_key());
    NoiseIk responder = NoiseIk::responder(vector["prologue"], responder_keys);

    Bytes first(vector["message_1"].size());
    ASSERT_TRUE(initiator.write_first(pair_of(vector["init_ephemeral"]), vector["payload_1"], first)) << vector.name;
    EXPECT_EQ(to_hex(first), to_hex(vector["message_1"])) << vector.name;
    Bytes payload(vector["payload_1"].size());
    ASSERT_TRUE(responder.read_first(first, payload)) << vector.name;
    EXPECT_EQ(payload, vector["payload_1"]) << vector.name;
    EXPECT_EQ(responder.remote_static(), initiator_keys.public_key()) << vector.name;

    Bytes second(vector["message_2"].size());
    ASSERT_TRUE(responder.write_second(pair_of(vector["resp_ephemeral"]), vector["payload_2"], second)) << vector.name;
    EXPECT_EQ(to_hex(second), to_hex(vector["message_2"])) << vector.name;
    payload.resize(vector["payload_2"].size());
    ASSERT_TRUE(initiator.read_second(second, payload)) << vector.name;
    EXPECT_EQ(payload, vector["payload_2"]) << vector.name;

    EXPECT_EQ(initiator.handshake_hash(), responder.handshake_hash()) << vector.name;
    if (vector.has("handshake_hash")) {
      EXPECT_EQ(to_hex(initiator.handshake_hash()), to_hex(vector["handshake_hash"])) << vector.name;
    }
    const NoiseIk::Secrets mine = initiator.split();
    const NoiseIk::Secrets theirs = responder.split();
    EXPECT_EQ(mine.from_initiator.bytes, theirs.from_initiator.bytes) << vector.name;
    EXPECT_EQ(mine.from_responder.bytes, theirs.from_responder.bytes) << vector.name;
    for (std::uint64_t i = 3; vector.has("message_" + std::to_string(i)); ++i) {
      const Secret& secret = i % 2 == 1 ? mine.from_initiator : mine.from_responder;
      const Bytes sealed = transport(secret, (i - 3) / 2, vector["payload_" + std::to_string(i)]);
      EXPECT_EQ(to_hex(sealed), to_hex(vector["message_" + std::to_string(i)])) << vector.name << ' ' << i;
    }
  }
}

class NoiseIkPair : public testing::Test {
 protected:
  [[nodiscard]] NoiseIk initiator() { return NoiseIk::initiator(prologue_, alice_, bob_.public_key()); }
  [[nodiscard]] NoiseIk responder() { return NoiseIk::responder(prologue_, bob_); }
  [[nodiscard]] KeyPair ephemeral() { return *KeyPair::generate(random_); }
  [[nodiscard]] Bytes first(NoiseIk& handshake) {
    Bytes message(payload_.size() + NoiseIk::kFirstOverhead);
    EXPECT_TRUE(handshake.write_first(ephemeral(), payload_, message));
    return message;
  }

  DeterministicRandom random_{31};
  KeyPair alice_ = *KeyPair::generate(random_);
  KeyPair bob_ = *KeyPair::generate(random_);
  Bytes prologue_ = {1, 2, 3};
  Bytes payload_ = {4, 5, 6, 7};
};

TEST_F(NoiseIkPair, AFirstMessageWithAnyChangedByteIsRefusedAndTheRightOneStillAccepted) {
  NoiseIk alice = initiator();
  NoiseIk bob = responder();
  const Bytes message = first(alice);
  Bytes payload(payload_.size());
  for (std::size_t i = 0; i < message.size(); ++i) {
    Bytes changed = message;
    changed[i] ^= 0x01;
    EXPECT_FALSE(bob.read_first(changed, payload)) << i;
  }
  for (std::size_t size = NoiseIk::kFirstOverhead; size < message.size(); ++size) {
    Bytes short_payload(size - NoiseIk::kFirstOverhead);
    EXPECT_FALSE(bob.read_first(ByteView(message).first(size), short_payload)) << size;
  }
  EXPECT_FALSE(bob.read_first(ByteView(message).first(NoiseIk::kFirstOverhead - 1), {}));
  EXPECT_TRUE(bob.read_first(message, payload));
  EXPECT_EQ(payload, payload_);
}

TEST_F(NoiseIkPair, ASecondMessageWithAnyChangedByteIsRefusedAndTheRightOneStillAccepted) {
  NoiseIk alice = initiator();
  NoiseIk bob = responder();
  Bytes payload(payload_.size());
  ASSERT_TRUE(bob.read_first(first(alice), payload));
  Bytes message(payload_.size() + NoiseIk::kSecondOverhead);
  ASSERT_TRUE(bob.write_second(ephemeral(), payload_, message));
  for (std::size_t i = 0; i < message.size(); ++i) {
    Bytes changed = message;
    changed[i] ^= 0x01;
    EXPECT_FALSE(alice.read_second(changed, payload)) << i;
  }
  EXPECT_TRUE(alice.read_second(message, payload));
  EXPECT_EQ(alice.split().from_initiator.bytes, bob.split().from_initiator.bytes);
}

TEST_F(NoiseIkPair, AnotherPrologueOrRecipientIsRefused) {
  NoiseIk alice = initiator();
  const Bytes message = first(alice);
  Bytes payload(payload_.size());
  NoiseIk elsewhere = NoiseIk::responder(Bytes{1, 2, 4}, bob_);
  EXPECT_FALSE(elsewhere.read_first(message, payload));
  NoiseIk somebody = NoiseIk::responder(prologue_, alice_);
  EXPECT_FALSE(somebody.read_first(message, payload));
}

// Of the object itself, where every secret of a handshake lies.
bool holds(const NoiseIk& handshake, ByteView secret) {
  const ByteView bytes(reinterpret_cast<const std::uint8_t*>(&handshake), sizeof(handshake));
  return !std::ranges::search(bytes, secret).empty();
}

TEST_F(NoiseIkPair, TheSplitLeavesNothingToFindTheSecretsWith) {
  NoiseIk alice = initiator();
  NoiseIk bob = responder();
  const KeyPair of_alice = ephemeral();
  const KeyPair of_bob = ephemeral();
  Bytes message(payload_.size() + NoiseIk::kFirstOverhead);
  Bytes payload(payload_.size());
  ASSERT_TRUE(alice.write_first(pair_of(of_alice.secret().bytes()), payload_, message));
  ASSERT_TRUE(bob.read_first(message, payload));
  message.resize(payload_.size() + NoiseIk::kSecondOverhead);
  ASSERT_TRUE(bob.write_second(pair_of(of_bob.secret().bytes()), payload_, message));
  ASSERT_TRUE(alice.read_second(message, payload));
  EXPECT_TRUE(holds(alice, of_alice.secret().bytes()));
  EXPECT_TRUE(holds(bob, of_bob.secret().bytes()));
  for (NoiseIk* handshake : {&alice, &bob}) {
    const NoiseIk::Secrets secrets = handshake->split();
    EXPECT_FALSE(holds(*handshake, (handshake == &alice ? of_alice : of_bob).secret().bytes()));
    EXPECT_FALSE(holds(*handshake, secrets.from_initiator.bytes));
    EXPECT_FALSE(holds(*handshake, secrets.from_responder.bytes));
  }
}

TEST_F(NoiseIkPair, KeysOfLowOrderAreRefused) {
  Bytes zeros(payload_.size() + NoiseIk::kFirstOverhead, 0);
  Bytes payload(payload_.size());
  NoiseIk bob = responder();
  EXPECT_FALSE(bob.read_first(zeros, payload));
  NoiseIk towards_zero = NoiseIk::initiator(prologue_, alice_, PublicKey());
  EXPECT_FALSE(towards_zero.write_first(ephemeral(), payload_, zeros));
}

}  // namespace
}  // namespace godwit
