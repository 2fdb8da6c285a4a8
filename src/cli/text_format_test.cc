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
  EXPECT_EQ(escaped_text("one\ntwo\t\\ \x1b[31m"), "one\\ntwo\\t\\\\ \\x1b[31m");
  EXPECT_EQ(escaped_text("Привет"), "Привет");
  EXPECT_EQ(escaped_text("\xff\xc2\x9b"), "\\xff\\xc2\\x9b");
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
