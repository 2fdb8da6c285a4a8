#include "transfer/partial_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstddef>
#include <iterator>
#include <tuple>

#include "transfer/file_test_support.h"

namespace godwit {
namespace {

class PartialFileTest : public ::testing::Test {
 protected:
  PartialFileTest()
      : descriptor_(::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)), names_(descriptor_) {}
  ~PartialFileTest() override { ::close(descriptor_); }

  std::unique_ptr<PartialFile> create(const std::string& name, std::uint64_t size,
                                      const FileAttributes& attributes = {}, mode_t mask = 022) {
    auto file = PartialFile::create(names_, {.name = name, .size = size, .attributes = attributes, .mask = mask});
    EXPECT_TRUE(file.has_value()) << (file ? "" : file.error().message);
    return std::move(*file);
  }

  TemporaryFolder folder_;
  int descriptor_;
  FolderNames names_;
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

TEST_F(PartialFileTest, NamesAreReservedFromTheStart) {
  const auto bytes = random_bytes(100);
  auto first = create("a", bytes.size());
  auto second = create("a", bytes.size());
  ASSERT_TRUE(first->write(0, bytes).has_value());
  ASSERT_TRUE(second->write(0, bytes).has_value());
  EXPECT_EQ(second->finish(sha256(bytes), false).value_or("failed"), "a.1");
  EXPECT_EQ(first->finish(sha256(bytes), false).value_or("failed"), "a");
}

TEST_F(PartialFileTest, AReservedNameThatSomebodyTakesIsReplacedByTheNext) {
  const auto bytes = random_bytes(100);
  auto file = create("a", bytes.size());
  ASSERT_TRUE(file->write(0, bytes).has_value());
  write_file(folder_ / "a", random_bytes(3));
  write_file(folder_ / "a.1", random_bytes(3));
  EXPECT_EQ(file->finish(sha256(bytes), false).value_or("failed"), "a.2");
  EXPECT_EQ(read_file(folder_ / "a"), random_bytes(3));
}

TEST_F(PartialFileTest, TheTenThousandAndFirstCopyIsNamedToo) {
  for (int i = 0; i <= 10'000; ++i) {
    auto file = create("a", 0);
    ASSERT_TRUE(file->finish(sha256({}), false).has_value()) << i;
  }
  EXPECT_TRUE(std::filesystem::exists(folder_ / "a.10000"));
  EXPECT_LT(names_.lookups(), 5U * 10'001);
}

TEST_F(PartialFileTest, ModeAndTimeAreTheSendersWithinTheMask) {
  const FileAttributes attributes{.mode = 0777, .modified = FileTime{.seconds = 1'577'836'800, .nanoseconds = 5}};
  for (const auto& [sent, mask, expected] : {std::tuple<int, mode_t, mode_t>{0777, 022, 0755},
                                             {07777, 022, 0755},
                                             {0640, 022, 0640},
                                             {0644, 077, 0600},
                                             {0000, 022, 0400}}) {
    auto file = create("data", 0, {.mode = static_cast<std::uint16_t>(sent), .modified = attributes.modified}, mask);
    const auto name = file->finish(sha256({}), false);
    ASSERT_TRUE(name.has_value());
    struct stat status{};
    ASSERT_EQ(::stat((folder_ / *name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, expected);
    EXPECT_EQ(status.st_mtim.tv_sec, 1'577'836'800);
    EXPECT_EQ(status.st_mtim.tv_nsec, 5);
  }
  auto plain = create("plain", 0);
  ASSERT_TRUE(plain->finish(sha256({}), false).has_value());
  struct stat status{};
  ASSERT_EQ(::stat((folder_ / "plain").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0644U);
}

TEST_F(PartialFileTest, RoomIsSetAsideAheadOfTheBytesAndNoneForAnOfferAlone) {
  constexpr std::uint64_t kSize = std::uint64_t{64} << 20;
  auto file = create("data.bin", kSize);
  const auto blocks = [this] {
    struct stat status{};
    EXPECT_EQ(::stat((folder_ / folder_.names().front()).c_str(), &status), 0);
    return static_cast<std::uint64_t>(status.st_blocks) * 512;
  };
  EXPECT_EQ(blocks(), 0U);
  EXPECT_EQ(file->set_aside(), 0U);
  ASSERT_TRUE(file->write(0, random_bytes(100'000)).has_value());
  if (file->set_aside() == 100'000) GTEST_SKIP() << "this file system sets no room aside";
  EXPECT_GE(blocks(), file->set_aside());
  EXPECT_GE(file->set_aside(), std::uint64_t{4} << 20);
  EXPECT_LE(file->set_aside(), std::uint64_t{5} << 20);
  EXPECT_EQ(std::filesystem::file_size(folder_ / folder_.names().front()), 100'000U);
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

// From now on this process sees file systems of few abilities: rename() always replaces, and a file has one name.
bool see_simple_file_systems() {
  const auto refuse = [](int error) { return SECCOMP_RET_ERRNO | static_cast<unsigned>(error); };
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_linkat, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, refuse(EPERM)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_renameat2, 0, 3),
      // Its flags; without any it is renameat().
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[4])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, refuse(EINVAL)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{.len = std::size(program), .filter = program};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

TEST_F(PartialFileTest, AFileSystemWithoutSecondNamesReplacesNothingEither) {
  const auto bytes = random_bytes(100);
  const auto kept = random_bytes(3);
  const pid_t child = ::fork();
  if (child == 0) {
    if (!see_simple_file_systems()) ::_exit(77);
    auto first = PartialFile::create(names_, {.name = "a", .size = bytes.size()});
    auto second = PartialFile::create(names_, {.name = "a", .size = bytes.size()});
    if (!first || !second || !(*first)->write(0, bytes) || !(*second)->write(0, bytes)) ::_exit(1);
    write_file(folder_ / "a", kept);  // somebody else takes the reserved name
    if ((*second)->finish(sha256(bytes), false).value_or("") != "a.1") ::_exit(2);
    ::_exit((*first)->finish(sha256(bytes), false).value_or("") == "a.2" ? 0 : 3);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "this kernel filters no system calls";
  ASSERT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(folder_.names(), (std::vector<std::string>{"a", "a.1", "a.2"}));
  EXPECT_EQ(read_file(folder_ / "a"), kept);
  EXPECT_EQ(read_file(folder_ / "a.2"), bytes);
}

// The descriptor of an open file of the folder, as a file system that fails in close() cannot be had.
int descriptor_of(const std::filesystem::path& path) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    if (std::filesystem::read_symlink(entry.path(), gone) == path) return std::stoi(entry.path().filename());
  }
  return -1;
}

TEST_F(PartialFileTest, AnErrorThatComesWithTheCloseKeepsNothing) {
  const auto bytes = random_bytes(100);
  auto file = create("a", bytes.size());
  ASSERT_TRUE(file->write(0, bytes).has_value());
  const int descriptor = descriptor_of(folder_ / folder_.names().at(0));
  ASSERT_GE(descriptor, 0);
  ::close(descriptor);
  const auto finished = file->finish(sha256(bytes), false);
  ASSERT_FALSE(finished.has_value());
  EXPECT_EQ(finished.error().message, "the file cannot be written: Bad file descriptor");
  file.reset();
  EXPECT_TRUE(folder_.names().empty());
}

TEST_F(PartialFileTest, WithoutADescriptorItMayBeTriedAgain) {
  {
    const DescriptorLimit none(0);
    const auto file = PartialFile::create(names_, {.name = "a", .size = 1});
    ASSERT_FALSE(file.has_value());
    EXPECT_EQ(file.error().code, ErrorCode::kWouldBlock);
  }
  EXPECT_NE(create("a", 1), nullptr);
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
  const auto file = PartialFile::create(names_, {.name = "data.bin", .size = 10});
  ASSERT_FALSE(file.has_value());
  EXPECT_NE(file.error().message.find("cannot be created"), std::string::npos);
}

}  // namespace
}  // namespace godwit
