#include "code/one_time_code.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "code/words.h"

namespace godwit::one_time_code_test {
namespace {

// Insertions, removals, replacements and swaps of neighbours (optimal string alignment).
std::size_t slips(std::string_view one, std::string_view other) {
  std::vector<std::vector<std::size_t>> cost(one.size() + 1, std::vector<std::size_t>(other.size() + 1));
  for (std::size_t i = 0; i <= one.size(); ++i) cost[i][0] = i;
  for (std::size_t j = 0; j <= other.size(); ++j) cost[0][j] = j;
  for (std::size_t i = 1; i <= one.size(); ++i) {
    for (std::size_t j = 1; j <= other.size(); ++j) {
      const std::size_t wrong = one[i - 1] == other[j - 1] ? 0 : 1;
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + wrong});
      if (i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[one.size()][other.size()];
}

TEST(WordList, NoTwoWordsAreOneSlipApartAndThreeLettersNameOne) {
  EXPECT_TRUE(std::ranges::is_sorted(kWordList));
  std::set<std::string_view> prefixes;
  for (std::size_t i = 0; i < kWords; ++i) {
    const std::string_view word = kWordList[i];
    EXPECT_TRUE(word.size() >= 4 && word.size() <= 7) << word;
    EXPECT_TRUE(std::ranges::all_of(word, [](char letter) { return letter >= 'a' && letter <= 'z'; })) << word;
    EXPECT_TRUE(prefixes.insert(word.substr(0, kWordPrefix)).second) << word;
    for (std::size_t j = 0; j < i; ++j) EXPECT_GE(slips(word, kWordList[j]), 2U) << word << " " << kWordList[j];
  }
}

TEST(OneTimeCode, ComesBackFromItsTextHoweverItIsTyped) {
  DeterministicRandom random(1);
  for (int i = 0; i < 200; ++i) {
    OneTimeCode code = OneTimeCode::make(random);
    code.nameplate = static_cast<std::uint32_t>(1 + random.below(OneTimeCode::kMaxNameplate));
    const auto again = OneTimeCode::parse(code.to_string());
    ASSERT_TRUE(again) << code.to_string();
    EXPECT_EQ(*again, code);
  }
  const OneTimeCode code = *OneTimeCode::parse("4711-tiger-museum-lotus");
  EXPECT_EQ(code.to_string(), "4711-tiger-museum-lotus");
  for (const char* const text : {"4711 TIGER Museum lotus", " 4711--tiger - museum-lotus ", "04711-tig-mus-lotu"}) {
    const auto parsed = OneTimeCode::parse(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(*parsed, code) << text;
  }
}

TEST(OneTimeCode, AMistypedWordIsFoundOutAndTheMeantOneNamed) {
  for (const char* const text :
       {"1-tigre-museum-lotus", "1-tigr-museum-lotus", "1-tiiger-museum-lotus", "1-figer-museum-lotus"}) {
    const auto parsed = OneTimeCode::parse(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_NE(parsed.error().message.find("did you mean 'tiger'"), std::string::npos) << parsed.error().message;
  }
  // Every slip in every word is found, unless it leaves the beginning of the word.
  for (const std::string_view word : kWordList) {
    for (std::size_t at = 0; at < word.size(); ++at) {
      std::string wrong(word);
      wrong[at] = wrong[at] == 'q' ? 'x' : 'q';
      EXPECT_FALSE(OneTimeCode::parse("1-" + wrong + "-tiger-tiger")) << wrong;
    }
  }
}

TEST(OneTimeCode, WhatIsNoneIsRefused) {
  for (const char* const text :
       {"", "-", "tiger-museum-lotus", "0-tiger-museum-lotus", "10000-tiger-museum-lotus", "1-tiger-museum",
        "1-tiger-museum-lotus-tiger", "1-ti-museum-lotus", "x-tiger-museum-lotus", "1x-tiger-museum-lotus",
        "1-tiger-museum-lotus!", "99999999999999-tiger-museum-lotus", "1-tigers-museum-lotus"}) {
    EXPECT_FALSE(OneTimeCode::parse(text)) << text;
  }
  EXPECT_FALSE(OneTimeCode::parse(std::string(1000, '1')));
}

}  // namespace
}  // namespace godwit::one_time_code_test
