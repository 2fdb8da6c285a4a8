#include "transfer/file_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <thread>

#include "transfer/file_test_support.h"

namespace godwit {
namespace {

// Real threads: waits for what they do, for as long as a busy machine may need.
bool eventually(const std::function<bool()>& done) {
  for (int i = 0; i < 30'000; ++i) {
    if (done()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

class FileReaderTest : public ::testing::Test {
 protected:
  std::unique_ptr<FileReader> open(const std::vector<std::uint8_t>& bytes) {
    write_file(folder_ / "file", bytes);
    auto reader = FileReader::open(folder_ / "file", [this] { ++wakes_; });
    EXPECT_TRUE(reader.has_value());
    return std::move(*reader);
  }
  // Takes everything in fragments of `length`, as a stream does.
  static std::vector<std::uint8_t> take_all(FileReader& reader, std::size_t length) {
    if (!eventually([&] { return reader.prepared(); })) return {};
    reader.start();
    std::vector<std::uint8_t> taken;
    while (taken.size() < reader.size()) {
      const std::size_t wanted = std::min<std::size_t>(length, reader.size() - taken.size());
      if (!eventually([&] { return reader.available() >= taken.size() + wanted; })) return {};
      const auto bytes = reader.read(taken.size(), wanted);
      if (!bytes || bytes->size() != wanted) return {};
      taken.insert(taken.end(), bytes->begin(), bytes->end());
    }
    return taken;
  }

  TemporaryFolder folder_;
  std::atomic<int> wakes_{0};
};

TEST_F(FileReaderTest, WhatIsNoReadableFileIsNamedInTheError) {
  std::filesystem::create_directory(folder_ / "folder");
  for (const auto& [path, words] :
       {std::pair(folder_ / "missing", "No such file"), std::pair(folder_ / "folder", "is a directory"),
        std::pair(std::filesystem::path("/dev/zero"), "is a device")}) {
    for (const auto& problem : {FileReader::open(path, [] {}).error(), FileReader::inspect(path).error()}) {
      EXPECT_NE(problem.message.find(path.filename().string()), std::string::npos) << problem.message;
      EXPECT_NE(problem.message.find(words), std::string::npos) << problem.message;
    }
  }
}

TEST_F(FileReaderTest, APipeIsReadToItsEndHoweverLongItsWriterTakes) {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{5}, FileReader::kSmallBytes + 1, std::size_t{20'000'000}}) {
    const auto path = folder_ / ("pipe" + std::to_string(size));
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    auto reader = FileReader::open(path, [] {});
    ASSERT_TRUE(reader.has_value());
    EXPECT_FALSE((*reader)->prepared());
    const auto bytes = random_bytes(size);
    std::thread writer([&] { write_file(path, bytes); });
    EXPECT_EQ(take_all(**reader, 1130), bytes) << size;
    writer.join();
    EXPECT_EQ((*reader)->size(), size);
    ASSERT_TRUE(eventually([&] { return (*reader)->hash().has_value(); }));
    EXPECT_EQ(*(*reader)->hash(), sha256(bytes));
    EXPECT_FALSE((*reader)->change().has_value());
  }
}

TEST_F(FileReaderTest, APipeWithoutAWriterIsLetGo) {
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  auto reader = FileReader::open(folder_ / "pipe", [] {});
  ASSERT_TRUE(reader.has_value());
  EXPECT_TRUE(FileReader::inspect(folder_ / "pipe").has_value());
}

// Their folders say 0 bytes, or a page; /proc/kallsyms is larger than any small file.
TEST_F(FileReaderTest, FilesOfTheKernelAreReadToTheirEnd) {
  for (const char* const path :
       {"/proc/cpuinfo", "/proc/self/status", "/proc/kallsyms", "/sys/kernel/mm/transparent_hugepage/enabled"}) {
    if (!std::filesystem::exists(path)) continue;
    auto reader = FileReader::open(path, [] {});
    ASSERT_TRUE(reader.has_value()) << reader.error().message;
    const auto bytes = take_all(**reader, 1130);
    EXPECT_FALSE(bytes.empty()) << path;
    EXPECT_EQ(bytes.size(), (*reader)->size());
    EXPECT_FALSE((*reader)->change().has_value()) << *(*reader)->change();
  }
}

TEST_F(FileReaderTest, AFileThatIsNoLongerWhatWasReadSaysSo) {
  for (const std::size_t size : {std::size_t{100}, FileReader::kSmallBytes + 1}) {
    for (const bool grows : {true, false}) {
      auto reader = open(random_bytes(size));
      ASSERT_EQ(take_all(*reader, 1130).size(), size);
      EXPECT_FALSE(reader->change().has_value());
      std::filesystem::resize_file(folder_ / "file", grows ? size + 1 : size - 1);
      EXPECT_EQ(reader->change().value_or(""),
                std::string("'file' ") + (grows ? "grew" : "shrank") + " while it was being sent");
    }
  }
  auto reader = open(random_bytes(FileReader::kSmallBytes + 1));
  std::filesystem::last_write_time(folder_ / "file", std::filesystem::file_time_type::clock::now() - 1h);
  EXPECT_EQ(reader->change().value_or(""), "'file' changed while it was being sent");
}

TEST_F(FileReaderTest, ASmallFileThatWasReplacedIsSentAsItWas) {
  const auto bytes = random_bytes(100);
  auto reader = open(bytes);
  EXPECT_EQ(take_all(*reader, 64), bytes);
  write_file(folder_ / "new", random_bytes(200));
  std::filesystem::rename(folder_ / "new", folder_ / "file");
  EXPECT_FALSE(reader->change().has_value());
}

TEST_F(FileReaderTest, AttributesAreThoseOfTheFile) {
  write_file(folder_ / "file", random_bytes(10));
  ASSERT_EQ(::chmod((folder_ / "file").c_str(), 04751), 0);
  const timespec times[2] = {{.tv_sec = 5, .tv_nsec = 6}, {.tv_sec = 1'577'836'800, .tv_nsec = 7}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (folder_ / "file").c_str(), times, 0), 0);
  auto reader = FileReader::open(folder_ / "file", [] {});
  ASSERT_TRUE(reader.has_value());
  EXPECT_EQ((*reader)->attributes(),
            (FileAttributes{.mode = 0751, .modified = FileTime{.seconds = 1'577'836'800, .nanoseconds = 7}}));
}

TEST_F(FileReaderTest, FactsAreThoseOfTheFile) {
  write_file(folder_ / "file", random_bytes(1234));
  const auto facts = FileReader::inspect(folder_ / "file");
  ASSERT_TRUE(facts.has_value());
  EXPECT_EQ(facts->name, "file");
  EXPECT_EQ(facts->size, 1234U);
  EXPECT_FALSE(FileReader::inspect(folder_ / "missing").has_value());
}

TEST_F(FileReaderTest, ReadsInOrderAndHashesInPassing) {
  const std::size_t block = FileReader::kBlockBytes;
  for (const std::size_t size : {std::size_t{1}, std::size_t{1130}, block - 1, block, block + 1, 40 * block + 7}) {
    const auto bytes = random_bytes(size);
    auto reader = open(bytes);
    EXPECT_EQ(take_all(*reader, 1130), bytes) << size;
    EXPECT_EQ(reader->taken(), size);
    ASSERT_TRUE(eventually([&] { return reader->hash().has_value(); }));
    EXPECT_EQ(*reader->hash(), sha256(bytes));
    EXPECT_FALSE(reader->failure().has_value());
  }
  EXPECT_GT(wakes_, 40);
}

TEST_F(FileReaderTest, AnEmptyFileHasAHashAtOnce) {
  auto reader = open({});
  ASSERT_TRUE(eventually([&] { return reader->hash().has_value(); }));
  EXPECT_EQ(*reader->hash(), sha256({}));
}

// A writer waits until somebody opens its pipe. One that was let go by a mere look would write to nobody, and end.
TEST_F(FileReaderTest, ALookAtAPipeDoesNotOpenIt) {
  const auto pipe = folder_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const int watch = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  ASSERT_GE(watch, 0);
  ASSERT_GE(::inotify_add_watch(watch, pipe.c_str(), IN_OPEN), 0);
  const auto facts = FileReader::inspect(pipe);
  ASSERT_TRUE(facts.has_value());
  EXPECT_EQ(facts->name, "pipe");
  EXPECT_EQ(facts->size, 0U);
  EXPECT_FALSE(facts->regular);
  std::array<char, 4096> events{};
  EXPECT_EQ(::read(watch, events.data(), events.size()), -1) << "the pipe was opened";
  EXPECT_TRUE(FileReader::open(pipe, [] {}).has_value());
  EXPECT_GT(::read(watch, events.data(), events.size()), 0) << "the watch sees an open";
  ::close(watch);
}

TEST_F(FileReaderTest, ReadsAheadOnlyAsFarAsItsRingReaches) {
  const auto bytes = random_bytes((FileReader::kBlocks + 4) * FileReader::kBlockBytes);
  auto reader = open(bytes);
  reader->start();
  const std::uint64_t ring = FileReader::kBlocks * FileReader::kBlockBytes;
  ASSERT_TRUE(eventually([&] { return reader->available() == ring; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(reader->available(), ring);
  EXPECT_FALSE(reader->read(ring - 10, 11).has_value());
}

TEST_F(FileReaderTest, WhatHasLeftTheRingIsReadAgainFromTheFile) {
  const auto bytes = random_bytes(3 * FileReader::kBlockBytes);
  auto reader = open(bytes);
  reader->start();
  ASSERT_EQ(take_all(*reader, 1130), bytes);
  for (const std::size_t offset : {std::size_t{0}, FileReader::kBlockBytes - 500, 2 * FileReader::kBlockBytes + 1}) {
    const auto again = reader->read(offset, 1130);
    ASSERT_TRUE(again.has_value());
    EXPECT_TRUE(std::equal(again->begin(), again->end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset)));
  }
}

TEST_F(FileReaderTest, AFileThatShrinksFailsAndSaysSo) {
  auto reader = open(random_bytes(4 * FileReader::kBlockBytes));
  std::filesystem::resize_file(folder_ / "file", FileReader::kBlockBytes + 10);
  reader->start();
  ASSERT_TRUE(eventually([&] { return reader->failure().has_value(); }));
  EXPECT_EQ(*reader->failure(), "'file' shrank while it was being sent");
  EXPECT_FALSE(reader->hash().has_value());
  EXPECT_EQ(reader->available(), FileReader::kBlockBytes);
}

TEST_F(FileReaderTest, ARetransmissionFromAFileThatHasShrunkFailsTheRead) {
  const auto bytes = random_bytes(3 * FileReader::kBlockBytes);
  auto reader = open(bytes);
  reader->start();
  ASSERT_EQ(take_all(*reader, 1130), bytes);
  std::filesystem::resize_file(folder_ / "file", 100);
  EXPECT_TRUE(reader->read(0, 100).has_value());
  EXPECT_FALSE(reader->read(0, 1130).has_value());
  EXPECT_EQ(reader->failure().value_or(""), "'file' shrank while it was being sent");
}

TEST_F(FileReaderTest, MayBeDroppedWhileItsThreadWaitsForRoom) {
  for (int i = 0; i < 20; ++i) {
    auto reader = open(random_bytes(20 * FileReader::kBlockBytes, static_cast<std::uint64_t>(i)));
    reader->start();
    if (i % 2 == 0) static_cast<void>(eventually([&] { return reader->available() > 0; }));
  }
}

}  // namespace
}  // namespace godwit
