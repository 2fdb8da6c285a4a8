// The vectors that others publish to find faults in implementations: Project Wycheproof and the NIST validation
// program, reduced to the shapes of this folder (tools/reduce_crypto_vectors.py). Every implementation of the packet
// cipher that this build and this processor have is held to them: in one piece, gathered from three, and as a batch.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "crypto/chacha20_poly1305.h"
#include "crypto/cipher_test_support.h"
#include "crypto/keypair.h"
#include "crypto/packet_cipher.h"
#include "crypto/test_vectors.h"

namespace godwit {
namespace {

using Bytes = std::vector<std::uint8_t>;

bool is_valid(const TestVector& vector) {
  return vector["valid"].at(0) == 1;
}

Bytes joined(const Bytes& left, const Bytes& right) {
  Bytes all = left;
  all.insert(all.end(), right.begin(), right.end());
  return all;
}

// A batch of the same packet throughout, long enough for the implementations that handle batches as a whole.
constexpr std::size_t kBatch = 9;

void check_opened_batch(PacketCipher& cipher, const Nonce& nonce, const TestVector& vector) {
  std::array<Bytes, kBatch> datagrams;
  std::array<PacketToOpen, kBatch> packets;
  for (std::size_t i = 0; i < kBatch; ++i) {
    datagrams[i] = joined(vector["ciphertext"], vector["tag"]);
    std::uint8_t* const text = datagrams[i].data();
    packets[i] = {nonce.bytes.data(), text, text, vector["ciphertext"].size(), false};
  }
  cipher.open_batch(packets);
  const Bytes zeros(vector["ciphertext"].size());
  for (const PacketToOpen& packet : packets) {
    EXPECT_EQ(packet.authentic, is_valid(vector)) << vector.name;
    const Bytes& expected = is_valid(vector) ? vector["plaintext"] : zeros;
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), packet.out)) << vector.name;
  }
}

void check_sealed_batch(PacketCipher& cipher, const Nonce& nonce, const TestVector& vector) {
  const Bytes& plaintext = vector["plaintext"];
  std::array<Bytes, kBatch> datagrams;
  std::array<PacketToSeal, kBatch> packets;
  for (std::size_t i = 0; i < kBatch; ++i) {
    const std::size_t head = plaintext.size() * i / (2 * kBatch);
    const std::size_t body = plaintext.size() / 2;
    datagrams[i] = plaintext;
    datagrams[i].resize(plaintext.size() + kTagSize);
    std::fill_n(datagrams[i].begin() + static_cast<std::ptrdiff_t>(head), body, std::uint8_t{0xee});
    packets[i] = {nonce.bytes.data(), datagrams[i].data(), plaintext.data() + head, plaintext.size(), head, body};
  }
  cipher.seal_batch(packets);
  const std::string expected = to_hex(joined(vector["ciphertext"], vector["tag"]));
  for (const Bytes& datagram : datagrams) EXPECT_EQ(to_hex(datagram), expected) << vector.name;
}

// How many vectors of either verdict were checked: a file that has lost its failing vectors tests nothing.
struct Checked {
  std::size_t valid = 0;
  std::size_t invalid = 0;
};

Checked check_packet_cipher(CipherKind kind, const std::string& file, const std::string& folder) {
  Checked checked;
  for (const TestVector& vector : read_vectors(file, folder)) {
    const auto cipher = make_packet_cipher(kind, SymmetricKey(vector.fixed<kSymmetricKeySize>("key")));
    Nonce nonce;
    std::ranges::copy(vector.fixed<kNonceSize>("nonce"), nonce.bytes.begin());
    const Bytes sealed = joined(vector["ciphertext"], vector["tag"]);
    Bytes opened(vector["ciphertext"].size());
    EXPECT_EQ(cipher->open(nonce, sealed, opened.data()), is_valid(vector)) << vector.name;
    check_opened_batch(*cipher, nonce, vector);
    if (!is_valid(vector)) {
      ++checked.invalid;
      continue;
    }
    ++checked.valid;
    const Bytes& plaintext = vector["plaintext"];
    EXPECT_EQ(opened, plaintext) << vector.name;

    Bytes in_place = sealed;
    EXPECT_TRUE(cipher->open(nonce, in_place, in_place.data())) << vector.name;
    EXPECT_TRUE(std::equal(plaintext.begin(), plaintext.end(), in_place.begin())) << vector.name;

    Bytes again(sealed.size());
    cipher->seal(nonce, plaintext, again.data());
    EXPECT_EQ(to_hex(again), to_hex(sealed)) << vector.name;

    const ByteView whole(plaintext);
    const std::size_t head = whole.size() / 3;
    const std::size_t body = whole.size() / 2;
    Bytes gathered(sealed.size());
    cipher->seal_pieces(nonce, whole.first(head), whole.subspan(head, body), whole.subspan(head + body),
                        gathered.data());
    EXPECT_EQ(to_hex(gathered), to_hex(sealed)) << vector.name;
    check_sealed_batch(*cipher, nonce, vector);
  }
  return checked;
}

class PublishedVectors : public testing::TestWithParam<CipherKind> {};

INSTANTIATE_TEST_SUITE_P(PacketCipher, PublishedVectors, testing::ValuesIn(available_kinds()), cipher_test_name);

TEST_P(PublishedVectors, AgreesWithWycheproof) {
  const Checked checked = check_packet_cipher(GetParam(), "aes128_gcm.txt", "wycheproof");
  EXPECT_EQ(checked.valid, 22U);
  EXPECT_EQ(checked.invalid, 27U);
}

TEST_P(PublishedVectors, SealsAsNistDoes) {
  const Checked checked = check_packet_cipher(GetParam(), "aes128_gcm_encrypt.txt", "nist");
  EXPECT_EQ(checked.valid, 75U);
}

TEST_P(PublishedVectors, OpensAndRefusesAsNistDoes) {
  const Checked checked = check_packet_cipher(GetParam(), "aes128_gcm_decrypt.txt", "nist");
  EXPECT_GT(checked.valid, 20U);
  EXPECT_GT(checked.invalid, 20U);
  EXPECT_EQ(checked.valid + checked.invalid, 75U);
}

TEST(PublishedHandshakeVectors, ChachaAgreesWithWycheproof) {
  Checked checked;
  for (const TestVector& vector : read_vectors("chacha20_poly1305.txt", "wycheproof")) {
    const auto key = vector.fixed<kChachaKeySize>("key");
    const auto nonce = vector.fixed<kChachaNonceSize>("nonce");
    const Bytes& associated_data = vector["associated_data"];
    const Bytes sealed = joined(vector["ciphertext"], vector["tag"]);
    Bytes opened(vector["ciphertext"].size());
    EXPECT_EQ(chacha20_poly1305_open(key, nonce, associated_data, sealed, opened.data()), is_valid(vector))
        << vector.name;
    ++(is_valid(vector) ? checked.valid : checked.invalid);
    if (!is_valid(vector)) continue;
    EXPECT_EQ(opened, vector["plaintext"]) << vector.name;
    Bytes again(sealed.size());
    EXPECT_TRUE(chacha20_poly1305_seal(key, nonce, associated_data, vector["plaintext"], again.data()));
    EXPECT_EQ(to_hex(again), to_hex(sealed)) << vector.name;
  }
  EXPECT_EQ(checked.valid, 256U);
  EXPECT_EQ(checked.invalid, 60U);
}

// Non-canonical and twisted points are agreed with, points of low order are refused (RFC 7748 section 6.1).
TEST(PublishedHandshakeVectors, X25519AgreesWithWycheproof) {
  Checked checked;
  for (const TestVector& vector : read_vectors("x25519.txt", "wycheproof")) {
    const auto pair = KeyPair::from_secret(ByteView(vector["secret"]));
    ASSERT_TRUE(pair.has_value()) << vector.name;
    const PublicKey peer(vector.fixed<kPublicKeySize>("peer"));
    std::array<std::uint8_t, kSharedSecretSize> shared{};
    EXPECT_EQ(pair->agree(peer, shared), is_valid(vector)) << vector.name;
    EXPECT_EQ(to_hex(ByteView(shared)), to_hex(vector["shared"])) << vector.name;
    std::array<std::uint8_t, kSharedSecretSize> other{};
    const SecretKey secret(vector.fixed<kSecretKeySize>("secret"));
    EXPECT_EQ(x25519(secret, peer, other), is_valid(vector)) << vector.name;
    EXPECT_EQ(other, shared) << vector.name;
    ++(is_valid(vector) ? checked.valid : checked.invalid);
  }
  EXPECT_GT(checked.invalid, 10U);
  EXPECT_EQ(checked.valid + checked.invalid, 518U);
}

}  // namespace
}  // namespace godwit
