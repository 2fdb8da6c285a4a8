// Counts every allocation of this test program, to prove that neither direction of the codec makes one.
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/counted_allocations_test_support.h"
#include "wire/intro.h"
#include "wire/message_codec.h"
#include "wire/wire_test_support.h"

namespace godwit::wire {
namespace {

TEST(MessageCodec, AllocatesNothingInEitherDirection) {
  test::PacketGenerator generator(31);
  std::array<std::uint8_t, kMaxPlaintext> out{};
  for (std::size_t kind = 0; kind < test::PacketGenerator::kKinds; ++kind) {
    for (int round = 0; round < 100; ++round) {
      const Acks acks = generator.acks();
      const Message message = generator.message(kind);

      const std::size_t before = allocation_counts.allocations.load();
      const std::size_t size = encode(out, 1, acks, message);
      const ByteView plaintext = ByteView(out).first(size);
      const bool whole = decode(plaintext).has_value();
      const bool cut = decode(plaintext.first(size - 1)).has_value();
      const bool quick = peek_fragment(plaintext).has_value();
      const bool intro = decode_intro_plaintext(plaintext).has_value();
      const std::size_t after = allocation_counts.allocations.load();

      EXPECT_EQ(after, before) << kind;
      EXPECT_TRUE(whole);
      EXPECT_FALSE(cut);
      EXPECT_EQ(intro, size >= kIntroPlaintext);
      EXPECT_TRUE(!quick || kind == 4);
    }
  }
}

TEST(MessageCodec, TheCounterOfThisTestCounts) {
  const std::size_t before = allocation_counts.allocations.load();
  delete ::new int(1);
  EXPECT_GE(allocation_counts.allocations.load(), before);
  const test::Bytes bytes(100);
  EXPECT_GT(allocation_counts.allocations.load(), before);
}

}  // namespace
}  // namespace godwit::wire
