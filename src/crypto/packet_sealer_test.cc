#include "crypto/packet_sealer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <set>

#include "crypto/packet_opener.h"
#include "crypto/test_vectors.h"

namespace godwit {
namespace {

using Bytes = std::vector<std::uint8_t>;

std::unique_ptr<PacketCipher> cipher_of(const SymmetricKey& key) {
  return make_packet_cipher(CipherKind::kOpenssl, key);
}

// The envelope around a plaintext, with room for the tag.
Bytes with_room(ByteView plaintext) {
  Bytes datagram(plaintext.size() + kEnvelopeOverhead, 0xaa);
  std::ranges::copy(plaintext, datagram.begin() + kEnvelopePrefix);
  return datagram;
}

class Sealer : public testing::Test {
 protected:
  DeterministicRandom random_{21};
  SymmetricKey key_ = SymmetricKey::generate(random_);
};

TEST_F(Sealer, ReproducesTheVectorsOfTheWireSpec) {
  const auto vectors = read_vectors("wire_symmetric.txt");
  ASSERT_EQ(vectors.size(), 8u);  // A.2 to A.9
  for (const TestVector& vector : vectors) {
    for (const CipherKind kind : kAllCipherKinds) {
      if (!cipher_available(kind)) continue;
      const SymmetricKey key(vector.fixed<kSymmetricKeySize>("key"));
      const auto& nonce = vector["nonce"];
      const NonceCounter nonces({nonce[0], nonce[1], nonce[2], nonce[3]}, load_le<std::uint64_t>(nonce.data() + 4));
      PacketSealer sealer(make_packet_cipher(kind, key), nonces);
      Bytes datagram = with_room(vector["plaintext"]);
      ASSERT_TRUE(sealer.seal_in_place(datagram));
      EXPECT_EQ(to_hex(datagram), to_hex(vector["datagram"])) << vector.name << ", " << cipher_name(kind);

      PacketSealer in_pieces(make_packet_cipher(kind, key), nonces);
      const ByteView plaintext = vector["plaintext"];
      Bytes out(datagram.size());
      EXPECT_EQ(in_pieces.seal_pieces(plaintext.first(7), plaintext.subspan(7, 9), plaintext.subspan(16), out),
                out.size());
      EXPECT_EQ(to_hex(out), to_hex(vector["datagram"])) << vector.name << ", " << cipher_name(kind);

      PacketOpener opener(make_packet_cipher(kind, key));
      const auto opened = opener.open_in_place(out);
      ASSERT_TRUE(opened.has_value()) << vector.name;
      EXPECT_EQ(to_hex(*opened), to_hex(plaintext)) << vector.name;
    }
  }
}

TEST_F(Sealer, WritesNothingBeyondTheDatagram) {
  PacketSealer sealer(cipher_of(key_), random_);
  Bytes out(100, 0xee);
  const Bytes body(20, 1);
  EXPECT_EQ(sealer.seal_pieces({}, body, {}, out), 49u);
  EXPECT_EQ(out[0], kSymmetricType);
  EXPECT_EQ(out[48 + 1], 0xee);
}

TEST_F(Sealer, SealsTheSmallestDatagram) {
  PacketSealer sealer(cipher_of(key_), random_);
  Bytes datagram(kEnvelopeOverhead);
  ASSERT_TRUE(sealer.seal_in_place(datagram));
  PacketOpener opener(cipher_of(key_));
  const auto opened = opener.open_in_place(datagram);
  ASSERT_TRUE(opened.has_value());
  EXPECT_TRUE(opened->empty());
}

TEST_F(Sealer, CountsWhatItSealed) {
  PacketSealer sealer(cipher_of(key_), random_, {.soft = 5, .hard = 10, .already_sealed = 2});
  EXPECT_EQ(sealer.packets_sealed(), 2u);
  Bytes datagram(60);
  ASSERT_TRUE(sealer.seal_in_place(datagram));
  EXPECT_EQ(sealer.seal_pieces({}, {}, {}, datagram), kEnvelopeOverhead);
  EXPECT_EQ(sealer.packets_sealed(), 4u);
}

TEST_F(Sealer, ReportsTheSoftLimitAndRefusesAtTheHardOne) {
  PacketSealer sealer(cipher_of(key_), random_, {.soft = 3, .hard = 5, .already_sealed = 0});
  for (std::uint64_t i = 0; i < 5; ++i) {
    EXPECT_EQ(sealer.soft_limit_reached(), i >= 3) << i;
    EXPECT_FALSE(sealer.hard_limit_reached()) << i;
    Bytes datagram(60);
    EXPECT_TRUE(sealer.seal_in_place(datagram)) << i;
  }
  EXPECT_TRUE(sealer.hard_limit_reached());
  Bytes untouched(60, 0x77);
  EXPECT_FALSE(sealer.seal_in_place(untouched));
  EXPECT_EQ(sealer.seal_pieces({}, {}, {}, untouched), 0u);
  EXPECT_EQ(untouched, Bytes(60, 0x77));
  EXPECT_EQ(sealer.packets_sealed(), 5u);
}

TEST_F(Sealer, KeepsTheLimitsOfRfc9001ByDefault) {
  EXPECT_EQ(SealerLimits{}.hard, std::uint64_t{1} << 28);
  EXPECT_EQ(SealerLimits{}.soft, std::uint64_t{1} << 27);
  PacketSealer sealer(cipher_of(key_), random_, {.already_sealed = kHardPacketLimit - 1});
  Bytes datagram(60);
  EXPECT_TRUE(sealer.soft_limit_reached());
  EXPECT_TRUE(sealer.seal_in_place(datagram));
  EXPECT_FALSE(sealer.seal_in_place(datagram));
}

TEST_F(Sealer, NeverRepeatsANonce) {
  PacketSealer sealer(cipher_of(key_), random_);
  std::set<Nonce> nonces;
  Bytes datagram(60);
  for (int i = 0; i < 20000; ++i) {
    if (i % 2 == 0) {
      ASSERT_TRUE(sealer.seal_in_place(datagram));
    } else {
      ASSERT_NE(sealer.seal_pieces({}, {}, {}, datagram), 0u);
    }
    Nonce nonce;
    std::copy_n(datagram.begin() + 1, kNonceSize, nonce.bytes.begin());
    nonces.insert(nonce);
  }
  EXPECT_EQ(nonces.size(), 20000u);
}

TEST(NonceCounter, CountsInLittleEndianBehindItsPrefix) {
  NonceCounter nonces({1, 2, 3, 4}, 0x01ff);
  EXPECT_EQ(to_hex(nonces.next().bytes), "01020304ff01000000000000");
  EXPECT_EQ(to_hex(nonces.next().bytes), "010203040002000000000000");
}

TEST(NonceCounter, WrapsWithoutTouchingItsPrefix) {
  NonceCounter nonces({9, 8, 7, 6}, std::numeric_limits<std::uint64_t>::max() - 1);
  EXPECT_EQ(to_hex(nonces.next().bytes), "09080706feffffffffffffff");
  EXPECT_EQ(to_hex(nonces.next().bytes), "09080706ffffffffffffffff");
  EXPECT_EQ(to_hex(nonces.next().bytes), "090807060000000000000000");
  EXPECT_EQ(to_hex(nonces.next().bytes), "090807060100000000000000");
}

TEST(NonceCounter, IsUniqueAcrossTheWrap) {
  NonceCounter nonces({0, 0, 0, 0}, std::numeric_limits<std::uint64_t>::max() - 5000);
  std::set<Nonce> seen;
  for (int i = 0; i < 10000; ++i) seen.insert(nonces.next());
  EXPECT_EQ(seen.size(), 10000u);
}

// Wire spec W14: neither the prefix nor the counter of one connection says anything about another's.
TEST(NonceCounter, StartsAtNinetySixRandomBits) {
  DeterministicRandom random(3);
  std::array<std::uint8_t, kNonceSize> ever_set{};
  std::array<std::uint8_t, kNonceSize> ever_clear{};
  for (int i = 0; i < 100; ++i) {
    const Nonce nonce = NonceCounter(random).next();
    for (std::size_t j = 0; j < kNonceSize; ++j) {
      ever_set[j] = static_cast<std::uint8_t>(ever_set[j] | nonce.bytes[j]);
      ever_clear[j] = static_cast<std::uint8_t>(ever_clear[j] | ~nonce.bytes[j]);
    }
  }
  for (std::size_t j = 0; j < kNonceSize; ++j) {
    EXPECT_EQ(ever_set[j], 0xff);
    EXPECT_EQ(ever_clear[j], 0xff);
  }
}

}  // namespace
}  // namespace godwit
