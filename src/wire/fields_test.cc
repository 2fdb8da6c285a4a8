#include "wire/fields.h"

#include <gtest/gtest.h>

#include <string>

namespace godwit::wire {
namespace {

constexpr std::array<std::uint8_t, 2> kMagic = {7, 8};

TEST(Fields, AreReadAsTheyWereWritten) {
  const std::array<std::uint8_t, 3> raw = {1, 2, 3};
  const auto bytes = FieldWriter(kMagic).number(std::uint32_t{0x01020304}).text("words", 100).bytes(raw).take();
  EXPECT_EQ(bytes, (std::vector<std::uint8_t>{7, 8, 4, 3, 2, 1, 5, 0, 'w', 'o', 'r', 'd', 's', 1, 2, 3}));
  FieldReader in(ByteView(bytes).subspan(kMagic.size()));
  EXPECT_EQ(in.number<std::uint32_t>(), 0x01020304U);
  EXPECT_EQ(in.text(), "words");
  EXPECT_EQ(in.array<3>(), raw);
  EXPECT_EQ(in.optional_number<std::uint64_t>(), 0U) << "nothing is left";
  EXPECT_TRUE(in.complete()) << "what is optional may be missing";
}

TEST(Fields, EndWithTheFirstThatIsMissing) {
  const auto whole = FieldWriter({}).number(std::uint16_t{9}).text("abc", 100).number(std::uint8_t{5}).take();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    FieldReader in(ByteView(whole).first(size));
    static_cast<void>(in.number<std::uint16_t>());
    static_cast<void>(in.text());
    EXPECT_EQ(in.number<std::uint8_t>(), 0U) << size;
    EXPECT_FALSE(in.complete()) << size;
    EXPECT_EQ(in.left(), 0U) << size;
  }
}

TEST(Fields, CutTextsBetweenCharacters) {
  const std::string text = "a\xc3\xa9";  // one byte, and one of two
  const auto bytes = FieldWriter({}).text(text, 2).take();
  EXPECT_EQ(FieldReader(bytes).text(), "a");
}

}  // namespace
}  // namespace godwit::wire
