// The vectors of testdata/extended, which an independent implementation has made (tests/cli/extended_peer.py).
#include <gtest/gtest.h>

#include "crypto/test_vectors.h"
#include "handshake/extended_handshake.h"
#include "handshake/extended_keys.h"
#include "handshake/handshake_test_support.h"

namespace godwit {
namespace {

using test::Bytes;

// Hands out given bytes.
class ScriptedRandom final : public RandomSource {
 public:
  explicit ScriptedRandom(Bytes bytes) : bytes_(std::move(bytes)) {}
  void fill(MutableBytes out) override {
    ASSERT_LE(out.size(), bytes_.size() - used_);
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(used_), out.size(), out.begin());
    used_ += out.size();
  }

 private:
  Bytes bytes_;
  std::size_t used_ = 0;
};

Bytes joined(const Bytes& first, const Bytes& second) {
  Bytes both = first;
  both.insert(both.end(), second.begin(), second.end());
  return both;
}

HandshakeConfig config_of(const TestVector& vector) {
  HandshakeConfig config;
  config.extended = ExtendedPolicy::kAuto;
  config.capabilities = wire::capability::kKeyUpdate | wire::capability::kRoaming | wire::capability::kCoalescing;
  config.flow = {};
  std::copy(vector["version"].begin(), vector["version"].end(), config.version.begin());
  return config;
}

// An initiator may have an ephemeral key of its own for the offer: the acceptor's side of the second vector.
TEST(ExtendedVectors, AnOfferWithAnEphemeralKeyOfItsOwnIsAnsweredAsTheSpecificationSays) {
  const auto vectors = read_vectors("handshake.txt", "extended");
  ASSERT_EQ(vectors.size(), 2u);
  const TestVector& vector = vectors[1];
  ASSERT_NE(vector["outer_secret"], vector["offer_ephemeral"]);
  const KeyPair bob = *KeyPair::from_secret(ByteView(vector["acceptor_secret"]));
  const HandshakeConfig config = config_of(vector);
  const auto seen = open_intro_datagram(bob, vector["intro"]);
  ASSERT_TRUE(seen);
  ScriptedRandom random(joined(vector["answer_ephemeral"], vector["acceptor_tag"]));
  const HandshakeContext context{.config = &config, .self = &bob, .random = &random};
  auto request = ExtendedRequest::read(context, *seen);
  ASSERT_TRUE(request);
  const auto answer = request->answer(Instant{}, context, SocketAddress{});
  ASSERT_TRUE(answer);
  EXPECT_EQ(to_hex(answer->block), to_hex(vector["answer"]));
}

TEST(ExtendedVectors, HandshakeKeysAndPacketsAreThoseOfTheSpecification) {
  const auto vectors = read_vectors("handshake.txt", "extended");
  ASSERT_EQ(vectors.size(), 2u);
  const TestVector& vector = vectors[0];
  ASSERT_EQ(vector["outer_secret"], vector["offer_ephemeral"]);
  const KeyPair alice = *KeyPair::from_secret(ByteView(vector["initiator_secret"]));
  const KeyPair bob = *KeyPair::from_secret(ByteView(vector["acceptor_secret"]));
  const HandshakeConfig config = config_of(vector);
  const wire::Intro intro{.version = config.version,
                          .key = SymmetricKey(vector.fixed<kSymmetricKeySize>("legacy_key"))};

  ScriptedRandom of_alice(vector["initiator_tag"]);
  const HandshakeContext at_alice{.config = &config, .self = &alice, .random = &of_alice};
  const KeyPair ephemeral = *KeyPair::from_secret(ByteView(vector["offer_ephemeral"]));
  auto offer = test::make_offer(at_alice, bob.public_key(), intro, ephemeral, Instant{});
  ASSERT_TRUE(offer);
  EXPECT_EQ(to_hex(offer->take_block()), to_hex(vector["offer"]));

  const auto seen = open_intro_datagram(bob, vector["intro"]);
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->block, wire::ExtensionBlock::kPresent);
  ScriptedRandom of_bob(joined(vector["answer_ephemeral"], vector["acceptor_tag"]));
  const HandshakeContext at_bob{.config = &config, .self = &bob, .random = &of_bob};
  auto request = ExtendedRequest::read(at_bob, *seen);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->peer(), alice.public_key());
  const auto answer = request->answer(Instant{}, at_bob, SocketAddress{});
  ASSERT_TRUE(answer);
  EXPECT_EQ(to_hex(answer->block), to_hex(vector["answer"]));

  const auto plaintext = test::open_packet(intro.key, vector["ack"]);
  ASSERT_TRUE(plaintext);
  const auto packet = wire::decode(*plaintext);
  ASSERT_TRUE(packet);
  auto read = offer->read(packet->trailing);
  ASSERT_TRUE(read.secrets);

  // The key schedule draws nothing. Every generation's first packet.
  DeterministicRandom random(1);
  HandshakeContext keys = at_alice;
  keys.random = &random;
  keys.key_limits.soft = 1;
  ExtendedKeys mine(keys, *read.secrets);
  ExtendedKeys theirs(keys, answer->secrets);
  auto sealer = mine.take_first_sealer();
  auto reply_sealer = theirs.take_first_sealer();
  PacketOpener opener = mine.take_first_opener();
  const auto seal = [&](PacketSealer& with) {
    Bytes datagram(vector["plaintext"].size() + kEnvelopeOverhead);
    datagram.resize(with.seal_pieces(vector["plaintext"], {}, {}, datagram));
    return datagram;
  };
  EXPECT_EQ(to_hex(seal(*sealer)), to_hex(vector["packet_0"]));
  const Bytes reply = seal(*reply_sealer);
  EXPECT_EQ(to_hex(reply), to_hex(vector["reply"]));
  const auto header = mine.read_header(reply.data() + 1);
  ASSERT_TRUE(header);
  std::array<std::uint8_t, wire::kMaxReceivedDatagram> scratch;
  EXPECT_TRUE(mine.opener(*header, opener).open_copy(reply, scratch));
  sealer = mine.update(*sealer);
  ASSERT_TRUE(sealer);
  EXPECT_EQ(to_hex(seal(*sealer)), to_hex(vector["packet_1"]));
}

}  // namespace
}  // namespace godwit
