#include "support/text_file.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace godwit::measure {
namespace {

TEST(TextFile, WhatIsWrittenIsRead) {
  const std::string path = testing::TempDir() + "godwit_text_file_read";
  const std::string content(200'000, 'x');
  ASSERT_TRUE(write_text_file(path, content).has_value());
  const auto read = read_text_file(path);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(*read, content);
  std::filesystem::remove(path);
}

TEST(TextFile, APieceThatIsLostIsToldAtTheEnd) {
  TextFileWriter full("/dev/full");
  for (int i = 0; i < 100; ++i) full.append(std::string(1000, 'x'));
  const Status closed = full.close();
  ASSERT_FALSE(closed.has_value());
  EXPECT_EQ(closed.error().message, "cannot write /dev/full: No space left on device");
  const std::string path = testing::TempDir() + "godwit_text_file_pieces";
  TextFileWriter pieces(path);
  pieces.append("one, ");
  pieces.append("two");
  EXPECT_TRUE(pieces.close().has_value());
  EXPECT_EQ(read_text_file(path).value_or(""), "one, two");
  std::filesystem::remove(path);
}

TEST(TextFile, ErrorsNameTheirCause) {
  const auto nothing = read_text_file("/no/such/file");
  ASSERT_FALSE(nothing.has_value());
  EXPECT_EQ(nothing.error().message, "cannot read /no/such/file: No such file or directory");
  const auto folder = read_text_file("/");
  ASSERT_FALSE(folder.has_value());
  EXPECT_EQ(folder.error().message, "cannot read /: Is a directory");
  const auto full = write_text_file("/dev/full", "x");
  ASSERT_FALSE(full.has_value());
  EXPECT_EQ(full.error().message, "cannot write /dev/full: No space left on device");
  EXPECT_EQ(write_text_file("/no/such/file", "").error().message,
            "cannot write /no/such/file: No such file or directory");
}

}  // namespace
}  // namespace godwit::measure
