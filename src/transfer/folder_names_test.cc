#include "transfer/folder_names.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "transfer/file_test_support.h"

namespace godwit {
namespace {

class FolderNamesTest : public ::testing::Test {
 protected:
  FolderNamesTest() : descriptor_(::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}
  ~FolderNamesTest() override { ::close(descriptor_); }

  TemporaryFolder folder_;
  int descriptor_;
};

TEST_F(FolderNamesTest, AFreeNameIsGivenOnceUntilItIsReleased) {
  FolderNames names(descriptor_);
  EXPECT_EQ(names.reserve("a.txt"), "a.txt");
  EXPECT_EQ(names.reserve("a.txt"), "a.1.txt");
  names.release("a.txt");
  EXPECT_EQ(names.reserve("a.txt"), "a.txt");
}

TEST_F(FolderNamesTest, WhatTheFolderHasIsTaken) {
  write_file(folder_ / "a", random_bytes(1));
  std::filesystem::create_symlink("/nowhere", folder_ / "a.1");
  std::filesystem::create_directory(folder_ / "a.2");
  FolderNames names(descriptor_);
  EXPECT_EQ(names.reserve("a"), "a.3");
  EXPECT_EQ(names.reserve("a"), "a.4");
}

TEST_F(FolderNamesTest, ANameUsedThousandsOfTimesCostsAFewLookups) {
  FolderNames names(descriptor_);
  for (int i = 0; i < 20'000; ++i) static_cast<void>(names.reserve("report.pdf"));
  EXPECT_EQ(names.reserve("report.pdf"), "report.20000.pdf");
  EXPECT_LT(names.lookups(), 3U * 20'001);
}

TEST_F(FolderNamesTest, ManyFilesOfAnEarlierProcessCostLogarithmicallyManyLookups) {
  write_file(folder_ / "a", {});
  for (int i = 1; i < 5000; ++i) write_file(folder_ / ("a." + std::to_string(i)), {});
  FolderNames names(descriptor_);
  EXPECT_EQ(names.reserve("a"), "a.5000");
  EXPECT_LT(names.lookups(), 40U);
}

TEST_F(FolderNamesTest, AFolderThatCannotBeLookedIntoIsNotSearchedForEver) {
  FolderNames lost(-1);
  EXPECT_EQ(lost.reserve("a"), "a");
  EXPECT_EQ(lost.reserve("a"), "a.1");
}

TEST_F(FolderNamesTest, NumbersThatWereFreedAreNoObstacle) {
  write_file(folder_ / "a", {});
  for (const int i : {1, 2, 4, 5, 9}) write_file(folder_ / ("a." + std::to_string(i)), {});
  FolderNames names(descriptor_);
  for (int i = 0; i < 20; ++i) {
    const std::string name = names.reserve("a");
    EXPECT_FALSE(std::filesystem::exists(folder_ / name)) << name;
  }
}

}  // namespace
}  // namespace godwit
