#include "transfer/file_name.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "wire/utf8.h"

namespace godwit {
namespace {

TEST(FileName, OrdinaryNamesAreAccepted) {
  for (const char* name :
       {"a", "report.pdf", ".hidden", "with space", "größe.txt", "日本語", "-rf", "a..b", "...", "~", "$(x)"}) {
    EXPECT_FALSE(refuse_file_name(name).has_value()) << name;
  }
  EXPECT_FALSE(refuse_file_name(std::string(255, 'x')).has_value());
}

TEST(FileName, HostileNamesAreRefused) {
  using namespace std::string_view_literals;
  for (const std::string_view name :
       {""sv, "."sv, ".."sv, "a/b"sv, "/etc/passwd"sv, "../../x"sv, "a\\b"sv, "a\0b"sv, "a\nb"sv, "\x1b[2J"sv, "\x7f"sv,
        "\xff\xfe"sv, "\xc3"sv, "a\xc2\x9b"sv, "\xc0\xaf"sv, "\xed\xa0\x80"sv}) {
    EXPECT_TRUE(refuse_file_name(name).has_value()) << to_hex(as_bytes(name));
  }
  EXPECT_TRUE(refuse_file_name(std::string(256, 'x')).has_value());
}

TEST(FileName, NumbersGoBeforeTheExtension) {
  EXPECT_EQ(numbered_file_name("report.pdf", 1), "report.1.pdf");
  EXPECT_EQ(numbered_file_name("a.tar.gz", 2), "a.tar.2.gz");
  EXPECT_EQ(numbered_file_name("plain", 3), "plain.3");
  EXPECT_EQ(numbered_file_name(".hidden", 4), ".hidden.4");
}

TEST(FileName, MadeNamesAreShortEnoughAndWholeCharacters) {
  std::string name;
  while (name.size() + 3 <= kMaxFileName) name += "日";
  EXPECT_LE(numbered_file_name(name, 9999).size(), kMaxFileName);
  EXPECT_FALSE(refuse_file_name(numbered_file_name(name, 9999)).has_value());
  EXPECT_LE(partial_file_name(name, "abcdef").size(), kMaxFileName);
  EXPECT_FALSE(refuse_file_name(partial_file_name(name, "abcdef")).has_value());
  EXPECT_EQ(partial_file_name("x.bin", "abcdef"), ".x.bin.abcdef.part");
}

}  // namespace
}  // namespace godwit
