#include "transfer/folder_listing.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <set>

#include "transfer/file_test_support.h"

namespace godwit::folder_listing_test {
namespace {

TEST(FolderListing, FindsFilesAndFoldersAndSaysWhatIsNeither) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "a/inner");
  std::filesystem::create_directories(folder / "empty");
  write_file(folder / "a/inner/deep", random_bytes(5));
  write_file(folder / "b", random_bytes(7));
  std::filesystem::create_symlink("b", folder / "link");
  std::filesystem::create_directory_symlink("a", folder / "linked folder");
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  const auto listing = list_folder(folder.path());
  ASSERT_TRUE(listing.has_value());
  ASSERT_EQ(listing->files.size(), 2U);
  EXPECT_EQ(listing->files[0].below, "a/inner/deep");
  EXPECT_EQ(listing->files[1].size, 7U);
  // Each behind those that are in it.
  ASSERT_EQ(listing->folders.size(), 4U);
  EXPECT_EQ(listing->folders[0].below, "a/inner");
  EXPECT_EQ(listing->folders[1].below, "a");
  EXPECT_EQ(listing->folders[2].below, "empty");
  EXPECT_TRUE(listing->folders[2].empty);
  EXPECT_EQ(listing->folders[3].below, "");
  EXPECT_FALSE(listing->folders[3].empty);
  std::set<std::string> problems;
  for (const auto& problem : listing->problems) problems.insert(problem.why);
  const std::string in = "'" + folder.path().string() + "/";
  EXPECT_EQ(problems, (std::set<std::string>{in + "link' is a symbolic link: not sent",
                                             in + "linked folder' is a symbolic link: not sent",
                                             in + "pipe' is a named pipe: not sent"}));
}

TEST(FolderListing, AFolderIsCalledByItsOwnName) {
  EXPECT_EQ(name_of_folder("a/b"), "b");
  EXPECT_EQ(name_of_folder("a/b/"), "b");
  EXPECT_EQ(name_of_folder("a/b/."), "b");
  EXPECT_EQ(name_of_folder("."), std::filesystem::current_path().filename());
  EXPECT_EQ(name_of_folder("/"), "");
}

TEST(FolderListing, WhatCannotBeReadIsAnErrorAndWhatIsTooDeepAProblem) {
  const TemporaryFolder folder;
  EXPECT_NE(list_folder(folder / "missing").error().message.find("No such file"), std::string::npos);
  std::filesystem::path deep = folder.path();
  for (int i = 0; i < 70; ++i) deep /= "d";
  std::filesystem::create_directories(deep);
  const auto listing = list_folder(folder.path());
  ASSERT_TRUE(listing.has_value());
  ASSERT_EQ(listing->problems.size(), 1U);
  EXPECT_NE(listing->problems[0].why.find("too deep"), std::string::npos);
}

TEST(FolderListing, AFolderThatChangesIsNoticed) {
  const TemporaryFolder folder;
  const auto listing = list_folder(folder.path());
  ASSERT_TRUE(listing.has_value());
  const FileAttributes before = listing->folders.back().attributes;
  EXPECT_FALSE(folder_change(folder.path(), before).has_value());
  std::filesystem::last_write_time(folder.path(), std::filesystem::file_time_type{} + std::chrono::hours(1));
  EXPECT_NE(folder_change(folder.path(), before).value_or("").find("changed while"), std::string::npos);
  EXPECT_TRUE(folder_change(folder / "missing", before).has_value());
}

}  // namespace
}  // namespace godwit::folder_listing_test
