// libsodium as the second opinion on what OpenSSL computes. Compiled where libsodium is.
#include <gtest/gtest.h>
#include <sodium.h>

#include "crypto/chacha20_poly1305.h"
#include "crypto/intro_box.h"

namespace godwit {
namespace {

class SecondOpinion : public testing::Test {
 protected:
  void SetUp() override { ASSERT_GE(sodium_init(), 0); }
  [[nodiscard]] std::vector<std::uint8_t> random_bytes(std::size_t size) {
    std::vector<std::uint8_t> bytes(size);
    random_.fill(bytes);
    return bytes;
  }
  DeterministicRandom random_{12};
};

TEST_F(SecondOpinion, AgreesOnX25519) {
  for (int i = 0; i < 300; ++i) {
    const auto secret = random_bytes(32);
    const auto peer = random_bytes(32);
    const auto pair = KeyPair::from_secret(ByteView(secret));
    ASSERT_TRUE(pair.has_value());
    std::array<std::uint8_t, 32> expected{};
    ASSERT_EQ(crypto_scalarmult_base(expected.data(), secret.data()), 0);
    EXPECT_EQ(to_hex(pair->public_key().bytes()), to_hex(expected));
    std::array<std::uint8_t, 32> shared{};
    const bool agreed = pair->agree(PublicKey(std::span<const std::uint8_t, 32>(peer)), shared);
    EXPECT_EQ(agreed, crypto_scalarmult(expected.data(), secret.data(), peer.data()) == 0);
    if (agreed) {
      EXPECT_EQ(to_hex(shared), to_hex(expected));
    }
  }
}

TEST_F(SecondOpinion, AgreesOnChacha20Poly1305) {
  for (std::size_t size = 0; size <= 300; ++size) {
    const auto key = random_bytes(32);
    const auto nonce = random_bytes(12);
    const auto associated = random_bytes(random_.below(40));
    const auto plaintext = random_bytes(size);
    std::vector<std::uint8_t> expected(size + kChachaTagSize);
    crypto_aead_chacha20poly1305_ietf_encrypt(expected.data(), nullptr, plaintext.data(), size, associated.data(),
                                              associated.size(), nullptr, nonce.data(), key.data());
    std::vector<std::uint8_t> sealed(size + kChachaTagSize);
    ASSERT_TRUE(chacha20_poly1305_seal(ChachaKey(key), ChachaNonce(nonce), associated, plaintext, sealed.data()));
    ASSERT_EQ(to_hex(sealed), to_hex(expected)) << size;
  }
}

TEST_F(SecondOpinion, OpensOurIntro) {
  const auto recipient = KeyPair::generate(random_);
  const auto ephemeral = SecretKey::generate(random_);
  const auto plaintext = random_bytes(24);
  std::array<std::uint8_t, 24 + kIntroOverhead> datagram{};
  ASSERT_TRUE(seal_intro(recipient->public_key(), ephemeral, plaintext, datagram));
  std::array<std::uint8_t, 32> shared{};
  ASSERT_EQ(crypto_scalarmult(shared.data(), recipient->secret().bytes().data(), datagram.data() + 1), 0);
  const std::array<std::uint8_t, 12> zero_nonce{};
  std::array<std::uint8_t, 24> opened{};
  EXPECT_EQ(crypto_aead_chacha20poly1305_ietf_decrypt(opened.data(), nullptr, nullptr, datagram.data() + 33, 40,
                                                      nullptr, 0, zero_nonce.data(), shared.data()),
            0);
  EXPECT_EQ(to_hex(opened), to_hex(plaintext));
}

}  // namespace
}  // namespace godwit
