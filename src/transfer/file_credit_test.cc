// Files and performance runs between two Godwits: the transport's flow control holds senders back, and no credit of
// this protocol is sent (docs/file_transfer.md section 3).

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "transfer/credit_window.h"
#include "transfer/file_pair_test_support.h"
#include "transfer/perf_test_support.h"

namespace godwit::file_credit_test {

constexpr std::uint64_t kStreamWindow = 256 << 10;
constexpr std::uint64_t kConnectionWindow = 1 << 20;

[[nodiscard]] Config by_hand_config() {
  Config config = EndpointPair::chunk_config();
  config.handshake.extended = ExtendedPolicy::kAuto;
  config.handshake.flow = {.stream = kStreamWindow, .connection = kConnectionWindow, .by_hand = true};
  return config;
}

class FileCreditTest : public FilePair {
 protected:
  FileCreditTest() : FilePair(by_hand_config()) { make_receiver({.window = kStreamWindow}); }

  // As start_session(), and counts the credit that comes.
  void start_counting(FileSendSession::Options options) {
    start_session(std::move(options));
    pair_.client.on_event = [this](Instant now, ConnectionId id, Event& event) {
      if (const auto* message = std::get_if<MessageReceived>(&event)) {
        const auto control = decode_control(message->payload);
        if (control && std::holds_alternative<StreamCredit>(*control)) ++credits_;
        if (control && std::holds_alternative<FileAccept>(*control)) windows_.push_back(window_of(*control));
      }
      session_->on_event(now, id, event);
    };
  }
  [[nodiscard]] static std::uint64_t window_of(const ControlMessage& message) {
    return std::get<FileAccept>(message).window;
  }
  void expect_all_confirmed() {
    EXPECT_FALSE(session_->failure().has_value()) << *session_->failure();
    for (const SentFile& file : session_->results()) EXPECT_FALSE(file.failure.has_value()) << *file.failure;
  }

  std::size_t credits_ = 0;
  std::vector<std::uint64_t> windows_;
};

TEST_F(FileCreditTest, NoCreditIsSentWhereTheTransportHoldsTheSenderBack) {
  const auto bytes = random_bytes(40'000'000);
  start_counting({.files = {add_file("data.bin", bytes), add_file("small", random_bytes(1000))}});
  ASSERT_TRUE(pair_.run_until([this] { return session_->ended(); }, 600s));
  expect_all_confirmed();
  EXPECT_EQ(read_file(output_ / "data.bin"), bytes);
  EXPECT_EQ(credits_, 0U);
  EXPECT_EQ(windows_, (std::vector<std::uint64_t>{kNoWindow, kNoWindow}));
}

TEST_F(FileCreditTest, ADiskThatStandsStillHoldsTheSenderBackForAsLong) {
  start_counting({.files = {add_file("data.bin", random_bytes(20'000'000))}});
  ASSERT_TRUE(pair_.run_until([this] { return receiver_->progress() && receiver_->progress()->received > 0; }));
  pair_.server.on_turn = [](Instant) {};
  static_cast<void>(pair_.run_until([] { return false; }, 100ms));
  const std::uint64_t held = receiver_->progress()->received;
  static_cast<void>(pair_.run_until([] { return false; }, 100ms));
  EXPECT_EQ(receiver_->progress()->received, held);
  EXPECT_LE(session_->sent_bytes(), held + kConnectionWindow);
  pair_.server.on_turn = [this](Instant now) { receiver_->on_turn(now); };
  ASSERT_TRUE(pair_.run_until([this] { return session_->ended(); }, 600s));
  expect_all_confirmed();
  EXPECT_EQ(credits_, 0U);
}

// 64 small files and four large ones share a connection window that their blocks would more than fill.
TEST_F(FileCreditTest, BlocksThatAreNotFullNeverHoldTheCreditThatWouldFillThem) {
  std::vector<std::filesystem::path> files;
  for (int index = 0; index < 4; ++index) {
    files.push_back(add_file("large" + std::to_string(index), random_bytes(3'000'000)));
  }
  for (int index = 0; index < 200; ++index) {
    files.push_back(add_file("small" + std::to_string(index), random_bytes(200'000)));
  }
  start_counting({.files = files});
  ASSERT_TRUE(pair_.run_until([this] { return session_->ended(); }, 300s));
  expect_all_confirmed();
  EXPECT_EQ(observer_.received.size(), files.size());
  EXPECT_EQ(credits_, 0U);
}

// Windows shrink below what the transport grants when memory is short: then, and only then, there is credit.
TEST_F(FileCreditTest, WhereMemoryIsShortTheSmallerWindowIsKeptByCredit) {
  make_receiver({.window = kStreamWindow, .block_memory = 1 << 20});
  const auto bytes = random_bytes(2'000'000);
  start_counting({.files = {add_file("data.bin", bytes)}});
  ASSERT_TRUE(pair_.run_until([this] { return session_->ended(); }, 300s));
  expect_all_confirmed();
  EXPECT_EQ(read_file(output_ / "data.bin"), bytes);
  EXPECT_GT(credits_, 0U);
  ASSERT_EQ(windows_.size(), 1U);
  EXPECT_LT(windows_[0], kStreamWindow);
}

class CreditReturns : public FileCreditTest {
 protected:
  CreditReturns() { connect_raw(); }
  // A whole file through the connection that has been used.
  void expect_a_file_arrives(std::uint64_t transfer) {
    const auto bytes = random_bytes(5'000'000, transfer);
    const std::string name = "after" + std::to_string(transfer);
    offer(transfer, bytes.size(), name);
    ASSERT_TRUE(answered<FileAccept>());
    send_piece({.transfer = transfer, .offset = 0, .length = bytes.size()}, bytes);
    say(FileFinish{.transfer = transfer, .hash = sha256(bytes)});
    ASSERT_TRUE(answered<FileConfirm>());
    EXPECT_EQ(read_file(output_ / name), bytes);
  }
};

// What has come of a file waits for the disk when the file is given up: in complete streams, and in one that is not.
TEST_F(CreditReturns, WhenAFileIsGivenUpThatTheDiskHasNotTaken) {
  for (std::uint64_t transfer = 1; transfer <= 12; ++transfer) {
    offer(transfer, 1'000'000, "cut" + std::to_string(transfer));
    ASSERT_TRUE(answered<FileAccept>());
    pair_.server.on_turn = [](Instant) {};
    send_piece({.transfer = transfer, .offset = 0, .length = 100'000}, random_bytes(100'000));
    const MessageId open =
        send_piece({.transfer = transfer, .offset = 100'000, .length = 900'000}, random_bytes(900'000), 50'000);
    static_cast<void>(pair_.run_until([] { return false; }, 40ms));
    say(FileCancel{.transfer = transfer, .text = "changed my mind"});
    pair_.client.endpoint->cancel(pair_.now, raw_, open);
    static_cast<void>(pair_.run_until([] { return false; }, 40ms));
    pair_.server.on_turn = [this](Instant now) { receiver_->on_turn(now); };
    static_cast<void>(pair_.run_until([] { return false; }, 40ms));
  }
  EXPECT_EQ(observer_.failed.size(), 12U);
  expect_a_file_arrives(20);
}

TEST_F(CreditReturns, OfStreamsOfOtherApplicationsAndOfThoseThatAreRefused) {
  const auto foreign = random_bytes(200'000);
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE(pair_.client.endpoint
                    ->send(pair_.now, raw_, Body::owned(foreign), {.as = SendAs::kStream, .send_limit = kUnlimited})
                    .has_value());
    send_piece({.transfer = 777, .offset = 0, .length = 200'000}, random_bytes(200'000));
    static_cast<void>(pair_.run_until([] { return false; }, 1s));
  }
  EXPECT_EQ(observer_.messages.size(), 20U);
  expect_a_file_arrives(21);
}

// A stream that is reset in the same moment as its bytes come frees nothing that is another stream's.
TEST_F(CreditReturns, ButNotTwiceForAStreamThatIsReset) {
  offer(1, 100'000'000, "slow");
  ASSERT_TRUE(answered<FileAccept>());
  pair_.server.on_turn = [](Instant) {};
  std::uint64_t offset = 0;
  for (int round = 0; round < 60; ++round) {
    // Complete streams that the disk does not take, until no credit is left, and foreign ones that are cut off.
    send_piece({.transfer = 1, .offset = offset, .length = 50'000}, random_bytes(50'000));
    offset += 50'000;
    const auto cut = pair_.client.endpoint->send(pair_.now, raw_, Body::owned(random_bytes(100'000)),
                                                 {.as = SendAs::kStream, .send_limit = 30'000});
    ASSERT_TRUE(cut.has_value());
    static_cast<void>(pair_.run_until([] { return false; }, 4ms));
    pair_.client.endpoint->cancel(pair_.now, raw_, *cut);
    static_cast<void>(pair_.run_until([] { return false; }, 4ms));
  }
  EXPECT_LE(receiver_->progress()->received, kConnectionWindow);
  EXPECT_GT(receiver_->progress()->received, kConnectionWindow / 2);
}

TEST(PerfCredit, NoCreditIsSentInAnExtendedSession) {
  for (const bool extended : {true, false}) {
    Config config = EndpointPair::chunk_config();
    config.handshake.extended = extended ? ExtendedPolicy::kAuto : ExtendedPolicy::kOff;
    config.handshake.flow = {.stream = kStreamWindow, .connection = kConnectionWindow, .by_hand = false};
    RunScene scene(options_for(true, true, 20'000'000, 3), config, config);
    std::size_t credits = 0;
    for (EndpointPair::Side* const side : {&scene.pair.client, &scene.pair.server}) {
      side->on_event = [&credits, inner = side->on_event](Instant now, ConnectionId id, Event& event) {
        if (const auto* message = std::get_if<MessageReceived>(&event)) {
          const auto control = decode_control(message->payload);
          if (control && std::holds_alternative<StreamCredit>(*control)) ++credits;
        }
        inner(now, id, event);
      };
    }
    ASSERT_TRUE(scene.run());
    scene.expect_success(20'000'000);
    EXPECT_EQ(credits == 0, extended) << credits;
  }
}

}  // namespace godwit::file_credit_test
