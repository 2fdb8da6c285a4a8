#include "base/keyed_hash.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>

namespace godwit {
namespace {

// An independent, plain transcription of the reference loop, with its rounds as parameters: SipHash-2-4 has a published
// vector, and SipHash-1-3 differs from it in the counts alone.
std::uint64_t reference(int compression, int finalization, std::uint64_t k0, std::uint64_t k1, ByteView in) {
  std::array<std::uint64_t, 4> v = {0x736f6d6570736575ULL ^ k0, 0x646f72616e646f6dULL ^ k1, 0x6c7967656e657261ULL ^ k0,
                                    0x7465646279746573ULL ^ k1};
  const auto rotate = [](std::uint64_t x, int b) { return (x << b) | (x >> (64 - b)); };
  const auto rounds = [&](int count) {
    for (int i = 0; i < count; ++i) {
      v[0] += v[1];
      v[1] = rotate(v[1], 13);
      v[1] ^= v[0];
      v[0] = rotate(v[0], 32);
      v[2] += v[3];
      v[3] = rotate(v[3], 16);
      v[3] ^= v[2];
      v[0] += v[3];
      v[3] = rotate(v[3], 21);
      v[3] ^= v[0];
      v[2] += v[1];
      v[1] = rotate(v[1], 17);
      v[1] ^= v[2];
      v[2] = rotate(v[2], 32);
    }
  };
  const std::size_t whole = in.size() / 8 * 8;
  std::uint64_t last = static_cast<std::uint64_t>(in.size()) << 56;
  for (std::size_t i = 0; i <= whole; i += 8) {
    std::uint64_t word = 0;
    if (i < whole) {
      for (std::size_t j = 0; j < 8; ++j) word |= static_cast<std::uint64_t>(in[i + j]) << (8 * j);
    } else {
      for (std::size_t j = 0; i + j < in.size(); ++j) last |= static_cast<std::uint64_t>(in[i + j]) << (8 * j);
      word = last;
    }
    v[3] ^= word;
    rounds(compression);
    v[0] ^= word;
  }
  v[2] ^= 0xff;
  rounds(finalization);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}

constexpr std::uint64_t kK0 = 0x0706050403020100;
constexpr std::uint64_t kK1 = 0x0f0e0d0c0b0a0908;

std::array<std::uint8_t, 64> counting() {
  std::array<std::uint8_t, 64> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i);
  return bytes;
}

TEST(KeyedHash, AgreesWithAReferenceThatReproducesThePublishedVector) {
  const auto bytes = counting();
  // Appendix A of the SipHash paper: 15 bytes, key 00 … 0f.
  ASSERT_EQ(reference(2, 4, kK0, kK1, ByteView(bytes).first(15)), 0xa129ca6149be45e5u);
  const HashKey key(kK0, kK1);
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    const ByteView view = ByteView(bytes).first(size);
    EXPECT_EQ(key.hash(view), reference(1, 3, kK0, kK1, view)) << size;
  }
}

TEST(KeyedHash, DependsOnTheKey) {
  const auto bytes = counting();
  DeterministicRandom random(1);
  EXPECT_NE(HashKey(random).hash(bytes), HashKey(random).hash(bytes));
}

}  // namespace
}  // namespace godwit
