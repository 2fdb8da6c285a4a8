#include "transfer/partial_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "transfer/file_test_support.h"

namespace godwit {
namespace {

class PartialFileTest : public ::testing::Test {
 protected:
  PartialFileTest() : descriptor_(::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}
  ~PartialFileTest() override { ::close(descriptor_); }

  std::unique_ptr<PartialFile> create(const std::string& name, std::uint64_t size) {
    auto file = PartialFile::create(descriptor_, name, size);
    EXPECT_TRUE(file.has_value()) << (file ? "" : file.error().message);
    return std::move(*file);
  }

  TemporaryFolder folder_;
  int descriptor_;
};

TEST_F(PartialFileTest, HasATemporaryNameUntilItIsVerified) {
  const auto bytes = random_bytes(5000);
  auto file = create("data.bin", bytes.size());
  ASSERT_TRUE(file->write(0, bytes).has_value());
  const auto before = folder_.names();
  ASSERT_EQ(before.size(), 1U);
  EXPECT_EQ(before[0].rfind(".data.bin.", 0), 0U) << before[0];
  EXPECT_EQ(before[0].substr(before[0].size() - 5), ".part");
  EXPECT_EQ(file->finish(sha256(bytes), true).value_or("failed"), "data.bin");
  file.reset();
  EXPECT_EQ(folder_.names(), std::vector<std::string>{"data.bin"});
  EXPECT_EQ(read_file(folder_ / "data.bin"), bytes);
}

TEST_F(PartialFileTest, RemovesItselfUnlessFinished) {
  const auto bytes = random_bytes(5000);
  {
    auto file = create("data.bin", bytes.size());
    ASSERT_TRUE(file->write(0, bytes).has_value());
  }
  EXPECT_TRUE(folder_.names().empty());
}

TEST_F(PartialFileTest, NeverReplacesAFileNorALink) {
  write_file(folder_ / "a.txt", random_bytes(3));
  std::filesystem::create_symlink("/dev/null", folder_ / "a.1.txt");
  const auto bytes = random_bytes(100);
  for (const char* expected : {"a.2.txt", "a.3.txt"}) {
    auto file = create("a.txt", bytes.size());
    ASSERT_TRUE(file->write(0, bytes).has_value());
    EXPECT_EQ(file->finish(sha256(bytes), false).value_or("failed"), expected);
  }
  EXPECT_EQ(read_file(folder_ / "a.txt"), random_bytes(3));
  EXPECT_TRUE(std::filesystem::is_symlink(folder_ / "a.1.txt"));
}

TEST_F(PartialFileTest, AHashThatDiffersAndMissingBytesKeepNothing) {
  const auto bytes = random_bytes(5000);
  auto expected = sha256(bytes);
  {
    auto file = create("data.bin", bytes.size());
    ASSERT_TRUE(file->write(0, ByteView(bytes).first(4999)).has_value());
    const auto finished = file->finish(expected, false);
    ASSERT_FALSE(finished.has_value());
    EXPECT_EQ(finished.error().message, "bytes are missing");
  }
  {
    auto file = create("data.bin", bytes.size());
    ASSERT_TRUE(file->write(0, bytes).has_value());
    expected[31] ^= 1;
    const auto finished = file->finish(expected, false);
    ASSERT_FALSE(finished.has_value());
    EXPECT_NE(finished.error().message.find("SHA-256 differs"), std::string::npos);
  }
  EXPECT_TRUE(folder_.names().empty());
}

// Model: the bytes themselves. Whatever the order, the hash is that of the whole.
TEST_F(PartialFileTest, PiecesInAnyOrderGiveTheSameHash) {
  DeterministicRandom random(3);
  for (int round = 0; round < 200; ++round) {
    const auto bytes = random_bytes(1 + random.below(200'000), random.next_u64());
    std::vector<std::pair<std::size_t, std::size_t>> pieces;
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t length = std::min<std::size_t>(1 + random.below(20'000), bytes.size() - at);
      pieces.emplace_back(at, length);
      at += length;
    }
    for (std::size_t i = pieces.size(); i > 1; --i) std::swap(pieces[i - 1], pieces[random.below(i)]);
    auto file = create("data.bin", bytes.size());
    for (const auto& [at, length] : pieces) ASSERT_TRUE(file->write(at, ByteView(bytes).subspan(at, length)));
    const auto name = file->finish(sha256(bytes), false);
    ASSERT_TRUE(name.has_value()) << name.error().message;
    ASSERT_EQ(read_file(folder_ / *name), bytes);
    std::filesystem::remove(folder_ / *name);
  }
}

TEST_F(PartialFileTest, AFullDiskIsAnErrorInWords) {
  auto file = create("data.bin", 100'000);
  const FileSizeLimit limit(50'000);
  const auto written = file->write(0, random_bytes(100'000));
  ASSERT_FALSE(written.has_value());
  EXPECT_NE(written.error().message.find("the file cannot be written: "), std::string::npos);
}

TEST_F(PartialFileTest, BytesThatSomebodyCutAwayAreMissed) {
  const auto bytes = random_bytes(10'000);
  auto file = create("data.bin", bytes.size());
  ASSERT_TRUE(file->write(5000, ByteView(bytes).subspan(5000)).has_value());
  std::filesystem::resize_file(folder_ / folder_.names().front(), 4000);
  const auto written = file->write(0, ByteView(bytes).first(5000));
  ASSERT_FALSE(written.has_value());
  EXPECT_NE(written.error().message.find("cannot be read back"), std::string::npos);
}

TEST_F(PartialFileTest, AFolderThatHasGoneIsAnError) {
  std::filesystem::remove_all(folder_.path());
  const auto file = PartialFile::create(descriptor_, "data.bin", 10);
  ASSERT_FALSE(file.has_value());
  EXPECT_NE(file.error().message.find("cannot be created"), std::string::npos);
}

}  // namespace
}  // namespace godwit
