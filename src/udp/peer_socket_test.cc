// A peer that most of what arrives comes from has a socket of its own: who gets one, who loses it, and that nothing is
// lost meanwhile.
#include "udp/peer_socket.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "udp/conformance_fixture.h"

namespace godwit::peer_socket_test {
namespace {

const SocketAddress kLocal = SocketAddress::ipv4({127, 0, 0, 1}, 1);
const SocketAddress kOne = SocketAddress::ipv4({127, 0, 0, 1}, 2);
const SocketAddress kOther = SocketAddress::ipv4({127, 0, 0, 1}, 3);

TEST(BusyPeer, IsWhoLeadsAllOthersByEnough) {
  BusyPeer busy;
  for (std::uint32_t i = 1; i < BusyPeer::kLead; ++i) EXPECT_FALSE(busy.on_batch(kLocal, kOne));
  EXPECT_TRUE(busy.on_batch(kLocal, kOne));
  EXPECT_EQ(busy.remote(), kOne);
  EXPECT_EQ(busy.local(), kLocal);
}

TEST(BusyPeer, IsNobodyAmongEquals) {
  BusyPeer busy;
  for (std::uint32_t i = 0; i < 10 * BusyPeer::kLead; ++i) {
    EXPECT_FALSE(busy.on_batch(kLocal, kOne));
    EXPECT_FALSE(busy.on_batch(kLocal, kOther));
  }
  for (std::uint32_t i = 0; i < 10 * BusyPeer::kLead; ++i) {
    EXPECT_FALSE(busy.on_batch(kLocal, kOne));
    busy.on_batch_elsewhere();
  }
}

class PeerSocketTest : public testing::TestWithParam<SocketFamily> {
 protected:
  static constexpr int kEnough = 3 * static_cast<int>(BusyPeer::kLead);

  void SetUp() override {
    server_ = open();
    one_ = open();
    other_ = open();
    ASSERT_TRUE(server_ && one_ && other_);
    server_->connect_busy_peers(true);
  }
  static SocketAddress any() {
    return GetParam() == SocketFamily::kIpv4 ? SocketAddress::ipv4({}, 0) : SocketAddress::ipv6({}, 0);
  }
  static std::unique_ptr<Backend> open(bool wildcard = false) {
    auto socket = Socket::open({.bind = wildcard ? any() : loopback(GetParam())});
    if (!socket) return nullptr;
    auto backend = make_backend(BackendKind::kMmsg, *std::move(socket), {});
    return backend ? *std::move(backend) : nullptr;
  }
  [[nodiscard]] SocketAddress server_address() const {
    return loopback(GetParam(), server_->socket().local_address().port());
  }
  static SocketAddress address_of(const Backend& backend) { return backend.socket().local_address(); }

  // What the server receives of one datagram of `from`; each has a size of its own. Asked for as often as it takes.
  bool passes(Backend& from) {
    size_ = size_ % 1000 + 1;
    const OwnedBatch batch(server_address(), size_, size_, 1);
    if (from.send({&batch.batch, 1}) != 1) return false;
    for (int look = 0; look < 20; ++look) {
      server_->receive(inbox_);
      if (inbox_.empty()) continue;
      const DatagramBatch& arrived = inbox_.batches()[0];
      local_ = arrived.local;
      return inbox_.batches().size() == 1 && arrived.remote == address_of(from) && arrived.bytes.size() == size_;
    }
    return false;
  }
  // What `to` receives of an answer of the server comes from the address that it has written to.
  bool answers(Backend& to) {
    OwnedBatch batch(address_of(to), 77, 77, 2);
    batch.batch.local = local_;
    ReceivedBatches inbox;
    if (server_->send({&batch.batch, 1}) != 1 || !to.wait(std::chrono::seconds(5)).readable) return false;
    return to.receive(inbox) == 1 && inbox.batches()[0].remote == server_address() &&
           inbox.batches()[0].bytes.size() == 77;
  }
  void make_busy(Backend& peer) {
    for (int i = 0; i < kEnough && server_->connected_peer() != address_of(peer); ++i) ASSERT_TRUE(passes(peer));
    ASSERT_EQ(server_->connected_peer(), address_of(peer));
  }

  std::unique_ptr<Backend> server_;
  std::unique_ptr<Backend> one_;
  std::unique_ptr<Backend> other_;
  ReceivedBatches inbox_;
  SocketAddress local_;
  std::size_t size_ = 0;
};

INSTANTIATE_TEST_SUITE_P(Family, PeerSocketTest, testing::Values(SocketFamily::kIpv4, SocketFamily::kIpv6),
                         [](const auto& each) { return each.param == SocketFamily::kIpv4 ? "ipv4" : "ipv6"; });

TEST_P(PeerSocketTest, ABusyPeerHasOneAndEverybodyIsHeardAndAnswered) {
  make_busy(*one_);
  for (int i = 0; i < kEnough; ++i) {
    ASSERT_TRUE(passes(*one_)) << i;
    ASSERT_TRUE(answers(*one_)) << i;
    if (i % 8 != 0) continue;
    ASSERT_TRUE(passes(*other_)) << i;
    ASSERT_TRUE(answers(*other_)) << i;
  }
  EXPECT_EQ(server_->connected_peer(), address_of(*one_));
}

TEST_P(PeerSocketTest, AnswersLeaveFromTheAddressThatThePeerHasWrittenTo) {
  server_ = open(true);
  ASSERT_TRUE(server_);
  server_->connect_busy_peers(true);
  make_busy(*one_);
  ASSERT_TRUE(passes(*one_));
  EXPECT_EQ(local_, server_address());
  EXPECT_TRUE(answers(*one_));
  ASSERT_TRUE(passes(*other_));
  EXPECT_TRUE(answers(*other_));
}

TEST_P(PeerSocketTest, APeerThatIsBusierTakesThePlace) {
  make_busy(*one_);
  make_busy(*other_);
  EXPECT_TRUE(passes(*one_));
  EXPECT_TRUE(answers(*one_));
}

TEST_P(PeerSocketTest, NobodyHasOneWithoutLeave) {
  server_->connect_busy_peers(false);
  for (int i = 0; i < kEnough; ++i) ASSERT_TRUE(passes(*one_));
  EXPECT_FALSE(server_->connected_peer());
}

TEST_P(PeerSocketTest, ASilentPeerHasItNoLonger) {
  make_busy(*one_);
  for (int i = 0; i < 200; ++i) {
    server_->receive(inbox_);
    static_cast<void>(server_->wait(Duration::zero()));
  }
  EXPECT_FALSE(server_->connected_peer());
  EXPECT_TRUE(passes(*one_));
}

TEST_P(PeerSocketTest, WhenLeaveIsTakenNothingIsLeftBehind) {
  make_busy(*one_);
  const OwnedBatch batch(server_address(), 50, 50, 1);
  for (int i = 0; i < 5; ++i) ASSERT_EQ(one_->send({&batch.batch, 1}), 1U);
  server_->connect_busy_peers(false);
  std::size_t seen = 0;
  // As an owner does that waits for descriptor().
  do {
    server_->receive(inbox_);
    seen += inbox_.batches().size();
  } while (inbox_.stopped_at_bound());
  EXPECT_EQ(seen, 5U);
  EXPECT_FALSE(server_->connected_peer());
}

TEST_P(PeerSocketTest, TheSleepEndsForEither) {
  make_busy(*one_);
  while (!inbox_.empty()) server_->receive(inbox_);
  for (Backend* const from : {one_.get(), other_.get()}) {
    EXPECT_FALSE(server_->wait(Duration::zero()).readable);
    const OwnedBatch batch(server_address(), 50, 50, 1);
    ASSERT_EQ(from->send({&batch.batch, 1}), 1U);
    EXPECT_TRUE(server_->wait(std::nullopt).readable);
    server_->receive(inbox_);
    ASSERT_EQ(inbox_.batches().size(), 1U) << "the first look after the sleep finds it";
    EXPECT_EQ(inbox_.batches()[0].remote, address_of(*from));
  }
}

TEST_P(PeerSocketTest, WhatComesBetweenBindAndConnectIsReceivedWithItsSender) {
  auto all = Socket::open({.bind = any()});
  ASSERT_TRUE(all);
  const SocketAddress address = loopback(GetParam(), all->local_address().port());
  auto beside = all->open_beside(address);
  ASSERT_TRUE(beside) << beside.error().message;
  // The socket of one address is nearer to them than that of all.
  std::vector<std::unique_ptr<Backend>> strangers;
  const OwnedBatch batch(address, 40, 40, 1);
  for (int i = 0; i < 40; ++i) {
    strangers.push_back(open());
    ASSERT_EQ(strangers.back()->send({&batch.batch, 1}), 1U);
  }
  BackendStatistics statistics;
  const auto peer = PeerSocket::connect(
      *std::move(beside), address_of(*one_),
      {.receiver = {.buffers = 64, .buffer_bytes = 1500, .one_call_each = false}, .largest_datagram_bytes = 1500},
      statistics);
  ASSERT_TRUE(peer);
  peer->receive(inbox_);
  std::size_t between = 0;
  for (const DatagramBatch& arrived : inbox_.batches()) {
    const auto sent_it = [&](const auto& each) { return address_of(*each) == arrived.remote; };
    if (std::ranges::any_of(strangers, sent_it)) ++between;
  }
  EXPECT_EQ(between, strangers.size());
}

TEST_P(PeerSocketTest, OnlyWhatIsForThePeerFromItsAddressLeavesThere) {
  auto all = Socket::open({.bind = loopback(GetParam())});
  ASSERT_TRUE(all);
  const SocketAddress local = all->local_address();
  auto beside = all->open_beside(local);
  ASSERT_TRUE(beside) << beside.error().message;
  BackendStatistics statistics;
  const auto peer =
      PeerSocket::connect(*std::move(beside), address_of(*one_),
                          {.receiver = {.buffers = 1, .buffer_bytes = 1500, .one_call_each = true}}, statistics);
  ASSERT_TRUE(peer);
  const DatagramBatch batch{.local = local, .remote = address_of(*one_), .bytes = {}, .segment_size = 0};
  EXPECT_TRUE(peer->serves(batch));
  DatagramBatch other = batch;
  other.remote = address_of(*other_);
  EXPECT_FALSE(peer->serves(other));
  other = batch;
  other.local = {};  // the address may be gone
  EXPECT_FALSE(peer->serves(other));
  other = batch;
  other.hop_limit = 2;
  EXPECT_FALSE(peer->serves(other));
}

TEST_P(PeerSocketTest, TheOptionThatLetsOthersOnThePortIsOffAgain) {
  make_busy(*one_);
  EXPECT_FALSE(Socket::open({.bind = server_address(), .group = SocketOptions::Group::kFurther}));
}

}  // namespace
}  // namespace godwit::peer_socket_test
