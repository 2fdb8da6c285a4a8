#include "crypto/chacha20_poly1305.h"

#include <gtest/gtest.h>

#include "crypto/test_vectors.h"

namespace godwit {
namespace {

TEST(Chacha20Poly1305, AgreesWithTheVectorsOfRfc8439) {
  for (const TestVector& vector : read_vectors("chacha20_poly1305.txt")) {
    const auto key = vector.fixed<kChachaKeySize>("key");
    const auto nonce = vector.fixed<kChachaNonceSize>("nonce");
    const auto& plaintext = vector["plaintext"];
    std::vector<std::uint8_t> sealed(plaintext.size() + kChachaTagSize);
    ASSERT_TRUE(chacha20_poly1305_seal(key, nonce, vector["associated_data"], plaintext, sealed.data())) << vector.name;
    EXPECT_EQ(to_hex(sealed), to_hex(vector["sealed"])) << vector.name;
    std::vector<std::uint8_t> opened(plaintext.size());
    ASSERT_TRUE(chacha20_poly1305_open(key, nonce, vector["associated_data"], sealed, opened.data())) << vector.name;
    EXPECT_EQ(opened, plaintext) << vector.name;
  }
}

TEST(Chacha20Poly1305, ClearsTheOutputOfAForgery) {
  const TestVector vector = read_vectors("chacha20_poly1305.txt").front();
  const auto key = vector.fixed<kChachaKeySize>("key");
  const auto nonce = vector.fixed<kChachaNonceSize>("nonce");
  for (std::size_t i = 0; i < vector["sealed"].size(); ++i) {
    std::vector<std::uint8_t> sealed = vector["sealed"];
    sealed[i] ^= 1;
    std::vector<std::uint8_t> opened(vector["plaintext"].size(), 0xff);
    EXPECT_FALSE(chacha20_poly1305_open(key, nonce, vector["associated_data"], sealed, opened.data())) << i;
    EXPECT_EQ(opened, std::vector<std::uint8_t>(opened.size(), 0)) << i;
  }
  EXPECT_FALSE(chacha20_poly1305_open(key, nonce, {}, vector["sealed"], std::vector<std::uint8_t>(200).data()));
}

TEST(Chacha20Poly1305, HandlesAnEmptyPlaintextAndAnInputShorterThanATag) {
  const std::array<std::uint8_t, kChachaKeySize> key{1};
  const std::array<std::uint8_t, kChachaNonceSize> nonce{2};
  std::array<std::uint8_t, kChachaTagSize> tag{};
  ASSERT_TRUE(chacha20_poly1305_seal(key, nonce, {}, {}, tag.data()));
  EXPECT_TRUE(chacha20_poly1305_open(key, nonce, {}, tag, nullptr));
  EXPECT_FALSE(chacha20_poly1305_open(key, nonce, {}, ByteView(tag).first(15), nullptr));
  tag[3] ^= 4;
  EXPECT_FALSE(chacha20_poly1305_open(key, nonce, {}, tag, nullptr));
}

}  // namespace
}  // namespace godwit
