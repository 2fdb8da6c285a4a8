#include "wire/printable.h"

#include <gtest/gtest.h>

namespace godwit {
namespace {

TEST(Printable, LeavesPlainWordsAlone) {
  EXPECT_EQ(printable("going away (code 7)"), "going away (code 7)");
}

TEST(Printable, DefusesControlCharactersAndBytesBeyondAscii) {
  EXPECT_EQ(printable("a\x1b[31mb\nc\x7f\xc3\xa9"), "a?[31mb?c???");
}

TEST(Printable, CutsLongTexts) {
  EXPECT_EQ(printable("abcdef", 3), "abc...");
}

}  // namespace
}  // namespace godwit
