#include "crypto/intro_box.h"

#include <gtest/gtest.h>

#include "crypto/chacha20_poly1305.h"
#include "crypto/test_vectors.h"

namespace godwit {
namespace {

class IntroBox : public testing::Test {
 protected:
  IntroBox()
      : recipient_(*KeyPair::generate(random_)), ephemeral_(SecretKey::generate(random_)), plaintext_(24, 0x42) {}

  [[nodiscard]] std::vector<std::uint8_t> sealed() {
    std::vector<std::uint8_t> datagram(plaintext_.size() + kIntroOverhead);
    EXPECT_TRUE(seal_intro(recipient_.public_key(), ephemeral_, plaintext_, datagram));
    return datagram;
  }

  DeterministicRandom random_{11};
  KeyPair recipient_;
  SecretKey ephemeral_;
  std::vector<std::uint8_t> plaintext_;
};

TEST_F(IntroBox, ReproducesTheVectorsOfTheWireSpec) {
  const auto vectors = read_vectors("wire_intro.txt");
  ASSERT_EQ(vectors.size(), 2u);  // 0.2.154 and 0.2.129
  for (const TestVector& vector : vectors) {
    const auto acceptor = KeyPair::from_secret(vector["secret"]);
    ASSERT_TRUE(acceptor.has_value());
    EXPECT_EQ(to_hex(acceptor->public_key().bytes()), to_hex(vector["acceptor_public"])) << vector.name;
    const auto ephemeral = KeyPair::from_secret(vector["ephemeral"]);
    ASSERT_TRUE(ephemeral.has_value());
    EXPECT_EQ(to_hex(ephemeral->public_key().bytes()), to_hex(vector["ephemeral_public"])) << vector.name;
    std::array<std::uint8_t, kSharedSecretSize> shared{};
    ASSERT_TRUE(acceptor->agree(ephemeral->public_key(), shared));
    EXPECT_EQ(to_hex(shared), to_hex(vector["shared"])) << vector.name;

    std::array<std::uint8_t, 73> datagram{};
    ASSERT_TRUE(seal_intro(acceptor->public_key(), ephemeral->secret(), vector["plaintext"], datagram)) << vector.name;
    EXPECT_EQ(to_hex(datagram), to_hex(vector["datagram"])) << vector.name;
    std::array<std::uint8_t, 24> plaintext{};
    EXPECT_EQ(open_intro(*acceptor, vector["datagram"], plaintext), 24u) << vector.name;
    EXPECT_EQ(to_hex(plaintext), to_hex(vector["plaintext"])) << vector.name;
  }
}

TEST_F(IntroBox, OpensWhatItSealsAtEverySize) {
  for (std::size_t size = 0; size <= 300; ++size) {
    plaintext_.assign(size, 0);
    random_.fill(plaintext_);
    ephemeral_ = SecretKey::generate(random_);
    const auto datagram = sealed();
    std::vector<std::uint8_t> opened(size);
    ASSERT_EQ(open_intro(recipient_, datagram, opened), size);
    ASSERT_EQ(opened, plaintext_) << size;
  }
}

TEST_F(IntroBox, RefusesEveryChangedByte) {
  const auto datagram = sealed();
  for (std::size_t i = 0; i < datagram.size(); ++i) {
    // The top bit of the ephemeral key does not count (RFC 7748 section 5), so that another one is flipped.
    auto changed = datagram;
    changed[i] ^= 0x01;
    std::vector<std::uint8_t> opened(plaintext_.size(), 0xee);
    EXPECT_FALSE(open_intro(recipient_, changed, opened).has_value()) << i;
    EXPECT_NE(opened, plaintext_) << i;
  }
}

TEST_F(IntroBox, RefusesEveryTruncation) {
  const auto datagram = sealed();
  std::vector<std::uint8_t> opened(datagram.size());
  for (std::size_t size = 0; size < datagram.size(); ++size) {
    EXPECT_FALSE(open_intro(recipient_, ByteView(datagram).first(size), opened).has_value()) << size;
  }
}

TEST_F(IntroBox, OpensForItsRecipientOnly) {
  const auto datagram = sealed();
  const auto other = KeyPair::generate(random_);
  std::vector<std::uint8_t> opened(plaintext_.size());
  EXPECT_FALSE(open_intro(*other, datagram, opened).has_value());
}

TEST_F(IntroBox, RefusesToSealToAPointOfLowOrder) {
  std::vector<std::uint8_t> datagram(plaintext_.size() + kIntroOverhead);
  EXPECT_FALSE(seal_intro(PublicKey(), ephemeral_, plaintext_, datagram));
}

// Anybody can make such an intro for any recipient: the all-zero secret is known without knowing any key (W17).
TEST_F(IntroBox, RefusesAnIntroUnderTheAllZeroSecret) {
  std::vector<std::uint8_t> datagram(plaintext_.size() + kIntroOverhead, 0);
  datagram[0] = kIntroType;
  const std::array<std::uint8_t, kChachaKeySize> zero_key{};
  const std::array<std::uint8_t, kChachaNonceSize> zero_nonce{};
  ASSERT_TRUE(chacha20_poly1305_seal(zero_key, zero_nonce, {}, plaintext_, datagram.data() + 33));
  std::vector<std::uint8_t> opened(plaintext_.size());
  EXPECT_FALSE(open_intro(recipient_, datagram, opened).has_value());
}

}  // namespace
}  // namespace godwit
