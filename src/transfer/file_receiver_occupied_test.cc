// A FileReceiver whose places, disk and totals strangers occupy: what they may hold, for how long, and what is left for
// everybody else.

#include <gtest/gtest.h>

#include "transfer/file_receiver.h"
#include "transfer/file_receiver_test_support.h"

namespace godwit {
namespace {

// A second client, which occupies what it can.
class OccupiedReceiverTest : public FileReceiverTest {
 protected:
  static constexpr std::uint64_t kFirstTransfer = 1'000'000;

  // Connects from there; whoever was connected from there is replaced.
  void intrude(const SocketAddress& from) {
    if (!pair_.third || pair_.third->address != from) pair_.add_third(from);
    bool connected = false;
    pair_.third->on_event = [&connected](Instant, ConnectionId, Event& event) {
      connected = connected || std::holds_alternative<Connected>(event);
    };
    const ConnectionId own = accepted_;
    const auto id =
        pair_.third->endpoint->connect(pair_.now, pair_.server.address, pair_.server.endpoint->public_key());
    ASSERT_TRUE(id.has_value());
    ASSERT_TRUE(wait([&connected] { return connected; }));
    pair_.third->on_event = [this](Instant, ConnectionId, Event& event) {
      const auto* message = std::get_if<MessageReceived>(&event);
      if (message != nullptr) intruder_answers_.emplace_back(message->payload.begin(), message->payload.end());
    };
    intruder_ = *id;
    pass(100ms);
    accepted_ = own;
  }
  void intruder_offers(std::uint64_t first, std::size_t offers, std::uint64_t size = 10) {
    for (std::size_t i = 0; i < offers; ++i) {
      const FileOffer message{.transfer = first + i, .size = size, .name = "junk"};
      ASSERT_TRUE(send_control(pair_.now, *pair_.third->endpoint, intruder_, message).has_value());
      if (i % 50 == 49) pass(10ms);
    }
    pass(100ms);
  }
  void intruder_sends(std::uint64_t transfer, std::uint64_t offset, std::size_t length) {
    std::vector<std::uint8_t> bytes(kStreamHeaderSize + length);
    write_stream_header({.transfer = transfer, .offset = offset, .length = length},
                        std::span<std::uint8_t, kStreamHeaderSize>(bytes.data(), kStreamHeaderSize));
    ASSERT_TRUE(
        pair_.third->endpoint->send(pair_.now, intruder_, Body::owned(std::move(bytes)), {.as = SendAs::kStream})
            .has_value());
  }
  void occupy(const SocketAddress& from, std::size_t offers, std::uint64_t size = 10) {
    intrude(from);
    intruder_offers(kFirstTransfer, offers, size);
  }
  void pass(Duration time) {
    static_cast<void>(pair_.run_until([] { return false; }, time));
  }

  ConnectionId intruder_ = 0;
  std::vector<std::vector<std::uint8_t>> intruder_answers_;
};

TEST_F(OccupiedReceiverTest, OnePeersOffersLeavePlacesForAnother) {
  occupy(*SocketAddress::parse("10.0.0.3:3000"), 1000);
  EXPECT_EQ(receiver_->unfinished(), 64U);
  begin(1, 10);
}

TEST_F(OccupiedReceiverTest, PlacesWithoutAByteMakeRoomForAPeerThatHasFewer) {
  // So few that one peer can have them all.
  make_receiver({.files_of_a_peer = 64, .files = 2});
  occupy(*SocketAddress::parse("10.0.0.1:3000"), 10);
  ASSERT_EQ(receiver_->unfinished(), 1U);
  EXPECT_EQ(refusal_of(10, "early"), "4");
  pass(6s);
  begin(1, 10);
  EXPECT_EQ(receiver_->unfinished(), 1U) << "the other's place";
  ASSERT_EQ(observer_.failed.size(), 1U);
  EXPECT_NE(observer_.failed[0].second.find("another sender needed its place"), std::string::npos);
}

TEST_F(OccupiedReceiverTest, SpaceThatIsPromisedWithoutAByteIsTakenBack) {
  make_receiver({.largest_file = UINT64_MAX});
  const std::uint64_t free = store_->free_bytes().value_or(0);
  occupy(*SocketAddress::parse("10.0.0.3:3000"), 1, free / 10 * 9);
  ASSERT_EQ(receiver_->unfinished(), 1U);
  EXPECT_EQ(refusal_of(free / 3 * 2, "large"), "3");
  pass(6s);
  begin(1, free / 3 * 2, "large");
  EXPECT_EQ(receiver_->unfinished(), 1U);
}

// A transfer whose connection is renewed keeps its place: there is no way around the quota.
TEST_F(OccupiedReceiverTest, RenewingTheConnectionGivesNobodyMorePlaces) {
  const auto from = *SocketAddress::parse("10.0.0.3:3000");
  for (std::uint64_t round = 0; round < 10; ++round) {
    intrude(from);
    intruder_offers(kFirstTransfer + 1000 * round, 64);
  }
  EXPECT_LE(receiver_->unfinished(), 128U) << "half of all places for one address";
  intrude(from);
  for (std::uint64_t round = 0; round < 10; ++round) intruder_offers(kFirstTransfer + 1000 * round, 64);
  EXPECT_LE(receiver_->unfinished(), 128U);
  begin(1, 10);
}

TEST_F(OccupiedReceiverTest, ManyPortsAndRenewalsStayWithinAllPlaces) {
  make_receiver({.files_of_a_peer = 4, .files = 6});
  for (std::uint16_t port = 3000; port < 3004; ++port) {
    for (std::uint64_t round = 0; round < 4; ++round) {
      intrude(SocketAddress::ipv4({10, 0, 0, static_cast<std::uint8_t>(3 + port % 2)}, port));
      intruder_offers(std::uint64_t{port} * 100 + round * 10, 4);
      EXPECT_LE(receiver_->unfinished(), 6U);
    }
  }
  begin(1, 10);
}

TEST_F(OccupiedReceiverTest, ARenewalIsNoByte) {
  const auto from = *SocketAddress::parse("10.0.0.3:3000");
  occupy(from, 10);
  ASSERT_EQ(receiver_->unfinished(), 10U);
  for (int round = 0; round < 3; ++round) {
    pass(16s);
    intrude(from);
    intruder_offers(kFirstTransfer, 10);
  }
  EXPECT_EQ(receiver_->unfinished(), 10U) << "renewed in time";
  pass(16s);
  EXPECT_EQ(receiver_->unfinished(), 0U) << "a minute after the offer, and not a byte has come";
}

TEST_F(OccupiedReceiverTest, ATransferWithoutAConnectionIsLostAfterHalfAMinute) {
  const auto from = *SocketAddress::parse("10.0.0.3:3000");
  occupy(from, 1, 1000);
  intruder_sends(kFirstTransfer, 0, 100);
  pass(1s);
  intrude(from);
  pass(32s);
  EXPECT_EQ(receiver_->unfinished(), 0U);
  // Its sender, which may think that it goes on, is told to begin anew.
  intruder_answers_.clear();
  intruder_offers(kFirstTransfer, 1, 1000);
  ASSERT_FALSE(intruder_answers_.empty());
  const auto answer = decode_control(intruder_answers_.back());
  ASSERT_TRUE(answer.has_value());
  const auto* refusal = std::get_if<FileRefuse>(&*answer);
  ASSERT_NE(refusal, nullptr);
  EXPECT_EQ(refusal->code, RefuseCode::kTooMany);
}

TEST_F(OccupiedReceiverTest, ATransferIsTakenOverFromItsOwnAddressOnly) {
  const auto from = *SocketAddress::parse("10.0.0.3:3000");
  occupy(from, 1, 1000);
  intruder_sends(kFirstTransfer, 0, 100);
  pass(1s);
  intrude(from);
  answers_.clear();
  say(FileOffer{.transfer = kFirstTransfer, .size = 1000, .name = "junk"});
  pass(1s);
  intruder_answers_.clear();
  intruder_offers(kFirstTransfer, 1, 1000);
  ASSERT_FALSE(intruder_answers_.empty());
  const auto answer = decode_control(intruder_answers_.back());
  ASSERT_TRUE(answer && std::holds_alternative<FileAccept>(*answer));
}

TEST_F(OccupiedReceiverTest, NinePrefixesOfOneNetworkLeaveHalfOfThePlaces) {
  for (std::uint8_t prefix = 1; prefix <= 9; ++prefix) {
    const auto from = SocketAddress::ipv6({0x20, 1, 0xd, 0xb8, 0, 1, 0, prefix, 0, 0, 0, 0, 0, 0, 0, 1}, 3000);
    for (std::uint64_t connection = 0; connection < 4; ++connection) {
      const std::uint64_t first = kFirstTransfer + 10'000U * prefix + 1000 * connection;
      intrude(from.with_port(static_cast<std::uint16_t>(3000 + connection)));
      intruder_offers(first, 64);
      for (std::uint64_t i = 0; i < 64; ++i) intruder_sends(first + i, 0, 1);
      pass(10ms);
    }
  }
  EXPECT_LE(receiver_->unfinished(), 128U);
  begin(1, 10);
}

TEST_F(OccupiedReceiverTest, OneByteHoldsNoPlaceThatAnotherNeeds) {
  make_receiver({.files_of_a_peer = 64, .files = 2});
  occupy(*SocketAddress::parse("10.0.0.1:3000"), 1, 1000);
  intruder_sends(kFirstTransfer, 0, 1);
  pass(1s);
  EXPECT_EQ(refusal_of(10, "early"), "4");
  // Nor does a byte now and then.
  for (std::uint64_t offset = 1; offset < 6; ++offset) {
    pass(1s);
    intruder_sends(kFirstTransfer, offset, 1);
  }
  pass(100ms);
  begin(1, 10);
  EXPECT_EQ(receiver_->unfinished(), 1U) << "the other's place";
}

TEST_F(OccupiedReceiverTest, WhoSendsKeepsItsPlace) {
  make_receiver({.files_of_a_peer = 64, .files = 2});
  occupy(*SocketAddress::parse("10.0.0.1:3000"), 1, 10'000'000);
  for (std::uint64_t second = 0; second < 20; ++second) {
    intruder_sends(kFirstTransfer, second * 20'000, 20'000);
    pass(1s);
  }
  EXPECT_EQ(refusal_of(10, "late"), "4");
  pass(15s);
  begin(1, 10);
}

// The header of a stream, and nothing behind it.
TEST_F(OccupiedReceiverTest, AStreamsHeaderIsNoByteOfTheFile) {
  begin(1, 1000);
  send_piece({.transfer = 1, .offset = 0, .length = 1000}, random_bytes(1000), kStreamHeaderSize);
  EXPECT_EQ(cancellation(61s), "its sender has sent nothing");
}

TEST_F(OccupiedReceiverTest, OneOfferOfTheWholeDiskLeavesHalfOfIt) {
  make_receiver({.largest_file = UINT64_MAX});
  const std::uint64_t free = store_->free_bytes().value_or(0);
  ASSERT_GT(free, std::uint64_t{64} << 20);
  occupy(*SocketAddress::parse("10.0.0.3:3000"), 1, free / 10 * 9);
  ASSERT_EQ(receiver_->unfinished(), 1U);
  intruder_sends(kFirstTransfer, 0, 1);
  pass(100ms);
  // Whoever has promised so much gets no promise more.
  intruder_answers_.clear();
  intruder_offers(kFirstTransfer + 1, 1, free / 3);
  ASSERT_FALSE(intruder_answers_.empty());
  EXPECT_TRUE(std::holds_alternative<FileRefuse>(*decode_control(intruder_answers_.back())));
  begin(1, free / 3);
}

TEST_F(OccupiedReceiverTest, SpaceThatOneByteHoldsIsTakenBack) {
  make_receiver({.largest_file = UINT64_MAX});
  const std::uint64_t free = store_->free_bytes().value_or(0);
  occupy(*SocketAddress::parse("10.0.0.3:3000"), 1, free / 10 * 9);
  intruder_sends(kFirstTransfer, 0, 1);
  pass(100ms);
  EXPECT_EQ(refusal_of(free / 3 * 2, "large"), "3");
  pass(6s);
  begin(1, free / 3 * 2, "large");
  EXPECT_EQ(receiver_->unfinished(), 1U);
}

// --- What a receiver takes in all ---

class TotalsTest : public OccupiedReceiverTest {
 protected:
  // Sends empty files until one is refused; how many were taken.
  std::size_t send_empty_files(std::uint64_t first, std::size_t count) {
    const std::size_t before = observer_.received.size();
    for (std::uint64_t i = 0; i < count; ++i) {
      EXPECT_TRUE(send_control(pair_.now, *pair_.third->endpoint, intruder_,
                               FileOffer{.transfer = first + i, .size = 0, .name = "empty"})
                      .has_value());
      pass(2ms);
      EXPECT_TRUE(send_control(pair_.now, *pair_.third->endpoint, intruder_,
                               FileFinish{.transfer = first + i, .hash = sha256({})})
                      .has_value());
      pass(2ms);
    }
    EXPECT_TRUE(pair_.run_until([this] { return receiver_->unfinished() == 0; }));
    return observer_.received.size() - before;
  }
};

TEST_F(TotalsTest, EmptyFilesOfOneSourceLeaveHalfOfTheNumber) {
  make_receiver({.all_files = 200});
  intrude(*SocketAddress::parse("10.0.0.3:3000"));
  EXPECT_EQ(send_empty_files(1000, 120), 100U);
  intrude(*SocketAddress::parse("10.0.0.3:3001"));
  EXPECT_EQ(send_empty_files(2000, 10), 0U) << "another port is no other source";
  EXPECT_NE(observer_.refused.back().second.find("from your network"), std::string::npos);
  begin(1, 10);
}

TEST_F(TotalsTest, ThePrefixesOfANetworkAreOneSource) {
  make_receiver({.all_files = 200});
  std::size_t taken = 0;
  for (std::uint8_t prefix = 1; prefix <= 9; ++prefix) {
    intrude(SocketAddress::ipv6({0x20, 1, 0xd, 0xb8, 0, 1, 0, prefix, 0, 0, 0, 0, 0, 0, 0, 1}, 3000));
    taken += send_empty_files(1000U * prefix, 60);
  }
  EXPECT_EQ(taken, 100U);
  begin(1, 10);
}

TEST_F(TotalsTest, AFewFilesAndBytesAreForWhoeverComesFirst) {
  make_receiver({.all_bytes = 10'000, .all_files = 5});
  for (std::uint64_t transfer = 1; transfer <= 5; ++transfer) begin(transfer, 1000);
  EXPECT_EQ(refusal_of(10, "sixth"), "2");
}

TEST_F(TotalsTest, BytesOfOneSourceLeaveHalfOfTheTotal) {
  constexpr std::uint64_t kTotal = std::uint64_t{200} << 20;
  make_receiver({.all_bytes = kTotal});
  occupy(*SocketAddress::parse("10.0.0.3:3000"), 1, kTotal);
  EXPECT_EQ(receiver_->unfinished(), 0U);
  intruder_offers(kFirstTransfer + 1, 1, kTotal / 2);
  EXPECT_EQ(receiver_->unfinished(), 1U);
  intruder_offers(kFirstTransfer + 2, 1, 10);
  EXPECT_EQ(receiver_->unfinished(), 1U);
  begin(1, kTotal / 4);
}

TEST_F(TotalsTest, WhatIsClaimedWithoutBytesIsTakenBack) {
  constexpr std::uint64_t kTotal = std::uint64_t{20} << 20;
  make_receiver({.all_bytes = kTotal});
  occupy(*SocketAddress::parse("10.0.0.3:3000"), 1, std::uint64_t{15} << 20);
  intruder_sends(kFirstTransfer, 0, 1);
  pass(100ms);
  EXPECT_EQ(refusal_of(std::uint64_t{8} << 20, "early"), "2");
  pass(6s);
  begin(1, std::uint64_t{8} << 20);
  EXPECT_EQ(receiver_->unfinished(), 1U);
}

TEST_F(TotalsTest, ArePutAsideForNobodyWhereTheOperatorHasChosenThePeers) {
  make_receiver({.all_files = 200}, [](ConnectionId) { return true; });
  intrude(*SocketAddress::parse("10.0.0.3:3000"));
  EXPECT_EQ(send_empty_files(1000, 210), 200U);
}

}  // namespace
}  // namespace godwit
