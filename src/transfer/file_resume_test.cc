// Files that were cut off, and the second attempt that goes on from what the receiver holds.

#include <fcntl.h>
#include <gtest/gtest.h>

#include "transfer/file_receiver_test_support.h"

namespace godwit::file_resume_test {
namespace {

constexpr std::size_t kSize = 30'000'000;

class FileResumeTest : public FilePair {
 protected:
  // Sends until so much is there, then the connection ends.
  void cut_off(const std::filesystem::path& path, std::uint64_t bytes = 8'000'000) {
    start_session({.files = {path}, .resume = true});
    ASSERT_TRUE(pair_.run_until([&] { return progress() > bytes; }));
    pair_.server.endpoint->close(pair_.now, accepted_, "going home");
    ASSERT_TRUE(pair_.run_until([this] { return session_->ended(); }));
    settle();
  }
  [[nodiscard]] std::uint64_t progress() const {
    const auto progress = receiver_->progress();
    return progress ? progress->received : 0;
  }
  void settle() {
    ASSERT_TRUE(pair_.run_until([this] { return store_->pending() == 0; }));
  }
  void restart_receiver() {
    receiver_.reset();
    store_ = std::move(*FileStore::open({.folder = output_.path(), .wake = [] {}}));
    make_receiver({});
  }
  void send_again(const std::filesystem::path& path) {
    ASSERT_TRUE(run_session({.files = {path}, .resume = true}));
    ASSERT_EQ(session_->results().size(), 1U);
    EXPECT_EQ(session_->results()[0].failure.value_or(""), "");
    settle();
  }
  [[nodiscard]] std::uint64_t held() const { return session_->results()[0].held; }
};

TEST_F(FileResumeTest, TheSecondAttemptGoesOnWhereTheFirstWasCutOff) {
  const auto bytes = random_bytes(kSize);
  const auto path = add_file("data.bin", bytes);
  cut_off(path);
  ASSERT_EQ(output_.names().size(), 1U);
  EXPECT_TRUE(output_.names()[0].ends_with(".part"));
  send_again(path);
  EXPECT_GT(held(), 7'000'000U);
  EXPECT_EQ(output_.names(), std::vector<std::string>{"data.bin"});
  EXPECT_EQ(read_file(output_ / "data.bin"), bytes);
  EXPECT_LT(session_->statistics().payload_bytes_sent, kSize - 6'000'000);
}

TEST_F(FileResumeTest, AReceiverThatWasStartedAnewHoldsItToo) {
  const auto bytes = random_bytes(kSize);
  const auto path = add_file("data.bin", bytes);
  cut_off(path);
  restart_receiver();
  send_again(path);
  EXPECT_GT(held(), 7'000'000U);
  EXPECT_EQ(read_file(output_ / "data.bin"), bytes);
}

TEST_F(FileResumeTest, AnotherFileOfTheSameNameStartsAnew) {
  cut_off(add_file("data.bin", random_bytes(kSize)));
  const auto other = random_bytes(kSize, 2);
  send_again(add_file("data.bin", other));
  EXPECT_EQ(held(), 0U);
  EXPECT_EQ(output_.names(), std::vector<std::string>{"data.bin"});
  EXPECT_EQ(read_file(output_ / "data.bin"), other);
  EXPECT_EQ(observer_.failed.size(), 1U) << "the one that was cut off";
}

TEST_F(FileResumeTest, AFileThatHasGrownGoesOn) {
  auto bytes = random_bytes(kSize);
  cut_off(add_file("log", bytes));
  bytes.resize(kSize + 1'000'000, 5);
  send_again(add_file("log", bytes));
  EXPECT_GT(held(), 7'000'000U);
  EXPECT_EQ(read_file(output_ / "log"), bytes);
}

TEST_F(FileResumeTest, AFileThatIsShorterThanWhatIsHeldStartsAnew) {
  auto bytes = random_bytes(kSize);
  cut_off(add_file("log", bytes));
  bytes.resize(2'000'000);
  bytes[5] ^= 1;
  send_again(add_file("log", bytes));
  EXPECT_EQ(held(), 0U);
  EXPECT_EQ(read_file(output_ / "log"), bytes);
}

TEST_F(FileResumeTest, WithoutTheWishNothingIsKept) {
  const auto path = add_file("data.bin", random_bytes(kSize));
  start_session({.files = {path}});
  ASSERT_TRUE(pair_.run_until([&] { return progress() > 8'000'000; }));
  pair_.server.endpoint->close(pair_.now, accepted_, "going home");
  ASSERT_TRUE(pair_.run_until([this] { return session_->ended(); }));
  settle();
  EXPECT_TRUE(output_.names().empty());
}

TEST_F(FileResumeTest, WhatIsLeftOfAKilledReceiverIsBelievedUpToItsFirstHole) {
  const auto bytes = random_bytes(kSize);
  const auto path = add_file("data.bin", bytes);
  cut_off(path);
  const auto part = output_ / output_.names()[0];
  // As if the last stream had come before the third one: bytes behind a hole.
  const int file = ::open(part.c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_GE(file, 0);
  ASSERT_EQ(::ftruncate(file, 3'000'000), 0);
  ASSERT_EQ(::pwrite(file, bytes.data() + 20'000'000, 100'000, 20'000'000), 100'000);
  ::close(file);
  send_again(path);
  EXPECT_EQ(held(), 2U << 20);
  EXPECT_EQ(read_file(output_ / "data.bin"), bytes);
}

TEST_F(FileResumeTest, BytesThatWereSpoiledMeanwhileAreSentAnew) {
  const auto bytes = random_bytes(kSize);
  const auto path = add_file("data.bin", bytes);
  cut_off(path);
  const int file = ::open((output_ / output_.names()[0]).c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_GE(file, 0);
  ASSERT_EQ(::pwrite(file, "spoiled", 7, 100), 7);
  ::close(file);
  send_again(path);
  EXPECT_EQ(held(), 0U);
  EXPECT_EQ(read_file(output_ / "data.bin"), bytes);
}

TEST_F(FileResumeTest, ALinkInPlaceOfWhatWasKeptIsNotFollowed) {
  const auto bytes = random_bytes(kSize);
  const auto path = add_file("data.bin", bytes);
  cut_off(path);
  const auto part = output_ / output_.names()[0];
  const auto victim = input_ / "victim";
  write_file(victim, random_bytes(5'000'000));
  std::filesystem::remove(part);
  std::filesystem::create_symlink(victim, part);
  send_again(path);
  EXPECT_EQ(held(), 0U);
  EXPECT_EQ(read_file(victim), random_bytes(5'000'000));
  EXPECT_EQ(read_file(output_ / "data.bin"), bytes);
}

// --- A sender of the test's own ---

class ResumedOffer : public FileReceiverTest {
 protected:
  void offer_resumed(std::uint64_t transfer, std::uint64_t size, std::uint8_t resume = FileOffer::kResume) {
    answers_.clear();
    say(FileOffer{.transfer = transfer, .size = size, .name = "data.bin", .resume = resume});
  }
  // Begins a transfer, sends its beginning and gives it up.
  void leave(const std::vector<std::uint8_t>& bytes, std::size_t sent) {
    offer_resumed(1, bytes.size());
    ASSERT_TRUE(answered<FileAccept>());
    send_piece({.transfer = 1, .offset = 0, .length = sent}, ByteView(bytes).first(sent));
    ASSERT_TRUE(wait([&] { return receiver_->progress() && receiver_->progress()->received == sent; }));
    say(FileCancel{1, "enough"});
    ASSERT_TRUE(wait([this] { return receiver_->unfinished() == 0 && store_->pending() == 0; }));
  }
};

TEST_F(ResumedOffer, IsAnsweredWithLengthAndHashInWholeUnits) {
  const auto bytes = random_bytes(5'000'000);
  leave(bytes, 3'500'000);
  offer_resumed(2, bytes.size());
  ASSERT_TRUE(answered<FileAccept>());
  const std::size_t held = std::size_t{3} << 20;
  EXPECT_EQ(answer<FileAccept>()->held, held);
  EXPECT_EQ(answer<FileAccept>()->held_hash, sha256(ByteView(bytes).first(held)));
  // What is held is not sent again: that breaks a rule.
  send_piece({.transfer = 2, .offset = held, .length = bytes.size() - held}, ByteView(bytes).subspan(held));
  say(FileFinish{2, sha256(bytes)});
  ASSERT_TRUE(answered<FileConfirm>());
  EXPECT_EQ(read_file(output_ / "data.bin"), bytes);
}

TEST_F(ResumedOffer, WhatIsHeldMayBeForgotten) {
  const auto bytes = random_bytes(5'000'000);
  leave(bytes, 3'500'000);
  offer_resumed(2, bytes.size(), FileOffer::kResume | FileOffer::kAnew);
  ASSERT_TRUE(answered<FileAccept>());
  EXPECT_EQ(answer<FileAccept>()->held, 0U);
}

TEST_F(ResumedOffer, WhatIsHeldIsNotReadAgainAndAgain) {
  const auto bytes = random_bytes(3'000'000);
  leave(bytes, 2'500'000);
  offer_resumed(2, bytes.size());
  ASSERT_TRUE(answered<FileAccept>());
  say(FileCancel{2, "enough"});
  ASSERT_TRUE(wait([this] { return receiver_->unfinished() == 0 && store_->pending() == 0; }));
  offer_resumed(3, bytes.size());
  ASSERT_TRUE(answered<FileRefuse>());
  EXPECT_EQ(answer<FileRefuse>()->code, RefuseCode::kTooMany);
  pair_.now += 3s;
  offer_resumed(4, bytes.size());
  ASSERT_TRUE(answered<FileAccept>());
  EXPECT_EQ(answer<FileAccept>()->held, 2U << 20);
}

TEST_F(ResumedOffer, WrongBytesAfterTheHeldOnesLeaveNothing) {
  const auto bytes = random_bytes(2'000'000);
  leave(bytes, 1'500'000);
  offer_resumed(2, bytes.size());
  ASSERT_TRUE(answered<FileAccept>());
  const std::uint64_t held = answer<FileAccept>()->held;
  send_piece({.transfer = 2, .offset = held, .length = bytes.size() - held}, random_bytes(bytes.size() - held, 9));
  say(FileFinish{2, sha256(bytes)});
  EXPECT_NE(cancellation().find("SHA-256 differs"), std::string::npos);
}

TEST_F(ResumedOffer, AKeyThatWasProvedKeepsItsOwn) {
  const auto bytes = random_bytes(3'000'000);
  leave(bytes, 2'500'000);
  receiver_ = std::make_unique<FileReceiver>(
      *pair_.server.endpoint, *store_,
      FileReceiver::Options{.limits = {},
                            .proven_key = [this](ConnectionId) { return pair_.client.endpoint->public_key(); }},
      observer_);
  offer_resumed(2, bytes.size());
  ASSERT_TRUE(answered<FileAccept>());
  EXPECT_EQ(answer<FileAccept>()->held, 0U) << "it is another sender's";
}

}  // namespace
}  // namespace godwit::file_resume_test
