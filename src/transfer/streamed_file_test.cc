#include "transfer/streamed_file.h"

#include <gtest/gtest.h>

#include "transfer/file_test_support.h"

namespace godwit::streamed_file_test {
namespace {

class StreamedFileTest : public ::testing::Test {
 protected:
  std::vector<std::uint8_t> taken_;
  StreamedFile::Output output_ = [this](ByteView bytes) -> Status {
    taken_.insert(taken_.end(), bytes.begin(), bytes.end());
    return {};
  };
};

TEST_F(StreamedFileTest, EachByteIsPassedOnOnceAndInItsTurn) {
  const auto bytes = random_bytes(100'000);
  StreamedFile file("name", bytes.size(), output_);
  const auto piece = [&](std::size_t begin, std::size_t end) {
    return file.write(begin, ByteView(bytes).subspan(begin, end - begin)).has_value();
  };
  EXPECT_TRUE(piece(60'000, 80'000));
  EXPECT_TRUE(piece(30'000, 60'000));
  EXPECT_TRUE(taken_.empty());
  EXPECT_TRUE(piece(0, 10'000));
  EXPECT_EQ(taken_.size(), 10'000U);
  EXPECT_TRUE(piece(10'000, 30'000));
  EXPECT_EQ(taken_.size(), 80'000U);
  EXPECT_TRUE(piece(80'000, 100'000));
  EXPECT_EQ(taken_, bytes);
  EXPECT_EQ(file.finish(sha256(bytes), true).value_or("failed"), "name");
}

TEST_F(StreamedFileTest, WrongAndMissingBytesAreSaidAtTheEnd) {
  const auto bytes = random_bytes(100);
  StreamedFile wrong("name", bytes.size(), output_);
  ASSERT_TRUE(wrong.write(0, bytes).has_value());
  EXPECT_NE(wrong.finish(sha256({}), false).error().message.find("SHA-256"), std::string::npos);
  StreamedFile missing("name", bytes.size(), output_);
  EXPECT_EQ(missing.finish(sha256(bytes), false).error().message, "bytes are missing");
}

TEST_F(StreamedFileTest, AReaderThatHasGoneIsAnError) {
  const StreamedFile::Output gone = [](ByteView) -> Status { return failure(ErrorCode::kSystem, "gone"); };
  StreamedFile file("name", 10, gone);
  EXPECT_EQ(file.write(0, random_bytes(10)).error().message, "gone");
}

}  // namespace
}  // namespace godwit::streamed_file_test
