#include "transfer/file_name.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/random.h"
#include "wire/utf8.h"

namespace godwit {
namespace {

TEST(FileName, OrdinaryNamesStayAsTheyAre) {
  for (const char* name : {"a", "report.pdf", "with space", "größe.txt", "日本語", "a..b", "a-b", "~", "$(x)", "100%",
                           "CONSOLE", "COM10", "com", "no.con", "❤️.png"}) {
    EXPECT_FALSE(refuse_file_name(name).has_value()) << name;
    EXPECT_EQ(acceptable_file_name(name), name);
  }
  EXPECT_EQ(acceptable_file_name(std::string(255, 'x')), std::string(255, 'x'));
}

TEST(FileName, EachWrongCharacterIsEncoded) {
  using namespace std::string_view_literals;
  const std::pair<std::string_view, std::string_view> cases[] = {
      {".bash_login", "%2Ebash_login"},
      {".ssh", "%2Essh"},
      {"-rf", "%2Drf"},
      {"", "_"},
      {".", "%2E"},
      {"..", "%2E%2E"},
      {"...", "%2E%2E%2E"},
      {"a.", "a%2E"},
      {"a. .", "a%2E%20%2E"},
      {"a ", "a%20"},
      {" a", "%20a"},
      {" .a", "%20.a"},
      {"a\u00a0", "a%C2%A0"},
      {"a\u3000", "a%E3%80%80"},
      {"photo\u202egpj.exe", "photo%E2%80%AEgpj.exe"},
      {"a\u200bb", "a%E2%80%8Bb"},
      {"a\u2066b", "a%E2%81%A6b"},
      {"a\ufeffb", "a%EF%BB%BFb"},
      {"a\u061cb", "a%D8%9Cb"},
      {"a\u00adb", "a%C2%ADb"},
      {"a\u3164b", "a%E3%85%A4b"},
      {"a\U000e0041b", "a%F3%A0%81%81b"},
      {"a\u2028b", "a%E2%80%A8b"},
      {"caf\xe9.txt", "caf%E9.txt"},
      {"a/b", "a%2Fb"},
      {"<>:\"|?*\\", "%3C%3E%3A%22%7C%3F%2A%5C"},
      {"a\0b"sv, "a%00b"},
      {"a\x1b[2J", "a%1B[2J"},
      {"a\u009bb", "a%C2%9Bb"},
      {"CON", "_CON"},
      {"nul.txt", "_nul.txt"},
      {"Com1.tar.gz", "_Com1.tar.gz"},
      {"LPT\u00b2", "_LPT\u00b2"},
      {"aux .c", "_aux .c"},
  };
  for (const auto& [name, expected] : cases) EXPECT_EQ(acceptable_file_name(name), expected) << to_hex(as_bytes(name));
}

// The property behind the examples: whatever bytes a name is made of, the result is accepted and stays as it is.
TEST(FileName, WhateverTheBytesTheResultIsAcceptable) {
  DeterministicRandom random(9);
  constexpr std::string_view kPieces[] = {".", "-",      " ",  "a", "CON", "\u202e", "\xff",
                                          "%", "\u3000", "日", "/", "\\",  "\n"};
  for (int round = 0; round < 20'000; ++round) {
    std::string name;
    const std::size_t pieces = random.below(round % 50 == 0 ? 400 : 8);
    for (std::size_t i = 0; i < pieces; ++i) {
      if (random.below(4) == 0) {
        name += static_cast<char>(random.below(256));
      } else {
        name += kPieces[random.below(std::size(kPieces))];
      }
    }
    const std::string accepted = acceptable_file_name(name);
    ASSERT_FALSE(refuse_file_name(accepted).has_value()) << to_hex(as_bytes(name));
    ASSERT_EQ(acceptable_file_name(accepted), accepted) << to_hex(as_bytes(name));
    ASSERT_NE(accepted.front(), '.');
    ASSERT_NE(accepted.front(), '-');
    ASSERT_NE(accepted.back(), '.');
    ASSERT_NE(accepted.back(), ' ');
  }
}

TEST(FileName, ALongNameKeepsItsEnding) {
  const std::string accepted = acceptable_file_name(std::string(300, 'x') + ".tar.gz");
  EXPECT_EQ(accepted.size(), kMaxFileName);
  EXPECT_TRUE(accepted.ends_with(".gz"));
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

TEST(FileName, EachNameOfAPathFollowsTheRule) {
  EXPECT_EQ(names_of_path("a/b/"), (std::vector<std::string_view>{"a", "b"}));
  EXPECT_EQ(names_of_path("a//b"), (std::vector<std::string_view>{"a", "", "b"}));
  for (const std::string_view path : {"a/b", "a/", "a/b/", "a/.b/c d"}) {
    EXPECT_FALSE(refuse_file_path(path).has_value()) << path;
  }
  for (const std::string_view path : {"", "a", "/a", "a//b", "a/..", "../a", "a/./b", "a/b//", "a/b\\c", "a/\xff"}) {
    EXPECT_TRUE(refuse_file_path(path).has_value()) << path;
  }
  EXPECT_EQ(acceptable_file_path("a/.git/nul/x:y"), "a/%2Egit/_nul/x%3Ay");
  EXPECT_EQ(acceptable_file_path("../a/"), "%2E%2E/a/");
  EXPECT_FALSE(refuse_file_path(acceptable_file_path("../\xff//b/")).has_value());
}

TEST(FileName, NumbersGoBeforeTheExtension) {
  EXPECT_EQ(numbered_file_name("report.pdf", 1), "report.1.pdf");
  EXPECT_EQ(numbered_file_name("a.tar.gz", 2), "a.tar.2.gz");
  EXPECT_EQ(numbered_file_name("plain", 3), "plain.3");
  EXPECT_EQ(numbered_file_name("plain", UINT64_MAX), "plain.18446744073709551615");
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
