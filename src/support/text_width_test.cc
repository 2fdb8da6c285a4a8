#include "support/text_width.h"

#include <gtest/gtest.h>

namespace godwit::report {
namespace {

TEST(TextWidth, CountsColumnsNotBytesOrCharacters) {
  EXPECT_EQ(display_width(""), 0U);
  EXPECT_EQ(display_width("µs – x"), 6U);
  EXPECT_EQ(display_width("Отчёт"), 5U);
  EXPECT_EQ(display_width("日本語"), 6U);
  EXPECT_EQ(display_width("e\u0301a\u0308"), 2U);      // combining accents
  EXPECT_EQ(display_width("\U0001F680"), 2U);          // an emoji
  EXPECT_EQ(display_width("a\u200Bb"), 2U);            // a zero-width space
  EXPECT_EQ(display_width("\u1112\u1161\u11AB"), 2U);  // conjoining Hangul: one syllable
}

TEST(TextWidth, BytesThatAreNoUtf8TakeAColumnEach) {
  for (const std::string_view broken : {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\x80"}) {
    EXPECT_EQ(display_width(broken), broken.size());
    EXPECT_FALSE(first_character(broken).valid);
  }
}

TEST(TextWidth, CutsAtEveryWidthWithoutSplittingACharacter) {
  const std::string texts[] = {"plain text", "Длинное имя файла", "日本語の名前", "e\u0301e\u0301e\u0301e\u0301",
                               "\U0001F680\U0001F680x\U0001F680"};
  for (const std::string& text : texts) {
    for (std::size_t columns = 0; columns <= display_width(text) + 1; ++columns) {
      const std::string cut = cut_to_columns(text, columns);
      EXPECT_LE(display_width(cut), columns) << text;
      for (std::string_view rest = cut; !rest.empty(); rest.remove_prefix(first_character(rest).bytes)) {
        EXPECT_TRUE(first_character(rest).valid) << cut;
      }
      if (columns >= display_width(text)) {
        EXPECT_EQ(cut, text);
      }
    }
  }
  EXPECT_EQ(cut_to_columns("Отчёт", 4), "Отч…");
  EXPECT_EQ(cut_to_columns("日本語", 4), "日…");
  EXPECT_EQ(cut_to_columns("e\u0301e\u0301e\u0301", 2), "e\u0301…");
}

}  // namespace
}  // namespace godwit::report
