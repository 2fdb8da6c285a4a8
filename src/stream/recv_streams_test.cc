#include "stream/recv_streams.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "stream/fragment_layout.h"
#include "stream/stream_test_support.h"

namespace godwit {
namespace {

using Outcome = FragmentOutcome::Result;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t kHuge = ~std::uint64_t{0};

class RecvStreamsTest : public testing::Test {
 protected:
  FragmentOutcome give(std::uint32_t id, std::uint64_t total, std::uint32_t number, const Bytes& payload,
                       std::optional<ByteView> metadata = std::nullopt) {
    return streams_.on_fragment(
        now_,
        wire::StreamFragment{
            .stream_id = id, .total_length = total, .number = number, .payload = payload, .metadata = metadata},
        sink_);
  }
  // A fragment of a stream of `bytes`, over the short path.
  FragmentOutcome give_piece(std::uint32_t id, const Bytes& bytes, std::uint32_t number) {
    const FragmentLayout layout{bytes.size()};
    const Bytes payload = slice(bytes, layout.offset(number), layout.size(number));
    return streams_.on_fragment(
        now_,
        wire::StreamFragmentHeader{.stream_id = id, .total_length = bytes.size(), .number = number, .payload = payload},
        sink_);
  }
  void pass(Duration duration) {
    const Instant end = now_ + duration;
    while (streams_.next_timeout() && *streams_.next_timeout() <= end) {
      now_ = *streams_.next_timeout();
      streams_.handle_timeout(now_, sink_);
    }
    now_ = end;
  }

  // Anew, with this configuration.
  void begin(const RecvStreamsConfig& config) {
    std::destroy_at(&streams_);
    std::construct_at(&streams_, config);
  }

  DeterministicRandom random_{1};
  Instant now_ = kStart;
  RecvStreams streams_;
  RecordingSink sink_;
};

TEST_F(RecvStreamsTest, DeliversInterleavedStreamsEachInOrder) {
  const Bytes first = random_bytes(random_, 3000);
  const Bytes second = random_bytes(random_, 2500);
  EXPECT_TRUE(give_piece(1, first, 1).opened);
  EXPECT_TRUE(give_piece(2, second, 3).opened);
  EXPECT_FALSE(give_piece(1, first, 3).opened);
  EXPECT_FALSE(give_piece(2, second, 1).finished);
  EXPECT_EQ(streams_.open_streams(), 2U);
  EXPECT_TRUE(give_piece(2, second, 2).finished);
  EXPECT_TRUE(give_piece(1, first, 2).finished);
  EXPECT_EQ(sink_.streams[1], first);
  EXPECT_EQ(sink_.streams[2], second);
  EXPECT_THAT(sink_.finished, ElementsAre(2, 1));
  EXPECT_EQ(streams_.open_streams(), 0U);
}

TEST_F(RecvStreamsTest, KeepsDeliveredViewsReadableUntilTheyAreReleased) {
  const Bytes bytes = random_bytes(random_, 3000);
  give_piece(1, bytes, 2);
  give_piece(1, bytes, 1);
  const ByteView held = sink_.last_view;
  give_piece(2, random_bytes(random_, 3000), 2);
  EXPECT_TRUE(std::ranges::equal(held, slice(bytes, 1130, 1130))) << "the next fragment took its memory";
  EXPECT_EQ(sink_.chunks, 2U);
}

TEST_F(RecvStreamsTest, KeepsNoStateForAStreamOfOneFragment) {
  const auto outcome = give(1, 5, 1, Bytes{1, 2, 3, 4, 5});
  EXPECT_TRUE(outcome.opened && outcome.finished);
  EXPECT_THAT(sink_.streams[1], ElementsAre(1, 2, 3, 4, 5));
  EXPECT_EQ(streams_.open_streams(), 0U);
  EXPECT_EQ(streams_.next_timeout(), std::nullopt);
}

TEST_F(RecvStreamsTest, DeliversWholeStreamsWhenAskedTo) {
  const Bytes chunked = random_bytes(random_, 3000);
  const Bytes whole = random_bytes(random_, 3000);
  give_piece(1, chunked, 1);
  streams_.set_delivery(DeliveryMode::kWhole);
  give_piece(2, whole, 2);
  give_piece(2, whole, 1);
  give_piece(1, chunked, 2);
  EXPECT_EQ(sink_.chunks, 2U) << "a stream keeps the mode it began with";
  give_piece(2, whole, 3);
  EXPECT_EQ(sink_.messages, 1U);
  EXPECT_EQ(sink_.streams[2], whole);
  EXPECT_TRUE(give(3, 4, 1, Bytes(4)).finished);
  EXPECT_EQ(sink_.messages, 2U);
}

// Conformance items 58 and 59.
TEST_F(RecvStreamsTest, SurfacesTheMetadataOfAnOperationsStreamOnce) {
  constexpr std::uint32_t kId = 0x80000007;
  const Bytes announcement{9, 9, 9};
  EXPECT_EQ(give(kId, 1500, 2, Bytes(1130, 2)).result, Outcome::kAccepted);
  EXPECT_EQ(give(kId, 1500, 1, {}, ByteView{announcement}).result, Outcome::kAccepted) << "an empty first fragment";
  EXPECT_EQ(give(kId, 1500, 1, {}, ByteView{announcement}).result, Outcome::kDuplicate);
  EXPECT_TRUE(give(kId, 1500, 3, Bytes(370, 3)).finished);
  ASSERT_EQ(sink_.metadata.size(), 1U);
  EXPECT_EQ(sink_.metadata[0].first, kId);
  EXPECT_EQ(sink_.metadata[0].second, announcement);
  EXPECT_EQ(sink_.streams[kId].size(), 1500U);
}

TEST_F(RecvStreamsTest, SurfacesMetadataBeforeTheBytesOfAStreamOfOneFragment) {
  const Bytes announcement{1};
  EXPECT_TRUE(give(0x80000001, 2, 1, Bytes(2), ByteView{announcement}).finished);
  EXPECT_EQ(sink_.metadata.size(), 1U);
}

TEST_F(RecvStreamsTest, IgnoresMetadataWhereItDoesNotBelong) {
  const Bytes announcement{1};
  give(5, 3000, 1, Bytes(1130), ByteView{announcement});
  give(0x80000006, 3000, 2, Bytes(1130), ByteView{announcement});
  EXPECT_THAT(sink_.metadata, IsEmpty());
  EXPECT_EQ(streams_.open_streams(), 2U) << "the fragments themselves count";
  give(0x80000008, 10, 1, Bytes(11), ByteView{announcement});
  EXPECT_THAT(sink_.metadata, IsEmpty()) << "a fragment that is ignored surfaces nothing";
}

TEST_F(RecvStreamsTest, TellsOperationsStreamsApart) {
  class KindSink final : public StreamSink {
   public:
    void on_chunk(const InboundChunk& chunk) override { operations.push_back(chunk.operations()); }
    void on_message(InboundMessage&& message) override { operations.push_back(message.operations()); }
    void on_metadata(std::uint32_t, ByteView) override {}
    void on_failure(const InboundFailure&) override {}
    std::vector<bool> operations;
  } sink;
  streams_.on_fragment(now_, wire::StreamFragment{.stream_id = 3, .total_length = 1, .number = 1, .payload = Bytes(1)},
                       sink);
  streams_.on_fragment(
      now_, wire::StreamFragment{.stream_id = 0x80000003, .total_length = 1, .number = 1, .payload = Bytes(1)}, sink);
  EXPECT_THAT(sink.operations, ElementsAre(false, true));
}

TEST_F(RecvStreamsTest, TakesTheTotalOfTheFirstFragment) {
  const Bytes bytes = random_bytes(random_, 2000);
  give(1, 2000, 2, slice(bytes, 1130, 870));
  EXPECT_TRUE(give(1, kHuge, 1, slice(bytes, 0, 1130)).finished);
  EXPECT_EQ(sink_.streams[1], bytes);
  EXPECT_EQ(streams_.statistics().contradictory, 1U);
}

TEST_F(RecvStreamsTest, SwallowsFragmentsOfCompletedStreams) {
  give(1, 3, 1, Bytes(3));
  EXPECT_EQ(give(1, 3, 1, Bytes(3)).result, Outcome::kIgnored);
  EXPECT_EQ(give(1, 9000, 2, Bytes(1130)).result, Outcome::kIgnored) << "an id is never used twice";
  EXPECT_EQ(streams_.open_streams(), 0U);
  EXPECT_EQ(streams_.statistics().after_end, 2U);
}

// Of a peer that has proved to be a Godwit.
TEST_F(RecvStreamsTest, TellsWhatContradictsItsStreamWhereConsistencyIsExpected) {
  streams_.expect_consistency();
  EXPECT_EQ(give(1, 3000, 1, Bytes(1130)).result, Outcome::kAccepted);
  EXPECT_EQ(give(1, 3001, 2, Bytes(1130)).result, Outcome::kContradicts) << "another length";
  EXPECT_EQ(give(1, 3000, 9, Bytes(1130)).result, Outcome::kContradicts) << "beyond the end";
  EXPECT_EQ(give(1, 3000, 3, Bytes(1871)).result, Outcome::kContradicts) << "more than is left";
  EXPECT_EQ(give(1, 3000, 2, {}).result, Outcome::kContradicts) << "nothing";
  EXPECT_EQ(give(1, 3000, 2, Bytes(1130)).result, Outcome::kAccepted);
  EXPECT_EQ(give(2, 3000, 9, Bytes(1130)).result, Outcome::kContradicts) << "of a stream that begins so";
  EXPECT_EQ(streams_.open_streams(), 1U);
}

TEST_F(RecvStreamsTest, RefusesTotalsOutOfRange) {
  for (const std::uint64_t total : {std::uint64_t{0}, wire::kMaxStreamBytes + 1, kHuge, kHuge - 1130}) {
    const auto id = static_cast<std::uint32_t>(total % 1000);
    EXPECT_EQ(give(id, total, 1, Bytes(1130)).result, Outcome::kRefused);
    EXPECT_EQ(give(id, 3000, 1, Bytes(1130)).result, Outcome::kIgnored) << "refused for good";
  }
  EXPECT_EQ(streams_.open_streams(), 0U);
  EXPECT_EQ(give(5, wire::kMaxStreamBytes, 1, Bytes(1130)).result, Outcome::kAccepted)
      << "a large stream is legitimate";
}

TEST_F(RecvStreamsTest, BoundsAThousandStreamsBegunAndNeverFinished) {
  for (std::uint32_t id = 1; id <= 1024; ++id) {
    ASSERT_EQ(give(id, wire::kMaxStreamBytes, 1, Bytes(1)).result, Outcome::kAccepted);
  }
  EXPECT_EQ(give(1025, 3000, 1, Bytes(1130)).result, Outcome::kRefused);
  EXPECT_EQ(give(2000, 4, 1, Bytes(4)).result, Outcome::kAccepted) << "complete at once: needs no place";
  EXPECT_EQ(give(500, wire::kMaxStreamBytes, 2, Bytes(1130)).result, Outcome::kAccepted) << "the others go on";
  pass(36s);
  EXPECT_EQ(streams_.open_streams(), 0U);
  EXPECT_EQ(sink_.failures.size(), 1024U);
  EXPECT_EQ(give(3000, 3000, 1, Bytes(1130)).result, Outcome::kAccepted);
}

TEST_F(RecvStreamsTest, ChargesArrivalAndNotDeclaration) {
  begin({.delivery = DeliveryMode::kWhole});
  for (std::uint32_t id = 1; id <= 1000; ++id) give(id, wire::kMaxStreamBytes, 1, Bytes(1));
  EXPECT_EQ(streams_.open_streams(), 1000U) << "165 GB declared";
  EXPECT_LE(streams_.memory().buffer_bytes(), 1000U * 4520);
}

TEST_F(RecvStreamsTest, RefusesTheStreamThatExceedsTheBufferBound) {
  begin({.delivery = DeliveryMode::kWhole, .memory = {.buffer_bytes = 50'000}});
  const Bytes small = random_bytes(random_, 5000);
  const Bytes large = random_bytes(random_, 80'000);
  give_piece(1, small, 1);
  std::uint32_t number = 1;
  while (give_piece(2, large, number).result == Outcome::kAccepted) ++number;
  EXPECT_GE(number, 38U);
  ASSERT_EQ(sink_.failures.size(), 1U);
  EXPECT_EQ(sink_.failures[0].reason, InboundFailure::Reason::kNoMemory);
  EXPECT_EQ(give_piece(2, large, number).result, Outcome::kIgnored);
  for (std::uint32_t rest = 2; rest <= 5; ++rest) give_piece(1, small, rest);
  EXPECT_EQ(sink_.streams[1], small) << "other streams are untouched";
  EXPECT_EQ(streams_.memory().buffer_bytes(), 0U);
}

TEST_F(RecvStreamsTest, AsksForAnotherCopyOfWhatItCannotHold) {
  begin({.memory = {.reorder_bytes = 4096}});
  const Bytes bytes = random_bytes(random_, 20'000);
  const auto opened = give_piece(1, bytes, 2);
  EXPECT_EQ(opened.result, Outcome::kAccepted);
  std::uint32_t number = 3;
  while (give_piece(1, bytes, number).result == Outcome::kAccepted) ++number;
  const auto outcome = give_piece(1, bytes, number);
  EXPECT_EQ(outcome.result, Outcome::kNoRoom);
  EXPECT_FALSE(outcome.must_ack());
  const auto other = give_piece(2, bytes, 2);
  EXPECT_EQ(other.result, Outcome::kNoRoom);
  EXPECT_FALSE(other.opened);
  EXPECT_EQ(streams_.open_streams(), 1U) << "a fragment that was not kept opens nothing";
  for (std::uint32_t resent = 1; resent <= 18; ++resent) {
    give_piece(1, bytes, resent);
    streams_.release_delivered();
  }
  EXPECT_EQ(sink_.streams[1], bytes);
}

TEST_F(RecvStreamsTest, EvictsAStreamThatIdles) {
  const Bytes bytes = random_bytes(random_, 5000);
  give_piece(1, bytes, 1);
  give_piece(1, bytes, 3);
  pass(25s);
  EXPECT_EQ(give_piece(1, bytes, 1).result, Outcome::kDuplicate) << "a replay is no progress";
  give_piece(2, bytes, 1);
  pass(10s);
  ASSERT_EQ(sink_.failures.size(), 1U);
  EXPECT_EQ(sink_.failures[0].stream_id, 1U);
  EXPECT_EQ(sink_.failures[0].reason, InboundFailure::Reason::kIdle);
  EXPECT_EQ(sink_.failures[0].received, 2260U);
  EXPECT_EQ(sink_.failures[0].total, 5000U);
  EXPECT_EQ(give_piece(1, bytes, 2).result, Outcome::kIgnored) << "it does not come back half";
  EXPECT_EQ(streams_.open_streams(), 1U);
}

TEST_F(RecvStreamsTest, EvictsAStreamThatDripsForTooLong) {
  std::uint32_t number = 1;
  const Instant begin = now_;
  while (sink_.failures.empty() && now_ < begin + 1h) {
    give(1, 5'000'000, number++, Bytes(1));
    pass(10s);
  }
  ASSERT_EQ(sink_.failures.size(), 1U);
  EXPECT_EQ(sink_.failures[0].reason, InboundFailure::Reason::kAge);
  EXPECT_GT(now_ - begin, 300s);
  EXPECT_LT(now_ - begin, 316s);
}

TEST_F(RecvStreamsTest, GivesALargeStreamTheTimeItNeedsAtTheSlowestRate) {
  constexpr std::uint64_t kTotal = 32'768 * 600;
  std::uint32_t number = 1;
  const Instant begin = now_;
  while (sink_.failures.empty() && now_ < begin + 1h) {
    give(1, kTotal, number++, Bytes(1));
    pass(10s);
  }
  EXPECT_GT(now_ - begin, 600s);
  EXPECT_LT(now_ - begin, 616s);
}

TEST_F(RecvStreamsTest, KeepsAStreamThatWaitsForCredit) {
  const Bytes bytes = random_bytes(random_, 5000);
  give_piece(1, bytes, 1);
  for (int i = 0; i < 10; ++i) {
    pass(20s);
    EXPECT_TRUE(streams_.touch(now_, 1));
  }
  EXPECT_THAT(sink_.failures, IsEmpty());
  EXPECT_FALSE(streams_.touch(now_, 99));
}

TEST_F(RecvStreamsTest, DropsAStreamOnRequest) {
  const Bytes bytes = random_bytes(random_, 5000);
  give_piece(1, bytes, 1);
  give_piece(1, bytes, 3);
  EXPECT_TRUE(streams_.refuse(1));
  EXPECT_FALSE(streams_.refuse(1));
  EXPECT_EQ(give_piece(1, bytes, 2).result, Outcome::kIgnored);
  EXPECT_EQ(streams_.memory().reorder_bytes(), 0U);
  EXPECT_THAT(sink_.failures, IsEmpty());
}

TEST_F(RecvStreamsTest, ReportsHalfReceivedStreamsWhenTheSessionEnds) {
  give(1, 3000, 1, Bytes(1130));
  give(2, 3000, 2, Bytes(1130));
  streams_.fail_all(sink_);
  ASSERT_EQ(sink_.failures.size(), 2U);
  EXPECT_EQ(sink_.failures[1].reason, InboundFailure::Reason::kClosed);
  EXPECT_EQ(streams_.memory().reorder_bytes(), 0U);
}

TEST_F(RecvStreamsTest, NeedsNoTimerWhenItHoldsNothing) {
  EXPECT_EQ(streams_.next_timeout(), std::nullopt);
  const Bytes bytes = random_bytes(random_, 3000);
  give_piece(1, bytes, 2);
  EXPECT_EQ(streams_.next_timeout(), kStart + 5s);
  give_piece(1, bytes, 1);
  give_piece(1, bytes, 3);
  streams_.release_delivered();
  EXPECT_TRUE(streams_.memory().holds_memory());
  pass(20s);
  EXPECT_FALSE(streams_.memory().holds_memory()) << "unused pools are given back";
  EXPECT_EQ(streams_.next_timeout(), std::nullopt);
}

// Wire spec W33: the oldest refusal is forgotten, the connection lives on.
TEST_F(RecvStreamsTest, RemembersABoundedNumberOfRefusals) {
  for (std::uint32_t id = 1; id <= 5000; ++id) ASSERT_EQ(give(id, 0, 1, {}).result, Outcome::kRefused);
  EXPECT_EQ(give(5000, 3, 1, Bytes(3)).result, Outcome::kIgnored);
  EXPECT_EQ(give(905, 3, 1, Bytes(3)).result, Outcome::kIgnored) << "the 4096th last";
  EXPECT_TRUE(give(904, 3, 1, Bytes(3)).finished);
}

TEST_F(RecvStreamsTest, RemembersABoundedNumberOfCompletedStreams) {
  for (std::uint32_t id = 1; id <= 2000; ++id) ASSERT_TRUE(give(id, 1, 1, Bytes(1)).finished);
  EXPECT_EQ(give(977, 1, 1, Bytes(1)).result, Outcome::kIgnored) << "the 1024th last";
  EXPECT_TRUE(give(976, 1, 1, Bytes(1)).finished);
}

TEST_F(RecvStreamsTest, IgnoresFragmentsThatOpenNothing) {
  EXPECT_EQ(give(1, 3000, 0, Bytes(1130)).result, Outcome::kIgnored);
  EXPECT_EQ(give(1, 3000, 5, Bytes(1130)).result, Outcome::kIgnored);
  EXPECT_EQ(give(1, 3000, 2, {}).result, Outcome::kIgnored);
  EXPECT_EQ(give(1, 100, 1, Bytes(101)).result, Outcome::kIgnored);
  EXPECT_EQ(streams_.open_streams(), 0U);
  EXPECT_EQ(streams_.statistics().opened, 0U);
  EXPECT_TRUE(give(1, 100, 1, Bytes(100)).finished) << "the id is not spoilt";
}

// Fragments made of nothing but bad luck: the bounds hold and nothing crashes, whatever arrives.
TEST_F(RecvStreamsTest, StaysWithinItsBoundsUnderArbitraryInput) {
  for (const auto mode : {DeliveryMode::kChunks, DeliveryMode::kWhole}) {
    const RecvStreamsConfig config{
        .delivery = mode, .max_streams = 50, .memory = {.reorder_bytes = 300'000, .buffer_bytes = 400'000}};
    begin(config);
    const std::vector<std::uint64_t> totals{
        0, 1, 1130, 1131, 5000, 100'000, wire::kMaxStreamBytes, wire::kMaxStreamBytes + 1, kHuge};
    const std::vector<std::uint32_t> numbers{0,  1,  2,       3,       4,       5,          6,         88,
                                             89, 90, 146'000, 146'616, 146'617, 0x7fffffff, 0xffffffff};
    const Bytes announcement(1122);
    for (int step = 0; step < 60'000; ++step) {
      const auto id =
          static_cast<std::uint32_t>(random_.below(200)) | (random_.below(4) == 0 ? wire::kOperationsBit : 0);
      std::optional<ByteView> metadata;
      if (random_.below(5) == 0) metadata = announcement;
      give(id, totals[random_.below(totals.size())], numbers[random_.below(numbers.size())],
           Bytes(random_.below(5) == 0 ? 0 : random_.below(1431)), metadata);
      if (random_.below(50) == 0) streams_.release_delivered();
      if (random_.below(100) == 0) pass(Duration{std::chrono::milliseconds{random_.below(3000)}});
      if (random_.below(500) == 0) streams_.refuse(id);
      sink_.streams.clear();
      ASSERT_LE(streams_.open_streams(), config.max_streams);
      ASSERT_LE(streams_.memory().reorder_bytes(), config.memory.reorder_bytes);
      ASSERT_LE(streams_.memory().buffer_bytes(), config.memory.buffer_bytes);
      ASSERT_LE(streams_.memory().pool_bytes(), config.memory.reorder_bytes + 48 * 1024);
    }
    streams_.fail_all(sink_);
    streams_.release_delivered();
    EXPECT_EQ(streams_.memory().reorder_bytes(), 0U);
    EXPECT_EQ(streams_.memory().buffer_bytes(), 0U);
  }
}

}  // namespace
}  // namespace godwit
