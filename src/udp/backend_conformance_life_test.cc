// The conformance suite, life: waiting and waking, addresses, and what becomes of the socket.
#include <gtest/gtest.h>

#include <csignal>
#include <cstdint>
#include <thread>
#include <vector>

#include "udp/conformance_fixture.h"

namespace godwit {
namespace {

class BackendLife : public BackendConformance {};

TEST_P(BackendLife, WaitingEndsWhenSomethingArrives) {
  const OwnedBatch batch = run_to_b(10, 10);
  std::thread sender([&] { EXPECT_EQ(a_->send({&batch.batch, 1}), 1U); });
  const WaitOutcome outcome = b_->wait(std::nullopt);
  sender.join();
  EXPECT_TRUE(outcome.readable);
  EXPECT_FALSE(outcome.woken);
  EXPECT_EQ(collect(*b_, 1), datagrams_of(batch));
}

TEST_P(BackendLife, WaitingEndsWithItsTimeOut) {
  for (const Duration timeout : {Duration{-1}, Duration{0}, Duration{1}, Duration{std::chrono::milliseconds{2}}}) {
    const WaitOutcome outcome = b_->wait(timeout);
    EXPECT_FALSE(outcome.readable);
    EXPECT_FALSE(outcome.writable);
    EXPECT_FALSE(outcome.woken);
  }
  EXPECT_EQ(b_->statistics().wait_calls, 4U);
}

TEST_P(BackendLife, WakingFromAnotherThreadEndsTheWait) {
  for (int i = 0; i < 20; ++i) {
    std::thread waker([&] { b_->wake(); });
    EXPECT_TRUE(b_->wait(std::nullopt).woken);
    waker.join();
  }
  EXPECT_FALSE(b_->wait(Duration::zero()).woken);
}

TEST_P(BackendLife, AWakeBeforeTheWaitIsNotLostAndSeveralAreOne) {
  b_->wake();
  b_->wake();
  EXPECT_TRUE(b_->wait(std::nullopt).woken);
  EXPECT_FALSE(b_->wait(Duration::zero()).woken);
}

TEST_P(BackendLife, AWakeAndAnArrivalAreBothSeen) {
  const OwnedBatch batch = run_to_b(10, 10);
  ASSERT_EQ(a_->send({&batch.batch, 1}), 1U);
  b_->wake();
  bool woken = false;
  bool readable = false;
  for (int turn = 0; turn < 3 && !(woken && readable); ++turn) {
    const WaitOutcome outcome = b_->wait(std::chrono::seconds{1});
    woken = woken || outcome.woken;
    readable = readable || outcome.readable;
  }
  EXPECT_TRUE(woken);
  EXPECT_TRUE(readable);
  EXPECT_EQ(collect(*b_, 1), datagrams_of(batch));
}

TEST_P(BackendLife, WhatIsNotYetReadKeepsTheSocketReadable) {
  const OwnedBatch batch = run_to_b(10, 10);
  ASSERT_EQ(a_->send({&batch.batch, 1}), 1U);
  EXPECT_TRUE(b_->wait(std::nullopt).readable);
  EXPECT_TRUE(b_->wait(std::nullopt).readable);
  EXPECT_EQ(collect(*b_, 1), datagrams_of(batch));
  EXPECT_FALSE(b_->wait(Duration::zero()).readable);
}

TEST_P(BackendLife, AnotherThreadMayTakeTheBackEndOver) {
  const OwnedBatch batch = run_to_b(100, 500);
  const auto exchange = [&] {
    ASSERT_EQ(a_->send({&batch.batch, 1}), 1U);
    ASSERT_EQ(collect(*b_, 5), datagrams_of(batch));
    EXPECT_FALSE(b_->wait(Duration::zero()).readable);
  };
  exchange();
  std::thread(exchange).join();
  // Ended without a word about it: a ring of that thread is gone or still there, and either must do.
  exchange();
  EXPECT_EQ(b_->statistics().receive_errors.total(), 0U);
  EXPECT_EQ(a_->statistics().batch_fallbacks, 0U);
}

TEST_P(BackendLife, ThePortIsFreeAsSoonAsTheBackEndIsGone) {
  const OwnedBatch batch = run_to_b(100, 500);
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(a_->send({&batch.batch, 1}), 1U);
    ASSERT_EQ(collect(*b_, 5), datagrams_of(batch));
    b_.reset();
    auto again = Socket::open({.bind = b_address_});
    ASSERT_TRUE(again) << again.error().message;
    b_ = open(*std::move(again), a_address_);
    ASSERT_NE(b_, nullptr);
  }
}

TEST_P(BackendLife, ReceivedBatchesNameBothAddresses) {
  const OwnedBatch batch = run_to_b(100, 100);
  ASSERT_EQ(a_->send({&batch.batch, 1}), 1U);
  ReceivedBatches inbox;
  ASSERT_TRUE(b_->wait(std::nullopt).readable);
  ASSERT_EQ(b_->receive(inbox), 1U);
  EXPECT_EQ(inbox.batches()[0].remote, a_address_);
  EXPECT_EQ(inbox.batches()[0].local, b_address_);
}

// Wire spec checklist 33: a peer is answered from the address that it wrote to.
TEST_P(BackendLife, AWildcardSocketAnswersFromTheAddressThatReceived) {
  if (single_peer()) GTEST_SKIP() << "connected: the kernel fixes both addresses";
  const bool ipv4 = family() == SocketFamily::kIpv4;
  auto socket = Socket::open({.bind = ipv4 ? SocketAddress::ipv4({}, 0) : SocketAddress::ipv6({}, 0)});
  ASSERT_TRUE(socket);
  ASSERT_TRUE(socket->is_wildcard());
  const std::uint16_t port = socket->local_address().port();
  auto wildcard = open(*std::move(socket), {});
  ASSERT_NE(wildcard, nullptr);
  ReceivedBatches inbox;
  wildcard->receive(inbox);

  // The dual-stack socket has peers of both families; 127.0.0.2 is this host, but not its preferred address.
  std::vector<SocketAddress> addresses = {SocketAddress::ipv4({127, 0, 0, 2}, port),
                                          SocketAddress::ipv4({127, 0, 0, 1}, port)};
  if (!ipv4) addresses.push_back(loopback(SocketFamily::kIpv6, port));
  for (const SocketAddress& address : addresses) {
    const auto peer = open_plain(loopback(address.is_ipv4() ? SocketFamily::kIpv4 : SocketFamily::kIpv6));
    const OwnedBatch question(address, 100, 250, 1);
    ASSERT_EQ(peer->send({&question.batch, 1}), 1U);
    ASSERT_TRUE(wildcard->wait(std::nullopt).readable);
    Datagrams asked;
    SocketAddress local;
    while (asked.size() < 3) {
      wildcard->receive(inbox);
      for (const DatagramBatch& batch : inbox.batches()) {
        EXPECT_EQ(batch.local, address);
        EXPECT_EQ(batch.remote, peer->socket().local_address());
        local = batch.local;
        append_datagrams(batch, asked);
      }
    }
    OwnedBatch answer(peer->socket().local_address(), 1200, 3000, 2);
    answer.batch.local = local;
    ASSERT_EQ(wildcard->send({&answer.batch, 1}), 1U);
    ReceivedBatches answers;
    ASSERT_TRUE(peer->wait(std::chrono::seconds{5}).readable);
    ASSERT_EQ(peer->receive(answers), 3U);
    for (const DatagramBatch& batch : answers.batches()) EXPECT_EQ(batch.remote, address);
  }
  EXPECT_EQ(wildcard->statistics().send_refusals.total(), 0U);
}

TEST_P(BackendLife, SeveralSocketsShareAPortWhenAllAskForIt) {
  if (single_peer()) GTEST_SKIP() << "a client's socket";
  auto first = Socket::open({.bind = loopback(family()), .group = SocketOptions::Group::kFirst});
  ASSERT_TRUE(first);
  auto second = Socket::open({.bind = first->local_address(), .group = SocketOptions::Group::kFurther});
  ASSERT_TRUE(second);
  const SocketAddress address = first->local_address();
  const auto one = open(*std::move(first), {});
  const auto two = open(*std::move(second), {});
  ReceivedBatches inbox;
  one->receive(inbox);
  two->receive(inbox);
  // One flow stays with one socket.
  const OwnedBatch batch(address, 100, 100, 1);
  for (int i = 0; i < 20; ++i) ASSERT_EQ(a_->send({&batch.batch, 1}), 1U);
  const std::size_t at_one = collect_rest(*one).size();
  const std::size_t at_two = collect_rest(*two).size();
  EXPECT_EQ(at_one + at_two, 20U);
  EXPECT_TRUE(at_one == 0 || at_two == 0);
}

INSTANTIATE_TEST_SUITE_P(All, BackendLife, all_back_ends(), conformance_name);

}  // namespace
}  // namespace godwit
