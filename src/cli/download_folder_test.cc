#include "cli/download_folder.h"

#include <gtest/gtest.h>

namespace godwit::cli {
namespace {

TEST(DownloadFolder, IsReadFromTheUsersSettings) {
  EXPECT_EQ(download_folder_of("XDG_DOWNLOAD_DIR=\"$HOME/Got it\"\n", "/home/a"), "/home/a/Got it");
  EXPECT_EQ(download_folder_of("XDG_DOWNLOAD_DIR=\"/data/in\"", "/home/a"), "/data/in");
  EXPECT_EQ(download_folder_of("# XDG_DOWNLOAD_DIR=\"/no\"\n\n  XDG_DOWNLOAD_DIR=\"/yes\"\r\n", "/h"), "/yes");
  EXPECT_EQ(download_folder_of("XDG_DOWNLOAD_DIR=\"/a\"\nXDG_DOWNLOAD_DIR=\"/b\"\n", "/h"), "/b");
  EXPECT_EQ(download_folder_of("XDG_DOWNLOAD_DIR=\"$HOME/a \\\"b\\\"\"\n", "/h"), "/h/a \"b\"");
}

TEST(DownloadFolder, WhatIsNotAbsoluteIsNone) {
  for (const char* const text : {"", "\n\n", "XDG_DESKTOP_DIR=\"/a\"", "XDG_DOWNLOAD_DIR=\"relative\"",
                                 "XDG_DOWNLOAD_DIR=/unquoted", "XDG_DOWNLOAD_DIR=\"", "XDG_DOWNLOAD_DIR=\"\\"}) {
    EXPECT_EQ(download_folder_of(text, "/home/a"), "") << text;
  }
  EXPECT_EQ(download_folder_of("XDG_DOWNLOAD_DIR=\"$HOME/a\"", ""), "/a");
}

}  // namespace
}  // namespace godwit::cli
