// The conformance suite, refusals: each errno that a kernel may answer with is injected below all fall-back logic.
#include <gtest/gtest.h>

#include <cerrno>
#include <vector>

#include "udp/conformance_fixture.h"

namespace godwit {
namespace {

using Shape = ScriptedSendCalls::Shape;

class BackendRefusals : public BackendConformance {
 protected:
  // Sends one batch to b and expects all of it there.
  void expect_passage(std::uint32_t seed, std::size_t segments = 10) {
    const OwnedBatch batch = run_to_b(1200, segments * 1200 - 7, seed);
    ASSERT_EQ(a_->send({&batch.batch, 1}), 1U);
    ASSERT_EQ(collect(*b_, segments), datagrams_of(batch));
  }
  // Of a socket that has closed.
  static std::uint16_t closed_port() {
    const auto socket = Socket::open({.bind = loopback(family())});
    return socket ? socket->local_address().port() : std::uint16_t{1};
  }
  // Single datagrams on every back end, so that a refusal may strike in the middle of a batch.
  Backend& sender_without_offload() {
    if (!cuts()) return *a_;
    config_.segmentation_offload = false;
    plain_ = open_another({});
    return *plain_;
  }

 private:
  std::unique_ptr<Backend> plain_;
};

TEST_P(BackendRefusals, OffloadRefusedForOnePathFallsBackForThatPathOnlyAndTheBatchIsResentAtOnce) {
  if (!cuts()) GTEST_SKIP() << "sends without segmentation offload";
  for (const int error : {EIO, EINVAL, EMSGSIZE, ENOBUFS, EPERM, EOPNOTSUPP}) {
    const auto refused = open_another({});
    const SocketAddress refused_address = refused->socket().local_address();
    calls_->clear();
    calls_->add({.error = error, .shape = Shape::kCut, .remote = refused_address});
    const BackendStatistics before = a_->statistics();

    const OwnedBatch batch(refused_address, 1200, 10 * 1200 - 7, static_cast<std::uint32_t>(error));
    ASSERT_EQ(a_->send({&batch.batch, 1}), 1U);
    EXPECT_EQ(collect(*refused, 10), datagrams_of(batch)) << "errno " << error;
    EXPECT_EQ(a_->statistics().send_refusals.of(error), before.send_refusals.of(error) + 1);
    EXPECT_EQ(a_->statistics().offload_fallbacks, before.offload_fallbacks + 1);
    EXPECT_EQ(a_->statistics().offload_resent_batches, before.offload_resent_batches + 1);
    EXPECT_EQ(a_->statistics().datagrams_sent, before.datagrams_sent + 10);
    EXPECT_EQ(a_->statistics().offloaded_datagrams, before.offloaded_datagrams);
    EXPECT_EQ(a_->statistics().datagrams_discarded, 0U);

    // The path is remembered: no second refusal. Another path is not touched by it.
    ASSERT_EQ(a_->send({&batch.batch, 1}), 1U);
    EXPECT_EQ(collect(*refused, 10), datagrams_of(batch));
    EXPECT_EQ(a_->statistics().send_refusals.of(error), before.send_refusals.of(error) + 1);
    expect_passage(1);
    EXPECT_EQ(a_->statistics().offloaded_datagrams, before.offloaded_datagrams + 10);
  }
}

TEST_P(BackendRefusals, ARefusalInTheMiddleOfManyBatchesLosesNoneOfThem) {
  if (single_peer()) GTEST_SKIP() << "serves one peer by its nature";
  const auto other = open_another({});
  const SocketAddress other_address = other->socket().local_address();
  calls_->add({.error = EIO, .shape = Shape::kCut, .remote = other_address});
  std::vector<OwnedBatch> owned;
  std::vector<DatagramBatch> batches;
  Datagrams to_b;
  Datagrams to_other;
  for (std::uint32_t i = 0; i < 12; ++i) {
    const bool is_other = i % 3 == 1;
    owned.emplace_back(is_other ? other_address : b_address_, 1200, 5000, i);
    batches.push_back(owned.back().batch);
    append_datagrams(owned.back().batch, is_other ? to_other : to_b);
  }
  ASSERT_EQ(a_->send(batches), batches.size());
  EXPECT_EQ(collect(*b_, to_b.size()), to_b);
  EXPECT_EQ(collect(*other, to_other.size()), to_other);
  EXPECT_EQ(a_->statistics().batches_sent, 12U);
  EXPECT_EQ(a_->statistics().offload_fallbacks, cuts() ? 1U : 0U);
}

TEST_P(BackendRefusals, OffloadIsNotBlamedForWhatSingleDatagramsMeetToo) {
  if (!cuts()) GTEST_SKIP() << "sends without segmentation offload";
  calls_->add({.error = EIO, .shape = Shape::kAny, .times = 2});
  const OwnedBatch lost = run_to_b(1200, 5 * 1200);
  ASSERT_EQ(a_->send({&lost.batch, 1}), 1U);
  EXPECT_EQ(a_->statistics().send_refusals.of(EIO), 2U);
  EXPECT_EQ(a_->statistics().datagrams_discarded, 5U);
  EXPECT_EQ(a_->statistics().offload_fallbacks, 0U);
  expect_passage(2);
  EXPECT_EQ(a_->statistics().offloaded_datagrams, 10U);
}

TEST_P(BackendRefusals, ARefusedDatagramLosesTheRestOfItsBatchAndNothingElse) {
  for (const int error : {EIO, EINVAL, EMSGSIZE, ENOBUFS, EPERM, ENETUNREACH, EHOSTUNREACH}) {
    Backend* const sender = &sender_without_offload();
    calls_->clear();
    // EPERM of a call for many is asked about a second time, by a call for one.
    const bool asks_twice = error == EPERM && (kind() == BackendKind::kMmsg || kind() == BackendKind::kGso);
    calls_->add({.error = error, .pass_first = 3, .times = asks_twice ? 2U : 1U});
    const OwnedBatch first = run_to_b(700, 10 * 700, 1);
    const OwnedBatch second = run_to_b(700, 2 * 700, 2);
    const std::vector<DatagramBatch> batches = {first.batch, second.batch};
    const BackendStatistics before = sender->statistics();
    ASSERT_EQ(sender->send(batches), 2U);
    Datagrams expected = datagrams_of(first);
    expected.resize(3);
    append_datagrams(second.batch, expected);
    EXPECT_EQ(collect(*b_, 5), expected) << "errno " << error;
    EXPECT_EQ(sender->statistics().send_refusals.of(error), before.send_refusals.of(error) + 1);
    EXPECT_EQ(sender->statistics().datagrams_discarded, before.datagrams_discarded + 7);
    EXPECT_EQ(sender->statistics().datagrams_sent, before.datagrams_sent + 5);
    EXPECT_EQ(sender->statistics().batches_sent, before.batches_sent + 2);
    EXPECT_FALSE(sender->send_blocked());
  }
}

TEST_P(BackendRefusals, ARefusedPathIsTriedAgainAfterItsBatches) {
  if (!cuts()) GTEST_SKIP() << "sends without segmentation offload";
  config_.offload_retry_batches = 3;
  const auto sender = open_another({});
  calls_->add({.error = EIO, .shape = Shape::kCut, .times = 1});
  const auto offloaded_after_one_batch = [&] {
    const std::uint64_t before = sender->statistics().offloaded_datagrams;
    const OwnedBatch batch = run_to_b(1200, 4 * 1200);
    EXPECT_EQ(sender->send({&batch.batch, 1}), 1U);
    EXPECT_EQ(collect(*b_, 4), datagrams_of(batch));
    return sender->statistics().offloaded_datagrams - before;
  };
  EXPECT_EQ(offloaded_after_one_batch(), 0U);  // refused and resent, which counts as the first
  EXPECT_EQ(offloaded_after_one_batch(), 0U);
  EXPECT_EQ(offloaded_after_one_batch(), 4U);
  EXPECT_EQ(sender->statistics().offload_fallbacks, 1U);
}

TEST_P(BackendRefusals, ForbiddenCallsForManyGiveWayToOneCallAMessage) {
  if (kind() != BackendKind::kMmsg && kind() != BackendKind::kGso) GTEST_SKIP() << "has no sendmmsg";
  calls_->add({.error = EPERM, .whole_call = true});
  std::vector<OwnedBatch> owned;
  std::vector<DatagramBatch> batches;
  Datagrams expected;
  for (std::uint32_t i = 0; i < 6; ++i) {
    owned.push_back(run_to_b(1200, 1200, i));
    batches.push_back(owned.back().batch);
    append_datagrams(owned.back().batch, expected);
  }
  ASSERT_EQ(a_->send(batches), batches.size());
  ASSERT_EQ(a_->send(batches), batches.size());
  const Datagrams once = expected;
  expected.insert(expected.end(), once.begin(), once.end());
  EXPECT_EQ(collect(*b_, 12), expected);
  EXPECT_EQ(a_->statistics().batch_fallbacks, 1U);
  EXPECT_EQ(a_->statistics().datagrams_discarded, 0U);
  EXPECT_EQ(calls_->refusals(), 3U);
}

TEST_P(BackendRefusals, WouldBlockReturnsTheBatchesTakenAndTheRestGoesLaterOnce) {
  calls_->add({.error = EAGAIN, .pass_first = 2, .times = 1});
  std::vector<OwnedBatch> owned;
  std::vector<DatagramBatch> batches;
  Datagrams expected;
  for (std::uint32_t i = 0; i < 5; ++i) {
    owned.push_back(run_to_b(800, 800, i));
    batches.push_back(owned.back().batch);
    append_datagrams(owned.back().batch, expected);
  }
  EXPECT_EQ(a_->send(batches), 2U);
  EXPECT_TRUE(a_->send_blocked());
  EXPECT_EQ(a_->statistics().blocked_sends, 1U);
  EXPECT_TRUE(a_->wait(std::chrono::seconds{5}).writable);
  EXPECT_FALSE(a_->send_blocked());
  EXPECT_EQ(a_->send(std::span(batches).subspan(2)), 3U);
  EXPECT_EQ(collect(*b_, 5), expected);
}

TEST_P(BackendRefusals, ABatchTakenInPartIsNotSentFromItsStartAgain) {
  Backend* const sender = &sender_without_offload();
  calls_->add({.error = EAGAIN, .pass_first = 4, .times = 2});
  OwnedBatch first = run_to_b(500, 10 * 500 - 3, 1);
  const OwnedBatch second = run_to_b(500, 500, 2);
  const std::vector<DatagramBatch> batches = {first.batch, second.batch};
  Datagrams expected = datagrams_of(first);
  append_datagrams(second.batch, expected);

  EXPECT_EQ(sender->send(batches), 1U);  // the first counts as taken
  EXPECT_TRUE(sender->send_blocked());
  EXPECT_EQ(sender->statistics().batches_sent, 0U);
  std::ranges::fill(first.bytes, std::uint8_t{0});  // its bytes were needed for the call only
  EXPECT_EQ(sender->send({&second.batch, 1}), 0U);  // nothing newer overtakes the remainder
  EXPECT_TRUE(sender->wait(std::chrono::seconds{5}).writable);
  EXPECT_EQ(sender->statistics().batches_sent, 1U);
  EXPECT_EQ(sender->send({&second.batch, 1}), 1U);
  EXPECT_EQ(collect(*b_, 11), expected);
  EXPECT_EQ(sender->statistics().datagrams_sent, 11U);
  EXPECT_EQ(sender->statistics().blocked_sends, 2U);
}

TEST_P(BackendRefusals, ARemainderGoesOutWithTheNextReceiveToo) {
  Backend* const sender = &sender_without_offload();
  calls_->add({.error = EAGAIN, .pass_first = 1, .times = 1});
  const OwnedBatch batch = run_to_b(500, 1500, 1);
  EXPECT_EQ(sender->send({&batch.batch, 1}), 1U);
  ReceivedBatches inbox;
  sender->receive(inbox);
  EXPECT_FALSE(sender->send_blocked());
  EXPECT_EQ(collect(*b_, 3), datagrams_of(batch));
}

TEST_P(BackendRefusals, WouldBlockDuringTheFallBackResumesSegmentBySegment) {
  if (!cuts()) GTEST_SKIP() << "sends without segmentation offload";
  calls_->add({.error = EIO, .shape = Shape::kCut});
  calls_->add({.error = EAGAIN, .shape = Shape::kSingle, .pass_first = 3, .times = 1});
  const OwnedBatch batch = run_to_b(900, 8 * 900, 1);
  EXPECT_EQ(a_->send({&batch.batch, 1}), 1U);
  EXPECT_TRUE(a_->send_blocked());
  EXPECT_TRUE(a_->wait(std::chrono::seconds{5}).writable);
  EXPECT_EQ(collect(*b_, 8), datagrams_of(batch));
  EXPECT_EQ(a_->statistics().offload_fallbacks, 1U);
}

TEST_P(BackendRefusals, ADestinationThatTheSocketCannotReachIsCountedAndSkipped) {
  const OwnedBatch nowhere({}, 100, 300, 1);
  const OwnedBatch batch = run_to_b(100, 300, 2);
  std::vector<DatagramBatch> batches = {batch.batch, nowhere.batch, batch.batch};
  if (family() == SocketFamily::kIpv4) batches[1].remote = loopback(SocketFamily::kIpv6, 9);
  ASSERT_EQ(a_->send(batches), 3U);
  EXPECT_EQ(collect(*b_, 6).size(), 6U);
  EXPECT_EQ(a_->statistics().send_refusals.total(), 1U);
  EXPECT_EQ(a_->statistics().datagrams_discarded, 3U);
}

TEST_P(BackendRefusals, APortThatNobodyListensOnHarmsNothing) {
  b_.reset();
  for (std::uint32_t i = 0; i < 4; ++i) {
    const OwnedBatch batch = run_to_b(300, 600, i);
    EXPECT_EQ(a_->send({&batch.batch, 1}), 1U);
    ReceivedBatches inbox;
    EXPECT_EQ(a_->receive(inbox), 0U);
  }
  if (single_peer()) {
    EXPECT_GT(a_->statistics().send_refusals.of(ECONNREFUSED) + a_->statistics().receive_errors.of(ECONNREFUSED), 0U);
  }
  EXPECT_EQ(a_->statistics().datagrams_discarded, 0U);
  EXPECT_EQ(a_->statistics().datagrams_sent, 8U);
}

TEST_P(BackendRefusals, APortThatNobodyListensOnIsReportedAndCostsOtherPeersNothing) {
  if (!has_kernel_reports()) GTEST_SKIP() << "a socket of POSIX that is not connected hears of no ICMP error";
  const SocketAddress gone = loopback(family(), closed_port());
  std::optional<PathReport> report;
  ReceivedBatches inbox;
  constexpr std::uint32_t kTries = 50;
  for (std::uint32_t i = 0; i < kTries && !report; ++i) {
    const OwnedBatch lost(single_peer() ? b_address_ : gone, 300, 300, i);
    if (single_peer()) b_.reset();
    static_cast<void>(a_->send({&lost.batch, 1}));
    a_->receive(inbox);
    a_->wait(std::chrono::milliseconds{1});
    report = a_->poll_path_report();
  }
  ASSERT_TRUE(report);
  EXPECT_EQ(report->problem, PathProblem::kPortUnreachable);
  EXPECT_EQ(report->remote, single_peer() ? b_address_ : gone);
  EXPECT_GT(a_->statistics().path_errors, 0U);
  if (single_peer()) return;
  // Each of these sends may meet the error that an earlier one has left behind.
  Datagrams expected;
  for (std::uint32_t i = 0; i < 8; ++i) {
    const OwnedBatch lost(gone, 300, 300, i);
    const OwnedBatch batch = run_to_b(300, 900, i);
    const std::vector<DatagramBatch> batches = {lost.batch, batch.batch};
    EXPECT_EQ(a_->send(batches), 2U);
    append_datagrams(batch.batch, expected);
  }
  EXPECT_EQ(collect(*b_, expected.size()), expected);
  EXPECT_EQ(a_->statistics().datagrams_discarded, 0U);
}

TEST_P(BackendRefusals, ARefusalIsReportedWithItsPeer) {
  calls_->add({.error = ENETUNREACH});
  const OwnedBatch batch = run_to_b(300, 900, 1);
  EXPECT_EQ(a_->send({&batch.batch, 1}), 1U);
  const auto report = a_->poll_path_report();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->problem, PathProblem::kNetworkUnreachable);
  EXPECT_EQ(report->remote, b_address_);
  EXPECT_FALSE(a_->poll_path_report());
}

INSTANTIATE_TEST_SUITE_P(All, BackendRefusals, all_back_ends(), conformance_name);

}  // namespace
}  // namespace godwit
