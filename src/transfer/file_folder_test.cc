// Folders from a FileSendSession to a FileReceiver, and paths of a sender that breaks the rules.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "transfer/file_receiver_test_support.h"

namespace godwit::file_folder_test {
namespace {

struct stat status_of(const std::filesystem::path& path) {
  struct stat status{};
  EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
  return status;
}

class FileFolderTest : public FilePair {
 protected:
  std::filesystem::path add_folder(const std::string& name) {
    std::filesystem::create_directories(input_ / name);
    return input_ / name;
  }
  std::vector<std::string> failures() const {
    std::vector<std::string> result;
    if (session_->failure()) result.push_back(*session_->failure());
    for (const SentFile& file : session_->results()) {
      if (file.failure) result.push_back(*file.failure);
    }
    return result;
  }
};

TEST_F(FileFolderTest, EverythingInItArrivesWithModesAndTimes) {
  add_folder("photos/2024/empty");
  add_file("photos/one", random_bytes(10));
  add_file("photos/2024/two", random_bytes(1'000'000));
  ASSERT_EQ(::chmod((input_ / "photos/one").c_str(), 0640), 0);
  ASSERT_EQ(::chmod((input_ / "photos/2024").c_str(), 0750), 0);
  for (const char* name : {"photos/2024/empty", "photos/2024", "photos"}) {
    const timespec times[2] = {{.tv_sec = 5, .tv_nsec = 0}, {.tv_sec = 1'577'836'800, .tv_nsec = 7}};
    ASSERT_EQ(::utimensat(AT_FDCWD, (input_ / name).c_str(), times, 0), 0);
  }
  ASSERT_TRUE(run_session({.files = {input_ / "photos/"}}));
  EXPECT_EQ(failures(), std::vector<std::string>());
  EXPECT_EQ(output_.names(), std::vector<std::string>{"photos"});
  EXPECT_EQ(read_file(output_ / "photos/one"), random_bytes(10));
  EXPECT_EQ(read_file(output_ / "photos/2024/two"), random_bytes(1'000'000));
  EXPECT_EQ(status_of(output_ / "photos/one").st_mode & 0777U, 0640U);
  EXPECT_EQ(status_of(output_ / "photos/2024").st_mode & 0777U, 0750U);
  for (const char* name : {"photos/2024/empty", "photos/2024", "photos"}) {
    EXPECT_EQ(status_of(output_ / name).st_mtim.tv_sec, 1'577'836'800) << name;
    EXPECT_EQ(status_of(output_ / name).st_mtim.tv_nsec, 7) << name;
  }
  // The folder itself comes last.
  EXPECT_EQ(observer_.received.back().name, "photos/");
  EXPECT_EQ(session_->results().size(), 5U);
}

TEST_F(FileFolderTest, AFolderOfATakenNameGetsANumberAsAWhole) {
  add_folder("photos");
  add_file("photos/a", random_bytes(10));
  add_file("photos/b", random_bytes(10));
  ASSERT_TRUE(run_session({.files = {input_ / "photos", input_ / "photos"}}));
  EXPECT_EQ(failures(), std::vector<std::string>());
  EXPECT_EQ(output_.names(), (std::vector<std::string>{"photos", "photos.1"}));
  for (const char* name : {"photos/a", "photos/b", "photos.1/a", "photos.1/b"}) {
    EXPECT_EQ(read_file(output_ / name), random_bytes(10));
  }
}

TEST_F(FileFolderTest, TheUserMayNameIt) {
  add_folder("photos");
  add_file("photos/.hidden", random_bytes(10));
  ASSERT_TRUE(run_session({.files = {input_ / "photos"}, .name = "holiday"}));
  EXPECT_EQ(read_file(output_ / "holiday/%2Ehidden"), random_bytes(10));
}

TEST_F(FileFolderTest, LinksAndPipesFailAndTheRestArrives) {
  add_folder("mixed");
  add_file("mixed/good", random_bytes(10));
  std::filesystem::create_symlink("/etc/passwd", input_ / "mixed/link");
  ASSERT_EQ(::mkfifo((input_ / "mixed/pipe").c_str(), 0600), 0);
  ASSERT_TRUE(run_session({.files = {input_ / "mixed"}}));
  ASSERT_EQ(failures().size(), 2U);
  EXPECT_NE(failures()[0].find("mixed/link' is a symbolic link: not sent"), std::string::npos);
  EXPECT_NE(failures()[1].find("mixed/pipe' is a named pipe: not sent"), std::string::npos);
  EXPECT_EQ(session_->results().front().name, "mixed/link");
  EXPECT_EQ(read_file(output_ / "mixed/good"), random_bytes(10));
  EXPECT_FALSE(std::filesystem::exists(output_ / "mixed/link"));
}

TEST_F(FileFolderTest, OneThatChangesOnTheWayEndsClearly) {
  add_folder("busy");
  add_file("busy/gone", random_bytes(10));
  add_file("busy/linked", random_bytes(10));
  add_file("busy/stays", random_bytes(10));
  start_session({.files = {input_ / "busy"}});
  std::filesystem::remove(input_ / "busy/gone");
  std::filesystem::remove(input_ / "busy/linked");
  std::filesystem::create_symlink("/etc/passwd", input_ / "busy/linked");
  const timespec times[2] = {{.tv_sec = 5, .tv_nsec = 0}, {.tv_sec = 6, .tv_nsec = 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (input_ / "busy").c_str(), times, 0), 0);
  ASSERT_TRUE(pair_.run_until([this] { return session_->ended(); }));
  ASSERT_EQ(failures().size(), 3U);
  EXPECT_NE(failures()[0].find("busy/gone': No such file"), std::string::npos);
  EXPECT_NE(failures()[1].find("busy/linked': Too many levels of symbolic links"), std::string::npos);
  EXPECT_NE(failures()[2].find("busy' changed while it was being sent"), std::string::npos);
  EXPECT_EQ(read_file(output_ / "busy/stays"), random_bytes(10));
}

TEST_F(FileFolderTest, AFullDiskLeavesWhatIsWhole) {
  add_folder("large");
  add_file("large/a", random_bytes(10));
  write_file(input_ / "large/b", random_bytes(1));
  std::filesystem::resize_file(input_ / "large/b", 2'000'000);
  const FileSizeLimit limit(1'000'000);
  ASSERT_TRUE(run_session({.files = {input_ / "large"}}));
  ASSERT_EQ(failures().size(), 1U);
  EXPECT_NE(failures()[0].find("the receiver gave 'large/b' up: the file cannot be written"), std::string::npos);
  EXPECT_EQ(read_file(output_ / "large/a"), random_bytes(10));
  EXPECT_EQ(output_.names(), std::vector<std::string>{"large"});
}

TEST_F(FileFolderTest, ManySmallFilesTakeFarLessThanARoundTripEach) {
  add_folder("many");
  for (int i = 0; i < 400; ++i) add_file("many/" + std::to_string(i), random_bytes(100));
  pair_.delay = 20ms;
  const Instant began = pair_.now;
  ASSERT_TRUE(run_session({.files = {input_ / "many"}}));
  EXPECT_EQ(failures(), std::vector<std::string>());
  // Virtual time.
  EXPECT_LT(pair_.now - began, 1s);
}

TEST_F(FileFolderTest, FoldersCountAsFilesDo) {
  make_receiver({.all_files = 4});
  add_folder("deep/a/b");
  add_file("deep/a/b/one", random_bytes(10));
  add_file("deep/a/b/two", random_bytes(10));
  add_file("deep/a/b/zero", random_bytes(10));
  ASSERT_TRUE(run_session({.files = {input_ / "deep"}}));
  EXPECT_FALSE(failures().empty());
  EXPECT_NE(failures()[0].find("takes no more files"), std::string::npos);
}

// --- Paths of a hostile sender ---

class HostilePath : public FileReceiverTest {
 protected:
  std::string answer_to(std::string_view path, std::uint64_t group = 7, std::uint64_t size = 0) {
    answers_.clear();
    ++transfer_;
    say(FileOffer{.transfer = transfer_, .size = size, .name = path, .group = group});
    if (!wait([this] { return answer<FileAccept>() || answer<FileRefuse>() || answer<FileCancel>(); })) return "silent";
    if (answer<FileRefuse>()) return "refused " + std::to_string(static_cast<int>(answer<FileRefuse>()->code));
    if (!answer<FileAccept>()) return "given up";
    say(FileFinish{transfer_, sha256({})});
    if (!wait([this] { return answer<FileConfirm>() || answer<FileCancel>(); })) return "silent";
    return answer<FileConfirm>() ? "confirmed" : std::string(answer<FileCancel>()->text);
  }
  std::uint64_t transfer_ = 100;
};

TEST_F(HostilePath, WhatLeadsOutOfTheFolderIsRefused) {
  for (const std::string_view path : {"../x", "a/../x", "a/..", "a/./x", "/etc/x", "a//x", "a\\b/x", "a/\nx", "/", "//",
                                      "", "a", ".", "a/b\\..\\c", "a/\xff/"}) {
    EXPECT_EQ(answer_to(path), "refused 1") << path;
  }
  EXPECT_EQ(answer_to(std::string(1025, 'a') + "/b"), "refused 1");
  std::string deep;
  for (int i = 0; i < 65; ++i) deep += "d/";
  EXPECT_EQ(answer_to(deep), "refused 1");
  EXPECT_EQ(answer_to("a/b", 0), "refused 1") << "a path is no name of a file by itself";
  EXPECT_EQ(answer_to("a/", 7, 5), "refused 1") << "a folder has no bytes";
  EXPECT_TRUE(output_.names().empty());
}

TEST_F(HostilePath, LinksInTheOutputFolderAreNotFollowed) {
  const TemporaryFolder elsewhere;
  EXPECT_EQ(answer_to("a/x"), "confirmed");
  std::filesystem::create_directory_symlink(elsewhere.path(), output_ / "a/link");
  EXPECT_NE(answer_to("a/link/x").find("cannot be made"), std::string::npos);
  EXPECT_NE(answer_to("a/link/").find("cannot be made"), std::string::npos);
  // Even where the folder itself becomes one.
  std::filesystem::remove_all(output_ / "a");
  std::filesystem::create_directory_symlink(elsewhere.path(), output_ / "a");
  EXPECT_NE(answer_to("a/y").find("cannot be made"), std::string::npos);
  // One that was there before is somebody else's name.
  EXPECT_EQ(answer_to("a/z", 8), "confirmed");
  EXPECT_TRUE(std::filesystem::exists(output_ / "a.1/z"));
  EXPECT_TRUE(elsewhere.names().empty());
}

TEST_F(HostilePath, AFileIsNoFolderAndEqualNamesGetNumbers) {
  EXPECT_EQ(answer_to("a/x"), "confirmed");
  EXPECT_EQ(answer_to("a/x"), "confirmed");
  EXPECT_TRUE(std::filesystem::exists(output_ / "a/x.1"));
  EXPECT_NE(answer_to("a/x/y").find("Not a directory"), std::string::npos);
  EXPECT_NE(answer_to("a/x/").find("Not a directory"), std::string::npos);
  // Names that this system would take and others would not.
  EXPECT_EQ(answer_to("a/CON/.ssh"), "confirmed");
  EXPECT_TRUE(std::filesystem::exists(output_ / "a/_CON/%2Essh"));
}

}  // namespace
}  // namespace godwit::file_folder_test
