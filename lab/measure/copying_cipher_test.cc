#include "measure/copying_cipher.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/random.h"
#include "crypto/cipher_test_support.h"

namespace godwit {
namespace {

using Bytes = std::vector<std::uint8_t>;

class CopyingCipher : public testing::TestWithParam<CipherKind> {};

INSTANTIATE_TEST_SUITE_P(EachCipher, CopyingCipher, testing::ValuesIn(available_kinds()), cipher_test_name);

TEST_P(CopyingCipher, MakesTheSamePacketsWithABufferForEachStep) {
  DeterministicRandom random(static_cast<std::uint64_t>(GetParam()) + 100);
  const SymmetricKey key = SymmetricKey::generate(random);
  const auto cipher = make_packet_cipher(GetParam(), key);
  const auto copying = make_copying_cipher(make_packet_cipher(GetParam(), key));
  EXPECT_EQ(copying->kind(), GetParam());
  for (const std::size_t size : {1UL, 40UL, 1130UL, 17UL}) {
    const Bytes head = random_bytes(random, 40);
    const Bytes body = random_bytes(random, size);
    const Bytes tail = random_bytes(random, 1);
    Nonce nonce;
    random.fill(nonce.bytes);
    Bytes sealed(head.size() + size + tail.size() + kTagSize);
    Bytes other = sealed;
    cipher->seal_pieces(nonce, head, body, tail, sealed.data());
    copying->seal_pieces(nonce, head, body, tail, other.data());
    ASSERT_EQ(sealed, other);
    copying->release_key_schedule();
    ASSERT_TRUE(copying->open(nonce, other, other.data())) << "in place";
    EXPECT_TRUE(std::ranges::equal(ByteView(other).subspan(head.size(), size), body));
    sealed.back() ^= 1;
    EXPECT_FALSE(copying->open(nonce, sealed, sealed.data()));
  }
}

}  // namespace
}  // namespace godwit
