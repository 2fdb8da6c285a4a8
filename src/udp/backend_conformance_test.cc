// One suite for every back end: what all of them promise about moving datagrams. Refusals and would-block are in
// backend_conformance_refusals_test.cc, waiting and addresses in backend_conformance_life_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/random.h"
#include "udp/batch_sender.h"
#include "udp/conformance_fixture.h"

namespace godwit {
namespace {

TEST_P(BackendConformance, BatchesOfEveryShapeArriveIntactAndInOrder) {
  std::uint32_t seed = 0;
  for (const std::size_t segment_size : {std::size_t{1}, std::size_t{29}, std::size_t{1200}, std::size_t{1500}}) {
    for (const std::size_t full :
         {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{53}, std::size_t{64}, std::size_t{65}}) {
      for (const std::size_t rest : {std::size_t{0}, std::size_t{1}, segment_size - 1}) {
        const std::size_t total = full * segment_size + rest;
        if (total == 0) continue;
        const OwnedBatch sent = run_to_b(segment_size, total, ++seed);
        ASSERT_EQ(a_->send({&sent.batch, 1}), 1U);
        const Datagrams expected = datagrams_of(sent);
        const Datagrams arrived = collect(*b_, expected.size());
        ASSERT_EQ(arrived, expected) << segment_size << " * " << full << " + " << rest;
      }
    }
  }
  EXPECT_EQ(a_->statistics().send_refusals.total(), 0U);
  EXPECT_EQ(b_->statistics().truncated_datagrams, 0U);
}

TEST_P(BackendConformance, RandomBatchesArriveIntactAndInOrder) {
  DeterministicRandom random(7);
  for (int round = 0; round < 30; ++round) {
    std::vector<OwnedBatch> owned;
    std::vector<DatagramBatch> batches;
    Datagrams expected;
    const std::size_t count = 1 + random.below(20);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t segment_size = 1 + random.below(1500);
      const std::size_t total = 1 + random.below(segment_size * (1 + random.below(90)));
      owned.push_back(run_to_b(segment_size, total, static_cast<std::uint32_t>(random.next_u64())));
      batches.push_back(owned.back().batch);
      append_datagrams(owned.back().batch, expected);
    }
    ASSERT_EQ(a_->send(batches), batches.size());
    ASSERT_EQ(collect(*b_, expected.size()), expected);
  }
}

TEST_P(BackendConformance, AnEmptyDatagramIsSentAndCountedByTheReceiverButNotDelivered) {
  const OwnedBatch empty = run_to_b(0, 0);
  const OwnedBatch after = run_to_b(10, 10);
  const std::vector<DatagramBatch> batches = {empty.batch, after.batch};
  ASSERT_EQ(a_->send(batches), 2U);
  EXPECT_EQ(collect(*b_, 1), datagrams_of(after));
  EXPECT_EQ(a_->statistics().datagrams_sent, 2U);
  EXPECT_EQ(b_->statistics().empty_datagrams, 1U);
  EXPECT_EQ(b_->statistics().datagrams_received, 1U);
}

TEST_P(BackendConformance, ABatchBeyondWhatOneCallTakesIsSplitBySegments) {
  const OwnedBatch large = run_to_b(1200, 200 * 1200 + 17, 3);
  ASSERT_EQ(a_->send({&large.batch, 1}), 1U);
  EXPECT_EQ(collect(*b_, 201), datagrams_of(large));
  const OwnedBatch tiny = run_to_b(1, 1000, 4);
  ASSERT_EQ(a_->send({&tiny.batch, 1}), 1U);
  EXPECT_EQ(collect(*b_, 1000), datagrams_of(tiny));
  EXPECT_EQ(a_->statistics().batches_sent, 2U);
  EXPECT_EQ(a_->statistics().offload_fallbacks, 0U);
  EXPECT_EQ(a_->statistics().send_refusals.total(), 0U);
}

TEST_P(BackendConformance, ManyBatchesToManyPeersGoInAsFewCallsAsTheBackEndPromises) {
  if (single_peer()) GTEST_SKIP() << "serves one peer by its nature";
  std::vector<std::unique_ptr<Backend>> peers;
  for (int i = 0; i < 5; ++i) peers.push_back(open_another({}));
  std::vector<OwnedBatch> owned;
  std::vector<DatagramBatch> batches;
  std::vector<Datagrams> expected(peers.size());
  for (std::uint32_t i = 0; i < 40; ++i) {
    const std::size_t peer = i % peers.size();
    owned.emplace_back(peers[peer]->socket().local_address(), 1200, std::size_t{1200} * (1 + i % 7) - i, i);
    batches.push_back(owned.back().batch);
    append_datagrams(owned.back().batch, expected[peer]);
  }
  ASSERT_EQ(a_->send(batches), batches.size());
  std::size_t datagrams = 0;
  for (std::size_t i = 0; i < peers.size(); ++i) {
    EXPECT_EQ(collect(*peers[i], expected[i].size()), expected[i]);
    datagrams += expected[i].size();
  }
  EXPECT_EQ(a_->statistics().datagrams_sent, datagrams);
  const std::uint64_t calls = a_->statistics().send_calls;
  if (one_call_each()) {
    EXPECT_EQ(calls, datagrams);
  } else if (cuts()) {
    EXPECT_EQ(calls, 1U);
  } else {
    EXPECT_EQ(calls, (datagrams + kMaxMessagesPerCall - 1) / kMaxMessagesPerCall);
  }
}

TEST_P(BackendConformance, SystemCallsPerDatagramAreWhatTheBackEndPromises) {
  const OwnedBatch batch = run_to_b(1200, 54 * 1200);
  for (int i = 0; i < 8; ++i) {
    ASSERT_EQ(a_->send({&batch.batch, 1}), 1U);
    ASSERT_EQ(collect(*b_, 54).size(), 54U);
  }
  const std::uint64_t datagrams = 8 * 54;
  const std::uint64_t sends = a_->statistics().send_calls;
  const std::uint64_t receives = b_->statistics().receive_calls;
  if (one_call_each()) {
    EXPECT_EQ(sends, datagrams);
    EXPECT_LE(receives, 1 + datagrams + 8);  // SetUp's, and the one that finds the socket empty
  } else if (cuts()) {
    EXPECT_EQ(sends, 8U);
    EXPECT_LE(receives, 1U + 8U);
    EXPECT_EQ(a_->statistics().offloaded_datagrams, datagrams);
    EXPECT_EQ(b_->statistics().batches_received, 8U);
  } else {
    EXPECT_EQ(sends, 8U);
    EXPECT_EQ(receives, 1U + 8U);
  }
}

TEST_P(BackendConformance, EachCallIsCountedByTheDatagramsThatItMoved) {
  const OwnedBatch batch = run_to_b(1200, 54 * 1200);
  ASSERT_EQ(a_->send({&batch.batch, 1}), 1U);
  ASSERT_EQ(collect(*b_, 54).size(), 54U);
  const BackendStatistics& sent = a_->statistics();
  const BackendStatistics& received = b_->statistics();
  const auto calls_of = [](const CallOccupancy& occupancy) {
    std::uint64_t calls = 0;
    for (std::size_t i = 0; i < CallOccupancy::kClasses; ++i) calls += occupancy.calls(i);
    return calls;
  };
  EXPECT_EQ(calls_of(sent.send_occupancy), sent.send_calls);
  const bool single = one_call_each();
  EXPECT_EQ(sent.send_occupancy.calls(CallOccupancy::class_of(single ? 1 : 54)), single ? 54U : 1U);
  if (kind() != BackendKind::kUring) {
    EXPECT_EQ(calls_of(received.receive_occupancy), received.receive_calls);
  }
  if (single) {
    EXPECT_EQ(received.receive_occupancy.calls(1), 54U);
  }
  if (kind() == BackendKind::kMmsg || kind() == BackendKind::kGso) {
    EXPECT_EQ(received.receive_occupancy.calls(CallOccupancy::class_of(54)), 1U);
  }
}

TEST_P(BackendConformance, WhoPolledGetsTheFirstAloneAndThenTheRest) {
  ReceivedBatches inbox;
  for (int i = 0; i < 4; ++i) b_->receive(inbox);
  std::vector<OwnedBatch> owned;
  Datagrams expected;
  for (std::uint32_t i = 0; i < 5; ++i) {
    owned.push_back(run_to_b(1200, 1200));
    append_datagrams(owned.back().batch, expected);
    ASSERT_EQ(a_->send({&owned.back().batch, 1}), 1U);
  }
  b_->receive(inbox);
  Datagrams received;
  for (const DatagramBatch& batch : inbox.batches()) append_datagrams(batch, received);
  if (kind() != BackendKind::kUring) {
    EXPECT_EQ(received.size(), 1U);
    EXPECT_FALSE(inbox.stopped_at_bound()) << "its caller goes on to wait, which finds the rest";
  }
  const Datagrams rest = collect(*b_, expected.size() - received.size());
  received.insert(received.end(), rest.begin(), rest.end());
  EXPECT_EQ(received, expected);
}

TEST_P(BackendConformance, AnEmptySocketCostsOneSystemCall) {
  const std::uint64_t before = b_->statistics().receive_calls;
  ReceivedBatches inbox;
  EXPECT_EQ(b_->receive(inbox), 0U);
  EXPECT_TRUE(inbox.empty());
  EXPECT_FALSE(inbox.stopped_at_bound());
  EXPECT_EQ(b_->statistics().receive_calls, before + 1);
}

TEST_P(BackendConformance, OneReceiveIsBoundedAndSaysThatThereIsMore) {
  Datagrams expected;
  for (std::uint32_t i = 0; i < 300; ++i) {
    const OwnedBatch one = run_to_b(100, 100, i);
    ASSERT_EQ(a_->send({&one.batch, 1}), 1U);
    append_datagrams(one.batch, expected);
  }
  Datagrams arrived;
  ReceivedBatches inbox;
  bool was_stopped = false;
  for (int turn = 0; turn < 1000 && arrived.size() < expected.size(); ++turn) {
    if (b_->receive(inbox) == 0) b_->wait(std::chrono::seconds{5});
    ASSERT_LE(inbox.batches().size(), std::max(config_.receive_datagrams, config_.receive_batches));
    was_stopped = was_stopped || inbox.stopped_at_bound();
    for (const DatagramBatch& batch : inbox.batches()) append_datagrams(batch, arrived);
  }
  EXPECT_EQ(arrived, expected);
  EXPECT_TRUE(was_stopped);
}

TEST_P(BackendConformance, ReceivedBytesStayUntilTheNextReceive) {
  const OwnedBatch first = run_to_b(1000, 3000, 1);
  const OwnedBatch second = run_to_b(1000, 3000, 2);
  ASSERT_EQ(a_->send({&first.batch, 1}), 1U);
  ReceivedBatches inbox;
  ASSERT_TRUE(b_->wait(std::chrono::seconds{5}).readable);
  ASSERT_GT(b_->receive(inbox), 0U);
  ASSERT_EQ(a_->send({&second.batch, 1}), 1U);
  b_->wait(std::chrono::seconds{5});
  Datagrams kept;
  for (const DatagramBatch& batch : inbox.batches()) append_datagrams(batch, kept);
  EXPECT_EQ(kept, datagrams_of(first));
  // Written to, as decryption in place does.
  for (const DatagramBatch& batch : inbox.batches()) std::ranges::fill(batch.bytes, std::uint8_t{0xee});
  EXPECT_EQ(collect(*b_, 3), datagrams_of(second));
}

TEST_P(BackendConformance, DatagramsBeyondTheLimitAreCountedAndDropped) {
  const OwnedBatch edge = run_to_b(1500, 1500, 1);
  const OwnedBatch beyond = run_to_b(1501, 1501, 2);
  const OwnedBatch jumbo = run_to_b(9000, 2 * 9000 + 100, 3);
  for (const OwnedBatch* batch : {&edge, &beyond, &jumbo}) ASSERT_EQ(a_->send({&batch->batch, 1}), 1U);
  Datagrams expected = datagrams_of(edge);
  expected.push_back(datagrams_of(jumbo).back());
  EXPECT_EQ(collect(*b_, 2), expected);
  EXPECT_EQ(b_->statistics().truncated_datagrams, 3U);
  EXPECT_EQ(b_->statistics().datagrams_received, 2U);
}

TEST_P(BackendConformance, WhatTheKernelDropsIsCounted) {
  if (!has_kernel_reports()) GTEST_SKIP() << "POSIX does not say what the kernel drops";
  // A receive buffer for a few datagrams, and nobody who reads it meanwhile.
  auto socket = Socket::open({.bind = loopback(family()), .receive_buffer_bytes = 8192});
  ASSERT_TRUE(socket);
  const SocketAddress address = socket->local_address();
  const auto sender = open_plain(loopback(family()));
  auto small = open(*std::move(socket), sender->socket().local_address());
  ASSERT_NE(small, nullptr);
  ReceivedBatches inbox;
  const OwnedBatch burst(address, 1200, 300 * 1200, 5);
  ASSERT_EQ(sender->send({&burst.batch, 1}), 1U);
  std::size_t arrived = collect_rest(*small).size();
  EXPECT_LT(arrived, 300U);
  // The count travels with the datagrams that arrive later.
  const OwnedBatch last(address, 10, 10, 6);
  ASSERT_EQ(sender->send({&last.batch, 1}), 1U);
  arrived += collect(*small, 1).size();
  EXPECT_EQ(small->statistics().kernel_drops + arrived, 301U);
}

TEST_P(BackendConformance, StatisticsOfBothSidesAgree) {
  std::vector<OwnedBatch> owned;
  std::vector<DatagramBatch> batches;
  std::uint64_t bytes = 0;
  std::uint64_t datagrams = 0;
  for (std::uint32_t i = 0; i < 10; ++i) {
    owned.push_back(run_to_b(1200, 5000 + i, i));
    batches.push_back(owned.back().batch);
    bytes += owned.back().bytes.size();
    datagrams += owned.back().batch.segment_count();
  }
  ASSERT_EQ(a_->send(batches), batches.size());
  ASSERT_EQ(collect(*b_, datagrams).size(), datagrams);
  const BackendStatistics& sent = a_->statistics();
  const BackendStatistics& received = b_->statistics();
  EXPECT_EQ(sent.batches_sent, 10U);
  EXPECT_EQ(sent.datagrams_sent, datagrams);
  EXPECT_EQ(sent.bytes_sent, bytes);
  EXPECT_EQ(received.datagrams_received, datagrams);
  EXPECT_EQ(received.bytes_received, bytes);
  EXPECT_EQ(sent.offloaded_datagrams, cuts() ? datagrams : 0U);
  EXPECT_EQ(sent.datagrams_discarded, 0U);
  EXPECT_EQ(sent.blocked_sends, 0U);
  EXPECT_EQ(received.receive_errors.total(), 0U);
  EXPECT_EQ(received.kernel_drops, 0U);
}

TEST_P(BackendConformance, NamesItsKindAndSaysWhatItChose) {
  EXPECT_EQ(a_->kind(), kind());
  EXPECT_THAT(a_->choice(), testing::StartsWith(std::string(to_string(kind()))));
  EXPECT_EQ(parse_backend_kind(to_string(kind())), kind());
}

INSTANTIATE_TEST_SUITE_P(All, BackendConformance, all_back_ends(), conformance_name);

}  // namespace
}  // namespace godwit
