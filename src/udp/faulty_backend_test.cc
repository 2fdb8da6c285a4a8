#include "udp/faulty_backend.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <memory>
#include <set>
#include <vector>

#include "udp/conformance_fixture.h"

namespace godwit {
namespace {

class FaultyBackendTest : public testing::Test {
 protected:
  void SetUp() override {
    auto from = Socket::open({.bind = loopback(SocketFamily::kIpv4)});
    auto to = Socket::open({.bind = loopback(SocketFamily::kIpv4)});
    ASSERT_TRUE(from && to);
    target_ = to->local_address();
    inner_ = *make_backend(BackendKind::kMmsg, *std::move(from), {.send_calls = calls_});
    to_ = *make_backend(BackendKind::kMmsg, *std::move(to), {});
  }
  void start(const FaultPlan& plan) {
    faulty_ = std::make_unique<FaultyBackend>(std::move(inner_), plan, [this] { return now_; });
  }
  OwnedBatch batch(std::size_t count, std::uint32_t seed = 1) const {
    return OwnedBatch(target_, 100, count * 100, seed);
  }
  // Datagrams as they were sent, to find those that arrived among.
  static Datagrams datagrams_of(const OwnedBatch& owned) {
    Datagrams out;
    append_datagrams(owned.batch, out);
    return out;
  }

  std::shared_ptr<ScriptedSendCalls> calls_ = std::make_shared<ScriptedSendCalls>();
  Duration now_{1'000'000};
  SocketAddress target_;
  std::unique_ptr<Backend> inner_;
  std::unique_ptr<FaultyBackend> faulty_;
  std::unique_ptr<Backend> to_;
};

TEST_F(FaultyBackendTest, WithoutFaultsIsTransparent) {
  start({});
  const OwnedBatch sent = batch(100);
  ASSERT_EQ(faulty_->send({&sent.batch, 1}), 1U);
  EXPECT_EQ(collect(*to_, 100), datagrams_of(sent));
  EXPECT_EQ(faulty_->statistics().batches_sent, 1U);
  EXPECT_EQ(faulty_->kind(), BackendKind::kMmsg);
}

TEST_F(FaultyBackendTest, DropsAboutItsShareAndKeepsTheRest) {
  start({.drop = 0.2});
  Datagrams sent;
  for (std::uint32_t i = 0; i < 50; ++i) {
    const OwnedBatch one = batch(50, i);
    ASSERT_EQ(faulty_->send({&one.batch, 1}), 1U);
    append_datagrams(one.batch, sent);
  }
  const std::uint64_t dropped = faulty_->faults().dropped;
  EXPECT_GT(dropped, 400U);
  EXPECT_LT(dropped, 600U);
  const Datagrams arrived = collect(*to_, sent.size() - dropped);
  ASSERT_EQ(arrived.size(), sent.size() - dropped);
  // A subsequence: nothing is out of order.
  auto at = sent.begin();
  for (const Datagram& datagram : arrived) {
    at = std::find(at, sent.end(), datagram);
    ASSERT_NE(at, sent.end());
    ++at;
  }
}

TEST_F(FaultyBackendTest, CutsBatchesOnlyWhereAFaultStrikes) {
  start({.drop = 0.02});
  const OwnedBatch sent = batch(500);
  ASSERT_EQ(faulty_->send({&sent.batch, 1}), 1U);
  EXPECT_LE(faulty_->statistics().batches_sent, faulty_->faults().dropped + 1);
}

TEST_F(FaultyBackendTest, EqualSeedsStrikeEqualDatagrams) {
  std::vector<Datagrams> results;
  for (const std::uint64_t seed : {5U, 5U, 6U}) {
    SetUp();
    start({.drop = 0.1, .duplicate = 0.1, .reorder = 0.1, .corrupt = 0.1, .seed = seed});
    const OwnedBatch sent = batch(200);
    ASSERT_EQ(faulty_->send({&sent.batch, 1}), 1U);
    now_ += std::chrono::seconds{1};
    faulty_->wait(Duration::zero());
    const FaultStatistics& faults = faulty_->faults();
    results.push_back(collect(*to_, 200 - faults.dropped + faults.duplicated));
  }
  EXPECT_EQ(results[0], results[1]);
  EXPECT_NE(results[0], results[2]);
}

TEST_F(FaultyBackendTest, DuplicatesFollowTheirOriginal) {
  start({.duplicate = 1});
  const OwnedBatch sent = batch(3);
  ASSERT_EQ(faulty_->send({&sent.batch, 1}), 1U);
  const Datagrams arrived = collect(*to_, 6);
  ASSERT_EQ(arrived.size(), 6U);
  for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(arrived[i], datagrams_of(sent)[i / 2]);
  EXPECT_EQ(faulty_->faults().duplicated, 3U);
}

TEST_F(FaultyBackendTest, CorruptsOneBitOfACopy) {
  start({.corrupt = 1});
  const OwnedBatch sent = batch(20);
  const Datagrams before = datagrams_of(sent);
  ASSERT_EQ(faulty_->send({&sent.batch, 1}), 1U);
  EXPECT_EQ(datagrams_of(sent), before);
  const Datagrams arrived = collect(*to_, 20);
  ASSERT_EQ(arrived.size(), 20U);
  for (std::size_t i = 0; i < 20; ++i) {
    int bits = 0;
    for (std::size_t k = 0; k < 100; ++k) bits += std::popcount(static_cast<unsigned>(arrived[i][k] ^ before[i][k]));
    EXPECT_EQ(bits, 1);
  }
}

TEST_F(FaultyBackendTest, ReorderingDisplacesByAtMostItsDistanceAndLosesNothing) {
  start({.reorder = 0.1, .reorder_distance = 4});
  const OwnedBatch sent = batch(400);
  ASSERT_EQ(faulty_->send({&sent.batch, 1}), 1U);
  now_ += std::chrono::milliseconds{2};
  faulty_->wait(Duration::zero());
  const Datagrams before = datagrams_of(sent);
  const Datagrams arrived = collect(*to_, 400);
  ASSERT_EQ(arrived.size(), 400U);
  EXPECT_TRUE(std::is_permutation(arrived.begin(), arrived.end(), before.begin()));
  EXPECT_NE(arrived, before);
  EXPECT_GT(faulty_->faults().reordered, 15U);
  for (std::ptrdiff_t i = 0; i < 400; ++i) {
    const auto original =
        std::find(before.begin(), before.end(), arrived[static_cast<std::size_t>(i)]) - before.begin();
    // Late by its distance, and by those of others that leave with it; early by the number of those held back.
    EXPECT_LE(std::abs(original - i), 8) << i;
  }
}

TEST_F(FaultyBackendTest, AReorderedLastDatagramLeavesWhenItsTimeIsOver) {
  start({.reorder = 1, .reorder_hold = std::chrono::milliseconds{5}});
  const OwnedBatch sent = batch(1);
  ASSERT_EQ(faulty_->send({&sent.batch, 1}), 1U);
  EXPECT_TRUE(collect_rest(*to_).empty());
  now_ += std::chrono::milliseconds{5};
  faulty_->wait(Duration::zero());
  EXPECT_EQ(collect(*to_, 1), datagrams_of(sent));
}

TEST_F(FaultyBackendTest, DelayHoldsWholeBatchesBackAndKeepsTheirOrder) {
  start({.delay = std::chrono::milliseconds{25}});
  const OwnedBatch first = batch(10, 1);
  const OwnedBatch second = batch(10, 2);
  ASSERT_EQ(faulty_->send({&first.batch, 1}), 1U);
  now_ += std::chrono::milliseconds{10};
  ASSERT_EQ(faulty_->send({&second.batch, 1}), 1U);
  now_ += std::chrono::milliseconds{15};
  ReceivedBatches inbox;
  faulty_->receive(inbox);  // a turn without a wait releases as well
  EXPECT_EQ(collect(*to_, 10), datagrams_of(first));
  EXPECT_TRUE(collect_rest(*to_).empty());
  now_ += std::chrono::milliseconds{10};
  faulty_->receive(inbox);
  EXPECT_EQ(collect(*to_, 10), datagrams_of(second));
  EXPECT_EQ(faulty_->faults().delayed, 20U);
  EXPECT_EQ(faulty_->statistics().batches_sent, 2U);
}

TEST_F(FaultyBackendTest, WaitingEndsWhenADelayedBatchIsDue) {
  // The real clock: without its own deadline the wait would have no end.
  faulty_ = std::make_unique<FaultyBackend>(std::move(inner_), FaultPlan{.delay = std::chrono::milliseconds{3}});
  const OwnedBatch sent = batch(4);
  ASSERT_EQ(faulty_->send({&sent.batch, 1}), 1U);
  while (faulty_->statistics().batches_sent == 0) faulty_->wait(std::nullopt);
  EXPECT_EQ(collect(*to_, 4), datagrams_of(sent));
}

TEST_F(FaultyBackendTest, JitterReordersBatches) {
  start({.delay = std::chrono::milliseconds{1}, .jitter = std::chrono::milliseconds{10}});
  Datagrams before;
  for (std::uint32_t i = 0; i < 30; ++i) {
    const OwnedBatch one = batch(1, i);
    ASSERT_EQ(faulty_->send({&one.batch, 1}), 1U);
    append_datagrams(one.batch, before);
  }
  for (int i = 0; i < 12; ++i) {
    now_ += std::chrono::milliseconds{1};
    faulty_->wait(Duration::zero());
  }
  const Datagrams arrived = collect(*to_, 30);
  EXPECT_TRUE(std::is_permutation(arrived.begin(), arrived.end(), before.begin(), before.end()));
  EXPECT_NE(arrived, before);
}

TEST_F(FaultyBackendTest, AFullQueueDropsAndCounts) {
  start({.delay = std::chrono::milliseconds{1}, .queue_bytes = 1000});
  for (std::uint32_t i = 0; i < 3; ++i) {
    const OwnedBatch one = batch(4, i);
    ASSERT_EQ(faulty_->send({&one.batch, 1}), 1U);
  }
  EXPECT_EQ(faulty_->faults().queue_overflow, 4U);
  now_ += std::chrono::milliseconds{1};
  faulty_->wait(Duration::zero());
  EXPECT_EQ(collect_rest(*to_).size(), 8U);
}

TEST_F(FaultyBackendTest, ABlockedSocketDelaysButLosesNothing) {
  for (const Duration delay : {Duration{0}, Duration{std::chrono::milliseconds{1}}}) {
    SetUp();
    start({.drop = 0.1, .duplicate = 0.1, .delay = delay});
    calls_->clear();
    calls_->add({.error = EAGAIN, .pass_first = 5, .times = 3});
    calls_->add({.error = EAGAIN, .pass_first = 40, .times = 1});
    Datagrams sent;
    std::size_t expected = 0;
    for (std::uint32_t i = 0; i < 10;) {
      const OwnedBatch one = batch(20, i);
      if (faulty_->send({&one.batch, 1}) == 1) {
        ++i;
        expected += 20;
      }
      now_ += std::chrono::milliseconds{1};
      faulty_->wait(Duration::zero());
    }
    now_ += std::chrono::seconds{1};
    for (int turn = 0; turn < 10; ++turn) faulty_->wait(Duration::zero());
    const FaultStatistics& faults = faulty_->faults();
    expected += faults.duplicated;
    expected -= faults.dropped;
    EXPECT_EQ(collect(*to_, expected).size(), expected);
    EXPECT_EQ(faulty_->statistics().datagrams_sent, expected);
    EXPECT_GT(faulty_->statistics().blocked_sends, 0U);
    EXPECT_EQ(faults.queue_overflow, 0U);
  }
}

TEST_F(FaultyBackendTest, RefusalsBelowItAreFaultsToo) {
  start({});
  calls_->add({.error = ENOBUFS, .times = 1});
  const OwnedBatch lost = batch(3, 1);
  const OwnedBatch kept = batch(3, 2);
  ASSERT_EQ(faulty_->send({&lost.batch, 1}), 1U);
  ASSERT_EQ(faulty_->send({&kept.batch, 1}), 1U);
  EXPECT_EQ(collect(*to_, 3), datagrams_of(kept));
  EXPECT_EQ(faulty_->statistics().send_refusals.of(ENOBUFS), 1U);
}

TEST_F(FaultyBackendTest, WhatItReceivesPassesUntouched) {
  start({.drop = 1});
  const SocketAddress own = faulty_->socket().local_address();
  const OwnedBatch answer(own, 100, 500, 3);
  ASSERT_EQ(to_->send({&answer.batch, 1}), 1U);
  EXPECT_EQ(collect(*faulty_, 5), datagrams_of(answer));
}

}  // namespace
}  // namespace godwit
