#include "cli/peer_book.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace godwit::cli {
namespace {

class PeerBookTest : public testing::Test {
 protected:
  PeerBookTest() {
    std::string name = (std::filesystem::temp_directory_path() / "godwit-peers-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~PeerBookTest() override { std::filesystem::remove_all(folder_); }
  PeerBookTest(const PeerBookTest&) = delete;
  PeerBookTest& operator=(const PeerBookTest&) = delete;
  [[nodiscard]] std::filesystem::path path() const { return folder_ / "new" / "peers"; }
  [[nodiscard]] PeerBook load() const { return PeerBook::load(path()).value_or(PeerBook()); }

  std::filesystem::path folder_;
};

TEST_F(PeerBookTest, KeepsNamesInTheirOrderAndReplacesThem) {
  PeerBook book = load();
  EXPECT_TRUE(book.peers().empty());
  EXPECT_TRUE(book.set({.name = "b", .ticket = "1"}));
  EXPECT_TRUE(book.set({.name = "a", .ticket = "2"}));
  EXPECT_TRUE(book.set({.name = "b", .ticket = "3"}));
  ASSERT_TRUE(book.save());
  const PeerBook again = load();
  ASSERT_EQ(again.peers().size(), 2U);
  EXPECT_EQ(again.peers().front().name, "a");
  EXPECT_EQ(*again.find("b"), "3");
  EXPECT_EQ(again.find("c"), nullptr);
}

TEST_F(PeerBookTest, ForgetsANameAndNothingElse) {
  PeerBook book = load();
  book.set({.name = "a", .ticket = "1"});
  book.set({.name = "b", .ticket = "2"});
  EXPECT_TRUE(book.remove("a"));
  EXPECT_FALSE(book.remove("a"));
  ASSERT_TRUE(book.save());
  EXPECT_EQ(load().find("a"), nullptr);
  EXPECT_EQ(*load().find("b"), "2");
}

TEST_F(PeerBookTest, IsWrittenAsAWholeForItsOwnerAlone) {
  PeerBook book = load();
  book.set({.name = "a", .ticket = "1"});
  ASSERT_TRUE(book.save());
  struct stat status{};
  ASSERT_EQ(::stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path().parent_path())) files += entry.exists() ? 1U : 0U;
  EXPECT_EQ(files, 1U) << "nothing is left of the writing";
}

TEST_F(PeerBookTest, DamagedLinesAreLeftOut) {
  std::filesystem::create_directories(path().parent_path());
  std::ofstream(path()) << "a 1\n\nonly-a-name\n1bad 2\nb 3 and more\n";
  const PeerBook book = load();
  EXPECT_EQ(*book.find("a"), "1");
  EXPECT_EQ(*book.find("b"), "3");
  EXPECT_EQ(book.peers().size(), 2U);
}

TEST_F(PeerBookTest, HasABound) {
  PeerBook book = load();
  for (std::size_t i = 0; i < PeerBook::kMostPeers; ++i) {
    ASSERT_TRUE(book.set({.name = "n" + std::to_string(i), .ticket = "t"}));
  }
  EXPECT_FALSE(book.set({.name = "one-more", .ticket = "t"}));
  EXPECT_TRUE(book.set({.name = "n7", .ticket = "other"}));
}

TEST(PeerName, IsNoAddressAndNoTicket) {
  for (const char* const name : {"alice", "A", "a-1_b"}) EXPECT_TRUE(is_peer_name(name)) << name;
  for (const char* const name : {"", "1", "-a", "a.b", "a:1", "a b", "\xc3\xa4", "a\n"}) {
    EXPECT_FALSE(is_peer_name(name)) << name;
  }
  EXPECT_TRUE(is_peer_name(std::string(63, 'a')));
  EXPECT_FALSE(is_peer_name(std::string(64, 'a')));
}

}  // namespace
}  // namespace godwit::cli
