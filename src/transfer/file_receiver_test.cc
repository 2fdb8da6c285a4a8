// A FileReceiver against senders that break the rules of docs/file_transfer.md.

#include "transfer/file_receiver.h"

#include <gtest/gtest.h>

#include "transfer/file_receiver_test_support.h"

namespace godwit {
namespace {

TEST_F(FileReceiverTest, PiecesInAnyOrderMakeTheFile) {
  const auto bytes = random_bytes(900'000);
  begin(5, bytes.size());
  for (const std::size_t at : {600'000U, 0U, 300'000U}) {
    send_piece({.transfer = 5, .offset = at, .length = 300'000}, ByteView(bytes).subspan(at, 300'000));
  }
  ASSERT_TRUE(wait([this] { return confirmed_.size() >= 3; }));
  say(FileFinish{.transfer = 5, .hash = sha256(bytes)});
  ASSERT_TRUE(answered<FileConfirm>());
  EXPECT_EQ(answer<FileConfirm>()->hash, sha256(bytes));
  EXPECT_EQ(read_file(output_ / "data.bin"), bytes);
}

TEST_F(FileReceiverTest, HostileNamesAreRefusedAndTouchNoDisk) {
  using namespace std::string_view_literals;
  for (const std::string_view name : {""sv, "."sv, ".."sv, "../x"sv, "/etc/passwd"sv, "a/b"sv, "a\\b"sv, "a\0b"sv,
                                      "a\nb"sv, "\x1b[2J"sv, "\xff"sv, "a\xc2\x9b"sv}) {
    EXPECT_EQ(refusal_of(10, name), "1") << to_hex(as_bytes(name));
  }
  EXPECT_EQ(refusal_of(10, std::string(256, 'x')), "1");
  EXPECT_TRUE(output_.names().empty());
  const std::string outside = "../" + output_.path().filename().string() + ".outside";
  EXPECT_EQ(refusal_of(10, outside), "1");
  EXPECT_FALSE(std::filesystem::exists(output_ / outside));
  EXPECT_EQ(observer_.refused.size(), 14U);
}

TEST_F(FileReceiverTest, LimitsRefuse) {
  make_receiver({.largest_file = 1000, .all_bytes = 1501, .files_of_a_peer = 2});
  EXPECT_EQ(refusal_of(1001, "a"), "2");
  EXPECT_EQ(refusal_of(UINT64_MAX, "a"), "2");
  begin(1, 1000);
  EXPECT_EQ(refusal_of(502, "a"), "2");
  begin(2, 500);
  EXPECT_EQ(refusal_of(0, "a"), "4");
  // What failed is not counted against the total.
  say(FileCancel{.transfer = 1, .text = "changed my mind"});
  ASSERT_TRUE(wait([this] { return observer_.failed.size() == 1; }));
  begin(3, 1000);
}

TEST_F(FileReceiverTest, ATotalOfNothingMeansNothing) {
  make_receiver({.all_bytes = 0});
  EXPECT_EQ(refusal_of(0, "a"), "2");
  make_receiver({.all_files = 0});
  EXPECT_EQ(refusal_of(0, "a"), "2");
  make_receiver({.all_bytes = 1000, .all_files = 2});
  begin(1, 0, "empty");
  say(FileFinish{.transfer = 1, .hash = sha256({})});
  ASSERT_TRUE(answered<FileConfirm>());
  begin(2, 10);
  EXPECT_EQ(refusal_of(0, "third"), "2");
  // One that fails is not counted.
  say(FileCancel{.transfer = 2, .text = "no"});
  ASSERT_TRUE(wait([this] { return observer_.failed.size() == 1; }));
  begin(3, 0, "third");
}

TEST_F(FileReceiverTest, StrangeNamesAreKeptUnderSafeOnes) {
  std::uint64_t transfer = 1;
  for (const auto& [offered, kept] : {std::pair(".bash_login", "%2Ebash_login"), std::pair("-rf", "%2Drf"),
                                      std::pair("a\u202eb", "a%E2%80%AEb"), std::pair("CON", "_CON")}) {
    begin(transfer, 0, offered);
    say(FileFinish{.transfer = transfer++, .hash = sha256({})});
    ASSERT_TRUE(answered<FileConfirm>());
    ASSERT_TRUE(wait([&] { return observer_.received.size() + 1 == transfer; }));
    EXPECT_EQ(observer_.received.back().name, kept);
    EXPECT_EQ(observer_.received.back().offered, offered);
    EXPECT_TRUE(std::filesystem::exists(output_ / kept));
  }
}

TEST_F(FileReceiverTest, OffersWithoutBytesHoldTheirPlacesForAMinuteOnly) {
  for (std::uint64_t transfer = 1; transfer <= 600; ++transfer) {
    say(FileOffer{.transfer = transfer, .size = 10, .name = "a"});
    if (transfer % 50 == 0) static_cast<void>(pair_.run_until([] { return false; }, 10ms));
  }
  ASSERT_TRUE(wait([this] { return observer_.refused.size() == 600 - 64; }));
  EXPECT_EQ(receiver_->unfinished(), 64U);
  ASSERT_TRUE(pair_.run_until([this] { return receiver_->unfinished() == 0; }, 70s));
  begin(1000, 10);
}

TEST_F(FileReceiverTest, OffersDoNotAskTheFileSystemOneByOne) {
  for (std::uint64_t transfer = 1; transfer <= 1000; ++transfer) {
    say(FileOffer{.transfer = transfer, .size = 10, .name = "a"});
    say(FileCancel{.transfer = transfer, .text = "no"});
    if (transfer % 100 == 0) static_cast<void>(pair_.run_until([] { return false; }, 5ms));
  }
  ASSERT_TRUE(wait([this] { return receiver_->unfinished() == 0; }));
  EXPECT_GE(observer_.failed.size() + observer_.refused.size(), 1000U);
  EXPECT_LE(receiver_->space_asked(), 3U);
}

TEST_F(FileReceiverTest, PromisedSpaceIsNotPromisedTwice) {
  make_receiver({.largest_file = UINT64_MAX});
  const std::uint64_t free = store_->free_bytes().value_or(0);
  ASSERT_GT(free, std::uint64_t{64} << 20);
  begin(1, free / 5 * 3, "first");
  EXPECT_EQ(refusal_of(free / 5 * 3, "second"), "3");
  // Files that exist only as promises occupy nothing.
  EXPECT_GT(store_->free_bytes().value_or(0), free / 5 * 4);
}

TEST_F(FileReceiverTest, ANameThatIsTakenThousandsOfTimesIsStillGiven) {
  write_file(output_ / "data.bin", {});
  for (int i = 1; i <= 10'001; ++i) write_file(output_ / ("data." + std::to_string(i) + ".bin"), {});
  const auto bytes = random_bytes(1000);
  begin(1, bytes.size());
  send_piece({.transfer = 1, .offset = 0, .length = 1000}, bytes);
  say(FileFinish{.transfer = 1, .hash = sha256(bytes)});
  ASSERT_TRUE(answered<FileConfirm>());
  EXPECT_EQ(read_file(output_ / "data.10002.bin"), bytes);
}

TEST_F(FileReceiverTest, MoreThanTheDiskHoldsIsRefused) {
  make_receiver({.largest_file = UINT64_MAX});
  EXPECT_EQ(refusal_of(std::uint64_t{1} << 62, "a"), "3");
}

TEST_F(FileReceiverTest, PeersThatMayNotSendAreRefused) {
  make_receiver({}, [](ConnectionId) { return false; });
  EXPECT_EQ(refusal_of(1, "a"), "5");
}

TEST_F(FileReceiverTest, MessagesOfPeersThatMayNotSendAreDroppedAndCounted) {
  make_receiver({}, [](ConnectionId) { return false; });
  say_bytes(random_bytes(100));
  say_bytes(random_bytes(100'000));
  ASSERT_TRUE(wait([this] { return observer_.dropped.size() == 2; }));
  EXPECT_EQ(observer_.dropped, (std::vector<std::uint64_t>{100, 100'000}));
  EXPECT_TRUE(observer_.messages.empty());
}

TEST_F(FileReceiverTest, AHashThatDiffersKeepsNothing) {
  const auto bytes = random_bytes(1000);
  begin(1, bytes.size());
  send_piece({.transfer = 1, .offset = 0, .length = 1000}, bytes);
  say(FileFinish{.transfer = 1, .hash = {}});
  EXPECT_NE(cancellation().find("SHA-256 differs"), std::string::npos);
  ASSERT_EQ(observer_.failed.size(), 1U);
}

TEST_F(FileReceiverTest, BytesBeyondTheEndFailTheTransfer) {
  for (const auto& [offset, length] :
       {std::pair<std::uint64_t, std::uint64_t>{0, 1001}, {1000, 1}, {UINT64_MAX - 99, 100}, {UINT64_MAX, 2000}}) {
    begin(1, 1000);
    send_piece({.transfer = 1, .offset = offset, .length = length}, random_bytes(length));
    EXPECT_NE(cancellation().find("beyond its end"), std::string::npos) << offset;
  }
}

TEST_F(FileReceiverTest, BytesThatComeTwiceFailTheTransfer) {
  for (const auto& [offset, length] :
       {std::pair<std::uint64_t, std::uint64_t>{500, 1}, {499, 1}, {0, 1000}, {400, 200}}) {
    begin(1, 1000);
    send_piece({.transfer = 1, .offset = 499, .length = 2}, random_bytes(2));
    send_piece({.transfer = 1, .offset = offset, .length = length}, random_bytes(length));
    EXPECT_NE(cancellation().find("or twice"), std::string::npos) << offset;
  }
}

TEST_F(FileReceiverTest, ALogicalStreamOfAFileIsNoneOfTheProtocol) {
  begin(1, 1000);
  send_piece({.logical = 1, .transfer = 1, .offset = 0, .length = 10}, random_bytes(10));
  EXPECT_NE(cancellation(), "not cancelled");
}

TEST_F(FileReceiverTest, StreamsOfUnknownTransfersAreRefusedAndHarmNobody) {
  const auto bytes = random_bytes(1000);
  begin(1, bytes.size());
  for (std::uint64_t transfer = 2; transfer < 200; ++transfer) {
    send_piece({.transfer = transfer, .offset = 0, .length = 5000}, random_bytes(5000));
  }
  send_piece({.transfer = 1, .offset = 0, .length = 1000}, bytes);
  say(FileFinish{.transfer = 1, .hash = sha256(bytes)});
  EXPECT_TRUE(answered<FileConfirm>());
  EXPECT_EQ(output_.names(), std::vector<std::string>{"data.bin"});
}

TEST_F(FileReceiverTest, MorePiecesAtOnceThanASenderHasFailTheTransfer) {
  begin(1, 1'000'000);
  for (std::uint64_t i = 0; i < 20; ++i) {
    send_piece({.transfer = 1, .offset = 10'000 * i, .length = 10'000}, random_bytes(10'000), 2000);
  }
  EXPECT_NE(cancellation().find("too many pieces"), std::string::npos);
}

TEST_F(FileReceiverTest, AStreamBeyondItsCreditFailsTheTransfer) {
  make_receiver({.window = 100'000});
  // The disk stands still: nothing is consumed.
  begin(1, 10'000'000);
  const std::uint64_t window = answer<FileAccept>()->window;
  pair_.server.on_turn = [](Instant) {};
  send_piece({.transfer = 1, .offset = 0, .length = 2 * window}, random_bytes(2 * window));
  static_cast<void>(pair_.run_until([] { return false; }, 1s));
  pair_.server.on_turn = [this](Instant now) { receiver_->on_turn(now); };
  EXPECT_NE(cancellation().find("broke off"), std::string::npos);
}

TEST_F(FileReceiverTest, AStreamThatItsSenderGivesUpFailsTheTransfer) {
  begin(1, 1'000'000);
  const MessageId piece =
      send_piece({.transfer = 1, .offset = 0, .length = 1'000'000}, random_bytes(1'000'000), 300'000);
  ASSERT_TRUE(wait([this] { return receiver_->progress()->received > 0 && store_->pending() == 0; }));
  pair_.client.endpoint->cancel(pair_.now, raw_, piece);
  EXPECT_EQ(cancellation(1000s), "a stream of it broke off");
}

TEST_F(FileReceiverTest, ASenderThatSaysNothingMoreIsGivenUp) {
  begin(1, 1'000'000);
  EXPECT_EQ(cancellation(70s), "its sender has sent nothing");
  begin(2, 1'000'000);
  send_piece({.transfer = 2, .offset = 0, .length = 10}, random_bytes(10));
  EXPECT_EQ(cancellation(1000s), "its sender has fallen silent");
}

TEST_F(FileReceiverTest, AFinishBeforeTheBytesWaitsForThem) {
  const auto bytes = random_bytes(1000);
  begin(1, bytes.size());
  say(FileFinish{.transfer = 1, .hash = sha256(bytes)});
  // A second word does not change the first.
  say(FileFinish{.transfer = 1, .hash = {}});
  send_piece({.transfer = 1, .offset = 0, .length = 1000}, bytes);
  EXPECT_TRUE(answered<FileConfirm>());
}

TEST_F(FileReceiverTest, OneTransferIsOfferedOnce) {
  begin(1, 1000, "first");
  offer(1, 2000, "second");
  static_cast<void>(pair_.run_until([] { return false; }, 1s));
  EXPECT_EQ(receiver_->unfinished(), 1U);
  EXPECT_EQ(answers_.size(), 0U);
}

TEST_F(FileReceiverTest, ADroppedConnectionRemovesItsFilesOnly) {
  begin(1, 1000);
  begin(2, 1000, "other");
  pair_.client.endpoint->close(pair_.now, raw_, "bye");
  ASSERT_TRUE(wait([this] { return receiver_->unfinished() == 0 && store_->pending() == 0; }));
  EXPECT_EQ(observer_.failed.size(), 2U);
  EXPECT_NE(observer_.failed[0].second.find("bye"), std::string::npos);
  EXPECT_TRUE(output_.names().empty());
}

TEST_F(FileReceiverTest, GarbageIsCountedAndTheNextFileStillArrives) {
  DeterministicRandom random(11);
  std::uint64_t malformed = 0;
  for (int i = 0; i < 3000; ++i) {
    std::vector<std::uint8_t> bytes(4 + random.below(80));
    random.fill(bytes);
    std::copy(kControlMagic.begin(), kControlMagic.end(), bytes.begin());
    if (bytes.size() > 4) bytes[4] = static_cast<std::uint8_t>(random.below(256));
    malformed += decode_control(bytes).has_value() ? 0U : 1U;
    say_bytes(std::move(bytes));
    if (i % 100 == 0) static_cast<void>(pair_.run_until([] { return false; }, 10ms));
  }
  ASSERT_TRUE(wait([&] { return receiver_->malformed() == malformed; }));
  const auto bytes = random_bytes(1000);
  begin(777, bytes.size(), "after");
  send_piece({.transfer = 777, .offset = 0, .length = 1000}, bytes);
  say(FileFinish{.transfer = 777, .hash = sha256(bytes)});
  EXPECT_TRUE(answered<FileConfirm>());
  EXPECT_EQ(read_file(output_ / "after"), bytes);
}

TEST_F(FileReceiverTest, OffersAndCancellationsWithoutEndPileNothingUp) {
  for (std::uint64_t i = 1; i <= 2000; ++i) {
    say(FileOffer{.transfer = i, .size = 10, .name = "a"});
    say(FileCancel{.transfer = i, .text = "no"});
    if (i % 100 == 0) static_cast<void>(pair_.run_until([] { return false; }, 5ms));
  }
  ASSERT_TRUE(wait([this] { return receiver_->unfinished() == 0 && store_->pending() == 0; }));
  EXPECT_TRUE(output_.names().empty());
}

TEST_F(FileReceiverTest, MessagesAndStreamsOfOthersAreHandedOver) {
  const auto small = random_bytes(100);
  const auto large = random_bytes(100'000);
  say_bytes(small);
  say_bytes(large);
  ASSERT_TRUE(wait([this] { return observer_.messages.size() == 2; }));
  EXPECT_EQ(observer_.messages[0].hash, sha256(small));
  EXPECT_FALSE(observer_.messages[0].stream);
  EXPECT_EQ(observer_.messages[0].text, small);
  EXPECT_EQ(observer_.messages[1].hash, sha256(large));
  EXPECT_TRUE(observer_.messages[1].stream);
}

TEST_F(FileReceiverTest, EchoesAreAnsweredAndPerformanceRunsSentAway) {
  say(EchoRequest{.sequence = 7, .padding = {}});
  ASSERT_TRUE(answered<EchoReply>());
  EXPECT_EQ(answer<EchoReply>()->sequence, 7U);
  say(PerfStart{.session = 3});
  ASSERT_TRUE(answered<PerfBusy>());
  EXPECT_EQ(answer<PerfBusy>()->session, 3U);
}

}  // namespace
}  // namespace godwit
