#include "transfer/file_store.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstring>

#include "transfer/file_test_support.h"

namespace godwit {
namespace {

class FileStoreTest : public ::testing::Test {
 protected:
  FileStoreTest() {
    auto store = FileStore::open({.folder = folder_ / "made", .wake = [this] { ++wakes_; }});
    EXPECT_TRUE(store.has_value());
    store_ = std::move(*store);
  }
  void write(FileStore::FileId file, std::uint64_t offset, ByteView bytes, std::uint32_t tag = 0) {
    while (!bytes.empty()) {
      FileBlock block = store_->new_block();
      block.used = std::min(bytes.size(), FileBlock::kBytes);
      std::memcpy(block.bytes.get(), bytes.data(), block.used);
      bytes = bytes.subspan(block.used);
      const std::size_t used = block.used;
      store_->write(file, offset, std::move(block), tag);
      offset += used;
    }
  }
  // The next completion of a kind other than kWritten, as real time brings it.
  FileStore::Completion next() {
    for (int i = 0; i < 30'000; ++i) {
      store_->take_completions(completions_);
      while (!completions_.empty()) {
        FileStore::Completion first = std::move(completions_.front());
        completions_.erase(completions_.begin());
        if (first.kind != FileStore::Completion::Kind::kWritten) return first;
        written_ += first.bytes;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ADD_FAILURE() << "nothing was completed";
    return {};
  }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "made"))
      result.push_back(entry.path().filename());
    return result;
  }
  void settle() {
    for (int i = 0; i < 30'000 && store_->pending() > 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

  using Kind = FileStore::Completion::Kind;
  TemporaryFolder folder_;
  std::atomic<int> wakes_{0};
  std::unique_ptr<FileStore> store_;
  std::vector<FileStore::Completion> completions_;
  std::uint64_t written_ = 0;
};

TEST_F(FileStoreTest, WritesComparesAndNames) {
  const auto bytes = random_bytes(3 * FileBlock::kBytes + 5);
  store_->create(7, {.name = "data.bin", .size = bytes.size()});
  write(7, 0, bytes);
  store_->finish(7, sha256(bytes));
  EXPECT_EQ(next().kind, Kind::kCreated);
  const auto finished = next();
  EXPECT_EQ(finished.kind, Kind::kFinished);
  EXPECT_EQ(finished.text, "data.bin");
  EXPECT_EQ(finished.hash, sha256(bytes));
  EXPECT_EQ(written_, bytes.size());
  EXPECT_EQ(read_file(folder_ / "made/data.bin"), bytes);
  EXPECT_GE(wakes_, 6);
}

TEST_F(FileStoreTest, SeveralFilesAtOnceKeepApart) {
  const auto one = random_bytes(100'000, 1);
  const auto two = random_bytes(100'000, 2);
  store_->create(1, {.name = "same", .size = one.size()});
  store_->create(2, {.name = "same", .size = two.size()});
  write(1, 0, ByteView(one).first(50'000));
  write(2, 50'000, ByteView(two).subspan(50'000));
  write(1, 50'000, ByteView(one).subspan(50'000));
  write(2, 0, ByteView(two).first(50'000));
  store_->finish(2, sha256(two));
  store_->finish(1, sha256(one));
  for (int i = 0; i < 2; ++i) EXPECT_EQ(next().kind, Kind::kCreated);
  // Names are those of the order in which the files began, whichever ends first.
  EXPECT_EQ(next().text, "same.1");
  EXPECT_EQ(next().text, "same");
  EXPECT_EQ(read_file(folder_ / "made/same"), one);
  EXPECT_EQ(read_file(folder_ / "made/same.1"), two);
}

TEST_F(FileStoreTest, AMismatchFailsAndKeepsNothing) {
  const auto bytes = random_bytes(10);
  store_->create(1, {.name = "data.bin", .size = bytes.size()});
  write(1, 0, bytes);
  store_->finish(1, {});
  EXPECT_EQ(next().kind, Kind::kCreated);
  const auto failed = next();
  EXPECT_EQ(failed.kind, Kind::kFailed);
  EXPECT_NE(failed.text.find("SHA-256"), std::string::npos);
  EXPECT_TRUE(names().empty());
}

TEST_F(FileStoreTest, AFullDiskFailsOnceAndWhatFollowsFallsAway) {
  const FileSizeLimit limit(FileBlock::kBytes);
  const auto bytes = random_bytes(8 * FileBlock::kBytes);
  store_->create(1, {.name = "data.bin", .size = bytes.size()});
  write(1, 0, bytes);
  store_->finish(1, sha256(bytes));
  EXPECT_EQ(next().kind, Kind::kCreated);
  EXPECT_EQ(next().kind, Kind::kFailed);
  settle();
  store_->take_completions(completions_);
  EXPECT_TRUE(completions_.empty());
  EXPECT_TRUE(names().empty());
}

TEST_F(FileStoreTest, DiscardedAndUnfinishedFilesAreRemoved) {
  store_->create(1, {.name = "one", .size = 10});
  store_->create(2, {.name = "two", .size = 10});
  write(1, 0, random_bytes(5));
  store_->discard(1);
  settle();
  ASSERT_EQ(names().size(), 1U);
  EXPECT_EQ(names()[0].rfind(".two.", 0), 0U);
  store_.reset();
  EXPECT_TRUE(names().empty());
}

TEST_F(FileStoreTest, TheSpaceLeftIsThatOfTheFolder) {
  EXPECT_GT(store_->free_bytes().value_or(0), 0U);
}

TEST_F(FileStoreTest, AFolderThatCannotBeMadeIsNamed) {
  write_file(folder_ / "file", random_bytes(1));
  const auto store = FileStore::open({.folder = folder_ / "file/inside", .wake = [] {}});
  ASSERT_FALSE(store.has_value());
  EXPECT_NE(store.error().message.find("file/inside"), std::string::npos);
}

TEST_F(FileStoreTest, WhyAFolderCannotBeMadeIsSaid) {
  // Nobody makes folders there; which of several reasons the kernel gives depends on who asks.
  const auto store = FileStore::open({.folder = "/sys/godwit/received", .wake = [] {}});
  ASSERT_FALSE(store.has_value());
  EXPECT_TRUE(store.error().message.starts_with("cannot write into the folder '/sys/godwit/received': "));
  EXPECT_EQ(store.error().message.find("No such file"), std::string::npos) << store.error().message;
}

}  // namespace
}  // namespace godwit
