#include "measure/system_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "measure/fake_files.h"

namespace godwit::measure {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(SystemFiles, TellsAnAbsentFileFromAnEmptyOne) {
  FakeFiles fake;
  fake.write("/proc/empty", "");
  const SystemFiles files = fake.files();
  EXPECT_EQ(files.read("/proc/empty"), "");
  EXPECT_EQ(files.read("/proc/absent"), std::nullopt);
  EXPECT_TRUE(files.exists("/proc/empty"));
  EXPECT_FALSE(files.exists("/proc/absent"));
  EXPECT_FALSE(files.is_real());
  EXPECT_TRUE(SystemFiles().is_real());
}

TEST(SystemFiles, ReadsNumbersAndFolders) {
  FakeFiles fake;
  fake.write("/sys/number", " 42\n");
  fake.write("/sys/words", "performance\n");
  const SystemFiles files = fake.files();
  EXPECT_EQ(files.read_number("/sys/number"), 42);
  EXPECT_EQ(files.read_number("/sys/words"), std::nullopt);
  EXPECT_EQ(files.read_line("/sys/words"), "performance");
  EXPECT_THAT(files.list("/sys"), ElementsAre("number", "words"));
  EXPECT_THAT(files.list("/nowhere"), IsEmpty());
}

TEST(SystemFiles, ReadingAFolderIsAbsence) {
  FakeFiles fake;
  fake.write("/sys/folder/file", "x");
  EXPECT_EQ(fake.files().read("/sys/folder"), std::nullopt);
}

TEST(SystemFiles, SplitsTheTablesOfTheKernel) {
  EXPECT_THAT(split_words("  a\tb \n c"), ElementsAre("a", "b", "c"));
  EXPECT_THAT(split_words(" \t"), IsEmpty());
  EXPECT_THAT(split_lines("one\n\nthree"), ElementsAre("one", "", "three"));
  EXPECT_EQ(value_of("processor\t: 0\nmodel name\t: AMD EPYC: fast\n", "model name"), "AMD EPYC: fast");
  EXPECT_EQ(value_of("model names: x\n", "model name"), std::nullopt);
  EXPECT_EQ(parse_integer("12x"), std::nullopt);
  EXPECT_EQ(parse_integer("-7"), -7);
  EXPECT_EQ(parse_integer(""), std::nullopt);
}

}  // namespace
}  // namespace godwit::measure
