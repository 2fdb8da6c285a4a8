#include "wire/utf8.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace godwit::wire {
namespace {

// RFC 3629 section 3, forwards: the one encoding of a code point; empty for a surrogate or anything above U+10FFFF.
std::vector<std::uint8_t> encoding_of(std::uint32_t point) {
  const auto byte = [](std::uint32_t value) { return static_cast<std::uint8_t>(value); };
  const auto tail = [&](std::uint32_t shift) { return byte(0x80 | (point >> shift & 0x3f)); };
  if (point < 0x80) return {byte(point)};
  if (point < 0x800) return {byte(0xc0 | point >> 6), tail(0)};
  if (point >= 0xd800 && point < 0xe000) return {};
  if (point < 0x10000) return {byte(0xe0 | point >> 12), tail(6), tail(0)};
  if (point < 0x110000) return {byte(0xf0 | point >> 18), tail(12), tail(6), tail(0)};
  return {};
}

TEST(Utf8, CutsBetweenCharacters) {
  // One, two, three and four bytes.
  const std::string_view text = "a\u0436\u3042\U0001f600z";
  const std::size_t ends[] = {0, 1, 3, 6, 10, 11};
  for (std::size_t bytes = 0; bytes <= text.size() + 1; ++bytes) {
    std::size_t expected = 0;
    for (const std::size_t end : ends) expected = end <= bytes ? end : expected;
    EXPECT_EQ(cut_utf8(text, bytes), text.substr(0, expected)) << bytes;
  }
  // What is no UTF-8 has no characters to keep whole.
  EXPECT_EQ(cut_utf8("\x80\x80\x80\x80\x80\x80", 5).size(), 5U);
  EXPECT_EQ(cut_utf8("\xff\xff\xff", 2).size(), 2U);
}

TEST(Utf8, ReplacesWhatIsNone) {
  EXPECT_EQ(with_valid_utf8("caf\xe9 \u0436\xd0"), "caf? \u0436?");
  EXPECT_EQ(with_valid_utf8(""), "");
  DeterministicRandom random(3);
  for (int i = 0; i < 1000; ++i) {
    std::vector<std::uint8_t> bytes(random.below(40));
    random.fill(bytes);
    const std::string text = with_valid_utf8({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    EXPECT_TRUE(is_valid_utf8(as_bytes(text)));
    EXPECT_EQ(text.size(), bytes.size());
  }
}

TEST(Utf8, AcceptsTheEncodingOfEveryCodePointAndItsTruncationsNever) {
  for (std::uint32_t point = 0; point < 0x110000; ++point) {
    const auto bytes = encoding_of(point);
    ASSERT_TRUE(is_valid_utf8(bytes)) << std::hex << point;
    for (std::size_t size = 1; size < bytes.size(); ++size) {
      ASSERT_FALSE(is_valid_utf8(ByteView(bytes).first(size))) << std::hex << point;
    }
  }
}

// The accepted sequences of each length are counted: as many as there are code points of that length, so nothing but
// their encodings is accepted.
TEST(Utf8, AcceptsNoOtherSequenceOfUpToThreeBytes) {
  std::array<std::uint8_t, 3> bytes{};
  std::uint32_t accepted_one = 0;
  std::uint32_t accepted_two = 0;
  std::uint32_t accepted_three = 0;
  for (unsigned first = 0; first < 256; ++first) {
    bytes[0] = static_cast<std::uint8_t>(first);
    accepted_one += is_valid_utf8(ByteView(bytes).first(1)) ? 1U : 0U;
    if (first < 0x80) continue;
    for (unsigned second = 0; second < 256; ++second) {
      bytes[1] = static_cast<std::uint8_t>(second);
      const bool two = is_valid_utf8(ByteView(bytes).first(2));
      accepted_two += two ? 1U : 0U;
      if (two) continue;
      for (unsigned third = 0; third < 256; ++third) {
        bytes[2] = static_cast<std::uint8_t>(third);
        accepted_three += is_valid_utf8(bytes) ? 1U : 0U;
      }
    }
  }
  EXPECT_EQ(accepted_one, 0x80U);
  EXPECT_EQ(accepted_two, 0x800U - 0x80U);
  EXPECT_EQ(accepted_three, 0x10000U - 0x800U - 0x800U);
}

TEST(Utf8, RefusesFourByteFormsThatAreOverlongOrBeyondUnicode) {
  for (const std::string_view text : {"\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
                                      "\xf8\x88\x80\x80\x80", "\xf0\x9f\x90", "\xf0\x9f\x90\x41", "\xff", "ok\x80"}) {
    EXPECT_FALSE(is_valid_utf8(as_bytes(text)));
  }
  EXPECT_TRUE(is_valid_utf8(as_bytes("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")));
}

TEST(Utf8, AcceptsTheEmptyTextAndTextsWithNul) {
  EXPECT_TRUE(is_valid_utf8(ByteView{}));
  EXPECT_TRUE(is_valid_utf8(as_bytes(std::string_view("a\0b", 3))));
}

}  // namespace
}  // namespace godwit::wire
