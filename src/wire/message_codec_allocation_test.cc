// Counts every allocation of this test program, to prove that neither direction of the codec makes one.
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

#include "wire/intro.h"
#include "wire/message_codec.h"
#include "wire/wire_test_support.h"

namespace {
std::size_t allocations = 0;

void* counted(std::size_t size) {
  ++allocations;
  if (void* const memory = std::malloc(size == 0 ? 1 : size)) return memory;
  std::abort();
}
}  // namespace

void* operator new(std::size_t size) {
  return counted(size);
}
void* operator new[](std::size_t size) {
  return counted(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace godwit::wire {
namespace {

TEST(MessageCodec, AllocatesNothingInEitherDirection) {
  test::PacketGenerator generator(31);
  std::array<std::uint8_t, kMaxPlaintext> out{};
  for (std::size_t kind = 0; kind < test::PacketGenerator::kKinds; ++kind) {
    for (int round = 0; round < 100; ++round) {
      const Receipts receipts = generator.receipts();
      const Message message = generator.message(kind);

      const std::size_t before = allocations;
      const std::size_t size = encode(out, 1, receipts, message);
      const ByteView plaintext = ByteView(out).first(size);
      const bool whole = decode(plaintext).has_value();
      const bool cut = decode(plaintext.first(size - 1)).has_value();
      const bool quick = peek_fragment(plaintext).has_value();
      const bool intro = decode_intro_plaintext(plaintext).has_value();
      const std::size_t after = allocations;

      EXPECT_EQ(after, before) << kind;
      EXPECT_TRUE(whole);
      EXPECT_FALSE(cut);
      EXPECT_EQ(intro, size >= kIntroPlaintext);
      EXPECT_TRUE(!quick || kind == 4);
    }
  }
}

TEST(MessageCodec, TheCounterOfThisTestCounts) {
  const std::size_t before = allocations;
  delete ::new int(1);
  EXPECT_GE(allocations, before);
  const test::Bytes bytes(100);
  EXPECT_GT(allocations, before);
}

}  // namespace
}  // namespace godwit::wire
