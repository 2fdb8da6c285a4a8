// Files from a FileSendSession to a FileReceiver over two endpoints in memory.

#include "transfer/file_send_session.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <thread>

#include "transfer/file_pair_test_support.h"

namespace godwit {
namespace {

class FileSendSessionTest : public FilePair {
 protected:
  using FilePair::FilePair;
  void expect_all_confirmed() {
    EXPECT_FALSE(session_->failure().has_value()) << *session_->failure();
    for (const SentFile& file : session_->results()) EXPECT_FALSE(file.failure.has_value()) << *file.failure;
  }
};

TEST_F(FileSendSessionTest, AFileArrivesUnderItsNameWithItsHash) {
  const auto bytes = random_bytes(20'000'000);
  ASSERT_TRUE(run_session({.files = {add_file("data.bin", bytes)}}));
  expect_all_confirmed();
  ASSERT_EQ(session_->results().size(), 1U);
  const SentFile& sent = session_->results().front();
  EXPECT_EQ(sent.name, "data.bin");
  EXPECT_EQ(sent.size, bytes.size());
  EXPECT_EQ(sent.hash, sha256(bytes));
  EXPECT_GT(sent.elapsed, 1ms);
  ASSERT_EQ(observer_.received.size(), 1U);
  EXPECT_EQ(observer_.received[0].name, "data.bin");
  EXPECT_EQ(observer_.received[0].hash, sent.hash);
  EXPECT_EQ(output_.names(), std::vector<std::string>{"data.bin"});
  EXPECT_EQ(read_file(output_ / "data.bin"), bytes);
  EXPECT_EQ(session_->sent_bytes(), session_->total_bytes());
  EXPECT_EQ(receiver_->unfinished(), 0U);
}

TEST_F(FileSendSessionTest, SizesAtTheEdgesOfFragmentsBlocksAndStreams) {
  std::map<std::string, std::vector<std::uint8_t>> contents;
  std::vector<std::filesystem::path> files;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{1097}, std::size_t{1098}, std::size_t{1099}, FileBlock::kBytes - 1,
        FileBlock::kBytes, FileBlock::kBytes + 1, std::size_t{kDataStreamBytes} - 1, std::size_t{kDataStreamBytes},
        std::size_t{kDataStreamBytes} + 1}) {
    const std::string name = std::to_string(size);
    contents[name] = random_bytes(size, size);
    files.push_back(add_file(name, contents[name]));
  }
  ASSERT_TRUE(run_session({.files = files}));
  expect_all_confirmed();
  for (const auto& [name, bytes] : contents) EXPECT_EQ(read_file(output_ / name), bytes) << name;
}

TEST_F(FileSendSessionTest, LossDelaysAndSpoilsNothing) {
  pair_.loss = 0.02;
  pair_.delay = 5ms;
  const auto bytes = random_bytes(5'000'000);
  ASSERT_TRUE(run_session({.files = {add_file("data.bin", bytes)}}));
  expect_all_confirmed();
  EXPECT_EQ(read_file(output_ / "data.bin"), bytes);
  EXPECT_GT(session_->statistics().packets_retransmitted, 0U);
}

TEST_F(FileSendSessionTest, TheSmallestWindowStillGoesOn) {
  make_receiver({.window = 1});
  const auto bytes = random_bytes(1'000'000);
  ASSERT_TRUE(run_session({.files = {add_file("data.bin", bytes)}}));
  expect_all_confirmed();
  EXPECT_EQ(read_file(output_ / "data.bin"), bytes);
}

TEST_F(FileSendSessionTest, ManyFilesNeedFewDescriptorsAndEqualNamesGetNumbers) {
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  // Both sides are this process: the receiver has a file open for each that it has accepted.
  const rlimit few{192, before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &few);
  std::vector<std::filesystem::path> files;
  for (int i = 0; i < 600; ++i) files.push_back(add_file("f" + std::to_string(i), random_bytes(10)));
  files.push_back(files.front());
  EXPECT_TRUE(run_session({.files = files}));
  ::setrlimit(RLIMIT_NOFILE, &before);
  expect_all_confirmed();
  EXPECT_EQ(session_->results().size(), 601U);
  EXPECT_EQ(output_.names().size(), 601U);
  EXPECT_EQ(read_file(output_ / "f0.1"), random_bytes(10));
}

TEST_F(FileSendSessionTest, MoreMessagesThanTheQueueHoldsGoBeforeTheFiles) {
  Config config = EndpointPair::chunk_config();
  std::vector<std::vector<std::uint8_t>> messages(2 * config.send_queue.max_messages, {'h', 'i'});
  ASSERT_TRUE(run_session({.files = {add_file("data.bin", random_bytes(10))}, .messages = messages}));
  expect_all_confirmed();
  EXPECT_EQ(session_->messages_confirmed(), messages.size());
  ASSERT_EQ(observer_.messages.size(), messages.size());
  EXPECT_EQ(observer_.messages[0].bytes, 2U);
  EXPECT_EQ(observer_.messages[0].hash, sha256(messages[0]));
  EXPECT_EQ(observer_.received.size(), 1U);
}

TEST_F(FileSendSessionTest, EachFileSucceedsOrFailsByItself) {
  ASSERT_TRUE(run_session({.files = {add_file("one", random_bytes(10)), input_ / "missing", "/dev/full",
                                     add_file("two", random_bytes(10))}}));
  EXPECT_FALSE(session_->failure().has_value());
  ASSERT_EQ(session_->results().size(), 4U);
  EXPECT_NE(session_->results()[0].failure.value_or("").find("No such file"), std::string::npos);
  EXPECT_NE(session_->results()[1].failure.value_or("").find("is a device"), std::string::npos);
  EXPECT_EQ(output_.names(), (std::vector<std::string>{"one", "two"}));
}

TEST_F(FileSendSessionTest, WithNothingReadableNobodyIsConnectedTo) {
  start_session({.files = {input_ / "missing"}});
  EXPECT_TRUE(session_->ended());
  EXPECT_EQ(session_->results().size(), 1U);
  EXPECT_EQ(pair_.client.endpoint->connection_count(), 0U);
}

TEST_F(FileSendSessionTest, ManySmallFilesTakeAFewRoundTripsMoreThanTheirBytes) {
  pair_.delay = 20ms;
  std::vector<std::filesystem::path> files;
  for (int i = 0; i < 400; ++i) files.push_back(add_file("f" + std::to_string(i), random_bytes(1000)));
  const Instant began = pair_.now;
  ASSERT_TRUE(run_session({.files = files}));
  expect_all_confirmed();
  EXPECT_EQ(output_.names().size(), 400U);
  // Virtual time: 400 files one after another would take 48 s, four at a time 12 s.
  EXPECT_LT(pair_.now - began, 1s);
}

TEST_F(FileSendSessionTest, AReceiverWithFewPlacesGetsEveryFileToo) {
  make_receiver({.files_of_a_peer = 3});
  std::vector<std::filesystem::path> files;
  for (int i = 0; i < 100; ++i) files.push_back(add_file("f" + std::to_string(i), random_bytes(1000)));
  ASSERT_TRUE(run_session({.files = files}));
  expect_all_confirmed();
  EXPECT_EQ(output_.names().size(), 100U);
}

TEST_F(FileSendSessionTest, FewDescriptorsOnBothSidesAreEnoughForManyFiles) {
  if (DescriptorLimit::kSanitizerNeedsSome) GTEST_SKIP() << "a sanitizer needs descriptors of its own";
  std::vector<std::filesystem::path> files;
  for (int i = 0; i < 40; ++i) files.push_back(add_file("f" + std::to_string(i), random_bytes(100'000)));
  const DescriptorLimit few(3);
  ASSERT_TRUE(run_session({.files = files}));
  EXPECT_EQ(observer_.received.size(), 40U);
  for (const SentFile& file : session_->results()) EXPECT_FALSE(file.failure) << *file.failure;
}

TEST_F(FileSendSessionTest, SizesThatNoFolderSaysAreSentToTheirEnd) {
  const auto bytes = random_bytes(1'000'000);
  ASSERT_EQ(::mkfifo((input_ / "pipe").c_str(), 0600), 0);
  std::thread writer([&] { write_file(input_ / "pipe", bytes); });
  const bool ended = run_session({.files = {"/proc/cpuinfo", input_ / "pipe", add_file("plain", random_bytes(10))}});
  writer.join();
  ASSERT_TRUE(ended);
  expect_all_confirmed();
  EXPECT_EQ(read_file(output_ / "pipe"), bytes);
  EXPECT_FALSE(read_file(output_ / "cpuinfo").empty());
  EXPECT_EQ(output_.names().size(), 3U);
}

TEST_F(FileSendSessionTest, AFileThatGrowsIsNeverConfirmedWithItsOldSize) {
  for (const std::size_t size : {std::size_t{3'000'000}, std::size_t{1000}}) {
    const auto path = add_file("data.bin", random_bytes(size));
    pair_.delay = 20ms;
    start_session({.files = {path, add_file("other", random_bytes(10))}});
    ASSERT_TRUE(pair_.run_until([this] { return session_->sent_bytes() > 100; }));
    std::filesystem::resize_file(path, size + 1000);
    ASSERT_TRUE(pair_.run_until([this] { return session_->ended(); }));
    ASSERT_EQ(session_->results().size(), 2U);
    for (const SentFile& file : session_->results()) {
      EXPECT_EQ(file.failure.value_or(""), file.name == "other" ? "" : "'data.bin' grew while it was being sent");
    }
  }
}

TEST_F(FileSendSessionTest, StrangeNamesAreOfferedUnderAcceptableOnes) {
  ASSERT_TRUE(run_session({.files = {add_file("caf\xe9.txt", random_bytes(10)), add_file(".hidden", random_bytes(10)),
                                     add_file("a\\b", random_bytes(10)), add_file("good", random_bytes(10))}}));
  expect_all_confirmed();
  EXPECT_EQ(output_.names(), (std::vector<std::string>{"%2Ehidden", "a%5Cb", "caf%E9.txt", "good"}));
}

TEST_F(FileSendSessionTest, TheUserMayNameTheFile) {
  ASSERT_TRUE(run_session({.files = {add_file("stdin", random_bytes(10))}, .name = "report.txt"}));
  expect_all_confirmed();
  EXPECT_EQ(output_.names(), std::vector<std::string>{"report.txt"});
}

TEST_F(FileSendSessionTest, ModeAndTimeTravel) {
  const auto path = add_file("tool", random_bytes(10));
  ASSERT_EQ(::chmod(path.c_str(), 06755), 0);
  const timespec times[2] = {{.tv_sec = 5, .tv_nsec = 0}, {.tv_sec = 1'577'836'800, .tv_nsec = 7}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  ASSERT_TRUE(run_session({.files = {path}}));
  expect_all_confirmed();
  struct stat status{};
  ASSERT_EQ(::stat((output_ / "tool").c_str(), &status), 0);
  const mode_t mask = ::umask(0);
  ::umask(mask);
  EXPECT_EQ(status.st_mode & 07777U, 0755U & ~mask);
  EXPECT_EQ(status.st_mtim.tv_sec, 1'577'836'800);
  EXPECT_EQ(status.st_mtim.tv_nsec, 7);
}

// A receiver that demands a proof of the sender's key connects back over the connection that it has.
TEST_F(FileSendSessionTest, AReceiverThatConnectsBackGetsTheFiles) {
  FileSendSession::Options options;
  for (int i = 0; i < 20; ++i) options.files.push_back(add_file(std::to_string(i), random_bytes(1000)));
  options.messages = {{'h', 'i'}};
  pair_.server.on_event = [this, back = ConnectionId{0}](Instant now, ConnectionId id, Event& event) mutable {
    if (back == 0 && std::holds_alternative<Connected>(event)) {
      back = *pair_.server.endpoint->connect(now, pair_.client.address, pair_.client.endpoint->public_key());
    }
    // Nothing that the first connection says is heard.
    if (id == back) receiver_->on_event(now, id, event);
  };
  ASSERT_TRUE(run_session(std::move(options)));
  expect_all_confirmed();
  EXPECT_EQ(session_->messages_confirmed(), 1U);
  EXPECT_EQ(output_.names().size(), 20U);
}

TEST_F(FileSendSessionTest, AFileThatGoesBeforeItsTurnFailsAlone) {
  FileSendSession::Options options{.parallel = 1};
  for (const char* name : {"one", "two", "three"}) options.files.push_back(add_file(name, random_bytes(1000)));
  start_session(std::move(options));
  std::filesystem::remove(input_ / "two");
  ASSERT_TRUE(pair_.run_until([this] { return session_->ended(); }));
  EXPECT_FALSE(session_->failure().has_value());
  ASSERT_EQ(session_->results().size(), 3U);
  for (const SentFile& file : session_->results()) EXPECT_EQ(file.failure.has_value(), file.name == "two");
  EXPECT_EQ(output_.names(), (std::vector<std::string>{"one", "three"}));
}

TEST_F(FileSendSessionTest, AFileThatShrinksFailsItselfAndLeavesNothing) {
  const auto path = add_file("data.bin", random_bytes(40 * FileReader::kBlockBytes));
  start_session({.files = {path, add_file("other", random_bytes(10))}});
  ASSERT_TRUE(pair_.run_until([this] { return session_->sent_bytes() > FileReader::kBlockBytes; }));
  std::filesystem::resize_file(path, FileReader::kBlockBytes);
  ASSERT_TRUE(pair_.run_until([this] { return session_->ended() && receiver_->unfinished() == 0; }));
  for (const SentFile& file : session_->results()) {
    EXPECT_EQ(file.failure.value_or(""), file.name == "other" ? "" : "'data.bin' shrank while it was being sent");
  }
  ASSERT_EQ(observer_.failed.size(), 1U);
  EXPECT_NE(observer_.failed[0].second.find("shrank"), std::string::npos);
  ASSERT_TRUE(pair_.run_until([this] { return store_->pending() == 0; }));
  EXPECT_EQ(output_.names(), std::vector<std::string>{"other"});
}

TEST_F(FileSendSessionTest, AFullDiskAtTheReceiverIsTheSendersErrorToo) {
  const FileSizeLimit limit(2'000'000);
  // The limit holds for this process as a whole: the source is made of a hole.
  write_file(input_ / "data.bin", random_bytes(1));
  std::filesystem::resize_file(input_ / "data.bin", 2'000'000);
  const auto big = input_ / "big.bin";
  std::filesystem::create_symlink("data.bin", big);
  const FileSizeLimit tighter(1'000'000);
  ASSERT_TRUE(run_session({.files = {big}}));
  ASSERT_EQ(session_->results().size(), 1U);
  const std::string why = session_->results()[0].failure.value_or("");
  EXPECT_NE(why.find("the receiver gave 'big.bin' up: the file cannot be written"), std::string::npos) << why;
  ASSERT_EQ(observer_.failed.size(), 1U);
  EXPECT_TRUE(output_.names().empty());
}

TEST_F(FileSendSessionTest, AReceiverThatIsGoneEndsEveryFileWithOneReason) {
  const auto path = add_file("data.bin", random_bytes(30'000'000));
  start_session({.files = {path, add_file("other", random_bytes(10'000'000))}, .parallel = 1});
  ASSERT_TRUE(pair_.run_until([this] { return session_->sent_bytes() > 1'000'000; }));
  pair_.server.endpoint->close(pair_.now, accepted_, "going home");
  ASSERT_TRUE(pair_.run_until([this] { return session_->ended(); }));
  EXPECT_NE(session_->failure().value_or("").find("going home"), std::string::npos);
  ASSERT_EQ(session_->results().size(), 2U);
  for (const SentFile& file : session_->results()) EXPECT_EQ(file.failure, session_->failure());
  ASSERT_TRUE(pair_.run_until([this] { return store_->pending() == 0; }));
  EXPECT_TRUE(output_.names().empty());
  EXPECT_EQ(observer_.failed.size(), 1U);
}

TEST_F(FileSendSessionTest, ASenderThatVanishesLeavesNoFile) {
  start_session({.files = {add_file("data.bin", random_bytes(30'000'000))}});
  ASSERT_TRUE(pair_.run_until([this] { return session_->sent_bytes() > 1'000'000; }));
  EXPECT_EQ(output_.names().size(), 1U);
  // As if the process had been killed: nothing leaves it any more.
  pair_.loss = 1;
  ASSERT_TRUE(pair_.run_until([this] { return receiver_->unfinished() == 0; }, 700s));
  ASSERT_TRUE(pair_.run_until([this] { return store_->pending() == 0; }));
  EXPECT_TRUE(output_.names().empty());
  ASSERT_EQ(observer_.failed.size(), 1U);
  EXPECT_EQ(observer_.failed[0].first, "data.bin");
}

// A NAT gives it another port: the receiver cannot know that it is the same sender, unless it is told.
TEST_F(FileSendSessionTest, ASenderThatMovesInMidFileLeavesOneFileBehind) {
  const auto bytes = random_bytes(30'000'000);
  start_session({.files = {add_file("data.bin", bytes)}});
  ASSERT_TRUE(pair_.run_until([this] { return session_->sent_bytes() > 1'000'000; }));
  pair_.move(pair_.client, *SocketAddress::parse("10.0.0.1:1001"));
  ASSERT_TRUE(pair_.run_until([this] { return session_->ended(); }));
  expect_all_confirmed();
  EXPECT_EQ(session_->reconnections(), 1U);
  ASSERT_TRUE(pair_.run_until([this] { return receiver_->unfinished() == 0 && store_->pending() == 0; }));
  EXPECT_EQ(output_.names(), std::vector<std::string>{"data.bin"});
  EXPECT_EQ(read_file(output_ / "data.bin"), bytes);
}

// The acknowledgement of the handshake is the last that gets through for a while, and the receiver gives it up.
TEST_F(FileSendSessionTest, WhatIsLostWithTheFirstSessionIsSaidAgain) {
  start_session({.files = {add_file("data.bin", random_bytes(1'000'000))}, .messages = {{'h', 'i'}}});
  pair_.client.on_event = [this](Instant now, ConnectionId id, Event& event) {
    if (session_->sent_bytes() == 0 && std::holds_alternative<Connected>(event)) pair_.loss = 1;
    session_->on_event(now, id, event);
  };
  EXPECT_FALSE(pair_.run_until([this] { return session_->ended(); }, 6s));
  pair_.loss = 0;
  ASSERT_TRUE(pair_.run_until([this] { return session_->ended(); }));
  expect_all_confirmed();
  EXPECT_EQ(session_->messages_confirmed(), 1U);
}

TEST_F(FileSendSessionTest, ACancelledSessionTellsTheReceiverWhy) {
  start_session({.files = {add_file("data.bin", random_bytes(30'000'000))}});
  ASSERT_TRUE(pair_.run_until([this] { return session_->sent_bytes() > 1'000'000; }));
  session_->cancel(pair_.now, "interrupted");
  ASSERT_TRUE(pair_.run_until([this] { return receiver_->unfinished() == 0 && store_->pending() == 0; }));
  ASSERT_EQ(observer_.failed.size(), 1U);
  EXPECT_EQ(observer_.failed[0].second, "the sender gave it up: interrupted");
  EXPECT_TRUE(output_.names().empty());
}

TEST_F(FileSendSessionTest, AReceiverThatCancelsTellsTheSenderWhy) {
  start_session({.files = {add_file("data.bin", random_bytes(30'000'000))}});
  ASSERT_TRUE(pair_.run_until([this] { return session_->sent_bytes() > 1'000'000; }));
  receiver_->cancel_all(pair_.now, "the receiver ends");
  ASSERT_TRUE(pair_.run_until([this] { return session_->ended() && store_->pending() == 0; }));
  EXPECT_EQ(session_->results()[0].failure.value_or(""), "the receiver gave 'data.bin' up: the receiver ends");
  EXPECT_TRUE(output_.names().empty());
}

TEST_F(FileSendSessionTest, APeerThatAnswersNoOfferIsGivenUp) {
  receiver_.reset();
  ASSERT_TRUE(run_session({.files = {add_file("data.bin", random_bytes(10))}}));
  EXPECT_NE(session_->results()[0].failure.value_or("").find("does not answer the offer of 'data.bin'"),
            std::string::npos);
}

TEST_F(FileSendSessionTest, APeerThatIsNotThereIsNamed) {
  pair_.loss = 1;
  ASSERT_TRUE(run_session({.files = {add_file("data.bin", random_bytes(10))}}));
  EXPECT_FALSE(session_->connected());
  EXPECT_NE(session_->failure().value_or("").find("cannot connect to 10.0.0.2:2000"), std::string::npos);
}

class RenewingSessionTest : public FileSendSessionTest {
 protected:
  RenewingSessionTest() : FileSendSessionTest(config()) {}
  static Config config() {
    Config config = EndpointPair::chunk_config();
    config.soft_packet_limit = 3000;
    return config;
  }
};

TEST_F(RenewingSessionTest, FilesGoOnOverTheConnectionsThatFollowOneAnother) {
  const auto big = random_bytes(50'000'000);
  std::vector<std::filesystem::path> files{add_file("big", big)};
  for (int i = 0; i < 20; ++i) files.push_back(add_file(std::to_string(i), random_bytes(100'000)));
  ASSERT_TRUE(run_session({.files = files}));
  expect_all_confirmed();
  EXPECT_EQ(read_file(output_ / "big"), big);
  EXPECT_EQ(output_.names().size(), files.size());
  // Counters of the connections that are gone are part of the sum.
  EXPECT_GT(session_->statistics().packets_sent, big.size() / 1130);
  EXPECT_GT(pair_.server.endpoint->statistics().sessions_replaced, 1U);
}

// --- A receiver of the test's own ---

class ScriptedReceiver : public FilePair {
 protected:
  // Answers of the test to what the session says.
  void script(std::function<void(Instant, ConnectionId, const ControlMessage&)> on_control) {
    pair_.server.on_event = [on_control = std::move(on_control)](Instant now, ConnectionId id, Event& event) {
      const auto* message = std::get_if<MessageReceived>(&event);
      if (message == nullptr) return;
      if (const auto control = decode_control(message->payload)) on_control(now, id, *control);
    };
  }
  void answer_with(Instant now, ConnectionId id, const ControlMessage& message) {
    EXPECT_TRUE(send_control(now, *pair_.server.endpoint, id, message).has_value());
  }
  [[nodiscard]] std::string failure_of(FileSendSession::Options options) {
    if (!run_session(std::move(options), 2000s)) return "not ended";
    return session_->results()[0].failure.value_or("none");
  }
};

TEST_F(ScriptedReceiver, ARefusalIsPassedOn) {
  script([this](Instant now, ConnectionId id, const ControlMessage& message) {
    const auto* offer = std::get_if<FileOffer>(&message);
    if (offer != nullptr) answer_with(now, id, FileRefuse{offer->transfer, RefuseCode::kTooLarge, "no \x1b[2J room"});
  });
  EXPECT_NE(failure_of({.files = {add_file("a", random_bytes(10))}}).find("refuses 'a': no"), std::string::npos);
}

TEST_F(ScriptedReceiver, OneThatTakesAPlaceBackIsOfferedTheFileAnew) {
  std::vector<std::uint64_t> offers;
  script([this, &offers](Instant now, ConnectionId id, const ControlMessage& message) {
    const auto* offer = std::get_if<FileOffer>(&message);
    if (offer == nullptr) return;
    offers.push_back(offer->transfer);
    accepted_ = id;
    answer_with(now, id, FileAccept{.transfer = offer->transfer, .window = 100'000});
  });
  start_session({.files = {add_file("a", random_bytes(1'000'000))}});
  ASSERT_TRUE(pair_.run_until([this] { return session_->sent_bytes() > 50'000; }));
  answer_with(pair_.now, accepted_, FileRefuse{offers[0], RefuseCode::kTooMany, "too slow"});
  ASSERT_TRUE(pair_.run_until([&offers] { return offers.size() == 2; }));
  EXPECT_NE(offers[0], offers[1]);
  EXPECT_FALSE(session_->ended());
}
TEST_F(ScriptedReceiver, OneWithoutAPlaceIsAskedAgainAndNotForEver) {
  int offers = 0;
  script([this, &offers](Instant now, ConnectionId id, const ControlMessage& message) {
    const auto* offer = std::get_if<FileOffer>(&message);
    if (offer == nullptr) return;
    ++offers;
    answer_with(now, id, FileRefuse{offer->transfer, RefuseCode::kTooMany, "come back later"});
  });
  EXPECT_NE(failure_of({.files = {add_file("a", random_bytes(10))}}).find("refuses 'a': come back later"),
            std::string::npos);
  EXPECT_GT(offers, 10);
  EXPECT_LT(offers, 200);
}

TEST_F(ScriptedReceiver, AnotherHashThanItsOwnIsNoConfirmation) {
  script([this](Instant now, ConnectionId id, const ControlMessage& message) {
    if (const auto* offer = std::get_if<FileOffer>(&message)) {
      // A confirmation that comes too early counts for nothing.
      answer_with(now, id, FileConfirm{offer->transfer, {}});
      answer_with(now, id, FileAccept{offer->transfer, 1 << 20});
    }
    if (const auto* finish = std::get_if<FileFinish>(&message)) {
      answer_with(now, id, FileConfirm{finish->transfer + 1, finish->hash});
      auto hash = finish->hash;
      hash[0] ^= 1;
      answer_with(now, id, FileConfirm{finish->transfer, hash});
    }
  });
  EXPECT_EQ(failure_of({.files = {add_file("a", random_bytes(10))}}), "the receiver's SHA-256 of 'a' differs");
}

TEST_F(ScriptedReceiver, OneThatTakesNoMoreIsGivenUp) {
  script([this](Instant now, ConnectionId id, const ControlMessage& message) {
    const auto* offer = std::get_if<FileOffer>(&message);
    if (offer != nullptr) answer_with(now, id, FileAccept{offer->transfer, 100'000});
  });
  EXPECT_EQ(failure_of({.files = {add_file("a", random_bytes(1'000'000))}}), "the receiver takes no more of 'a'");
  // Within the window of the accept, header included.
  EXPECT_LE(session_->statistics().payload_bytes_sent, 100'000U + 1000U);
}

TEST_F(ScriptedReceiver, OneThatNeverConfirmsIsGivenUp) {
  script([this](Instant now, ConnectionId id, const ControlMessage& message) {
    const auto* offer = std::get_if<FileOffer>(&message);
    if (offer != nullptr) answer_with(now, id, FileAccept{offer->transfer, 100'000});
  });
  EXPECT_EQ(failure_of({.files = {add_file("a", random_bytes(1000))}}), "the receiver does not confirm 'a'");
}

TEST_F(ScriptedReceiver, GarbageChangesNothing) {
  DeterministicRandom random(5);
  script([this, &random](Instant now, ConnectionId id, const ControlMessage& message) {
    const auto* offer = std::get_if<FileOffer>(&message);
    const std::uint64_t transfer = offer != nullptr ? offer->transfer : 0;
    for (int i = 0; i < 50; ++i) {
      // The magic, any type, a transfer that is or is not there, and noise; refusals and cancellations of it aside.
      std::vector<std::uint8_t> bytes(5 + random.below(60));
      random.fill(bytes);
      std::copy(kControlMagic.begin(), kControlMagic.end(), bytes.begin());
      bytes[4] = static_cast<std::uint8_t>(random.below(40));
      const bool ends = bytes[4] == 3 || bytes[4] == 7;
      if (bytes.size() >= 13 && !ends && random.below(2) == 0) store_le(bytes.data() + 5, transfer);
      EXPECT_TRUE(pair_.server.endpoint->send(now, id, Body::owned(std::move(bytes))).has_value());
    }
    if (offer != nullptr) answer_with(now, id, FileRefuse{transfer, RefuseCode::kOther, "enough"});
  });
  const std::string why = failure_of({.files = {add_file("a", random_bytes(10))}});
  EXPECT_TRUE(why.find("enough") != std::string::npos || why.find("differs") != std::string::npos) << why;
}

}  // namespace
}  // namespace godwit
