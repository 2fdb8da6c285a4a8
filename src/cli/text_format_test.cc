#include "cli/text_format.h"

#include <gtest/gtest.h>

#include "cli/progress_bar.h"
#include "support/text_width.h"

namespace godwit::cli {
namespace {

TEST(TextFormat, PrintableTextKeepsWhatPrintsAndCutsBetweenCharacters) {
  EXPECT_EQ(printable_text("a\nb\x1b[31m\x7f"), "a?b?[31m?");
  EXPECT_EQ(printable_text("\xc2\x9b"), "?");                // a C1 control character
  EXPECT_EQ(printable_text("a\u202Egpj.exe"), "a?gpj.exe");  // shown from right to left otherwise
  EXPECT_EQ(printable_text("Отчёт\xff.txt"), "Отчёт?.txt");  // one bad byte does not take the others along
  EXPECT_EQ(printable_text("Очень длинное имя файла", 10), "Очень дли…");
}

TEST(TextFormat, EscapedTextLosesNothing) {
  EXPECT_EQ(escape_text("one\ntwo\t\\ \x1b[31m", 100).text, "one\\ntwo\\t\\\\ \\x1b[31m");
  EXPECT_EQ(escape_text("Привет", 100).text, "Привет");
  EXPECT_EQ(escape_text("\xff\xc2\x9b", 100).text, "\\xff\\xc2\\x9b");
}

TEST(TextFormat, EscapedTextIsCutBetweenCharactersAndTellsHowMuchIsMissing) {
  const EscapedText all = escape_text("Привет", 12);
  EXPECT_EQ(all.text, "Привет");
  EXPECT_EQ(all.left_out, 0U);
  const EscapedText cut = escape_text("Привет", 11);
  EXPECT_EQ(cut.text, "Приве");
  EXPECT_EQ(cut.left_out, 2U);
  // What an escape makes longer is cut by its length on the screen, and never inside the escape.
  const EscapedText escaped = escape_text(std::string(1000, '\x01'), 10);
  EXPECT_EQ(escaped.text, "\\x01\\x01");
  EXPECT_EQ(escaped.left_out, 998U);
  EXPECT_EQ(escape_text("", 0).text, "");
}

TEST(TextFormat, AProgressBarFitsEveryWidth) {
  for (const std::string_view name :
       {"data.bin", "Очень длинное имя файла по-русски.txt", "日本語の長い名前.txt", "x"}) {
    for (std::size_t columns = 0; columns <= 140; ++columns) {
      const std::string line = draw_progress(
          {.name = name, .done = 123'456'789, .total = 987'654'321, .bytes_per_second = 1.25e8}, columns, false);
      EXPECT_LE(report::display_width(line), columns) << line;
      if (columns >= 5) {
        EXPECT_NE(line.find("12 %"), std::string::npos) << columns << ": " << line;
      }
    }
  }
}

}  // namespace
}  // namespace godwit::cli
