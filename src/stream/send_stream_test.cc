#include "stream/send_stream.h"

#include <gtest/gtest.h>

#include "stream/stream_test_support.h"

namespace godwit {
namespace {

TEST(SendStream, HandsOutItsFragmentsInOrder) {
  DeterministicRandom random{1};
  const Bytes bytes = random_bytes(random, 3000);
  SendStream stream{9, Body::owned(bytes), std::nullopt, kUnlimited};
  EXPECT_EQ(stream.fragment_count(), 3U);
  Bytes sent;
  while (stream.sendable()) {
    const ByteView payload = *stream.payload(stream.next_fragment());
    sent.insert(sent.end(), payload.begin(), payload.end());
    stream.on_sent();
  }
  EXPECT_TRUE(stream.all_sent());
  EXPECT_EQ(sent, bytes);
  EXPECT_EQ(stream.payload(2)->size(), 1130U) << "any fragment can be read again";
  EXPECT_EQ(stream.unsent_bytes(), 0U);
}

TEST(SendStream, WritesItsHeader) {
  SendStream stream{0x01020304, Body::owned(Bytes(3000)), std::nullopt, kUnlimited};
  Bytes plaintext(wire::kFragmentHeader);
  stream.header().write(plaintext.data(), 77, 3, 740);
  plaintext.resize(wire::kFragmentHeader + 740);
  plaintext.push_back(0);
  const auto header = wire::peek_fragment(plaintext);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->packet_id, 77U);
  EXPECT_EQ(header->stream_id, 0x01020304U);
  EXPECT_EQ(header->total_length, 3000U);
  EXPECT_EQ(header->number, 3U);
}

TEST(SendStream, EmbedsMetadataInTheFirstFragmentOnly) {
  SendStream stream{0x80000001, Body::owned(Bytes(3000)), Bytes{1, 2, 3}, kUnlimited};
  ASSERT_TRUE(stream.metadata(1));
  EXPECT_EQ(Bytes(stream.metadata(1)->begin(), stream.metadata(1)->end()), (Bytes{1, 2, 3}));
  EXPECT_FALSE(stream.metadata(2));
  EXPECT_EQ(stream.payload(1)->size(), 1118U);
}

TEST(SendStream, SendsOnlyFragmentsThatEndWithinItsLimit) {
  SendStream stream{1, Body::owned(Bytes(3000)), std::nullopt, 1129};
  EXPECT_FALSE(stream.sendable());
  stream.raise_send_limit(1130);
  EXPECT_TRUE(stream.sendable());
  stream.on_sent();
  EXPECT_FALSE(stream.sendable());
  stream.raise_send_limit(100);
  stream.raise_send_limit(2999);
  ASSERT_TRUE(stream.sendable()) << "a limit never falls";
  stream.on_sent();
  EXPECT_FALSE(stream.sendable()) << "the last fragment ends at 3000";
  EXPECT_EQ(stream.unsent_bytes(), 740U);
  stream.raise_send_limit(3000);
  EXPECT_TRUE(stream.sendable());
}

TEST(SendStream, RespectsTheLimitForEveryLayout) {
  DeterministicRandom random{2};
  for (int round = 0; round < 300; ++round) {
    const std::uint64_t total = 1 + random.below(8000);
    const std::uint64_t limit = random.below(9000);
    std::optional<Bytes> metadata;
    if (random.below(2) == 0) metadata = Bytes(random.below(wire::kMaxMetadata + 1));
    const FragmentLayout layout{total, metadata ? std::optional{metadata->size()} : std::nullopt};
    SendStream stream{1, Body::owned(Bytes(total)), metadata, limit};
    while (stream.sendable()) stream.on_sent();
    const std::uint32_t next = stream.next_fragment();
    EXPECT_TRUE(next == 1 || layout.offset(next - 1) + layout.size(next - 1) <= limit);
    EXPECT_TRUE(next > layout.count() || layout.offset(next) + layout.size(next) > limit);
  }
}

TEST(SendStream, IsFinishedWhenEveryFragmentIsAcknowledged) {
  SendStream stream{1, Body::owned(Bytes(5000)), std::nullopt, kUnlimited};
  while (stream.sendable()) stream.on_sent();
  stream.on_acknowledged(4, 2);
  stream.on_acknowledged(1, 2);
  EXPECT_FALSE(stream.finished());
  stream.on_acknowledged(3, 1);
  EXPECT_TRUE(stream.finished());
}

TEST(SendStreamDeathTest, RefusesAcknowledgementsThatCannotBe) {
  SendStream stream{1, Body::owned(Bytes(5000)), std::nullopt, kUnlimited};
  stream.on_sent();
  stream.on_sent();
  EXPECT_DEATH(stream.on_acknowledged(2, 2), "count") << "fragment 3 was never sent";
  EXPECT_DEATH(stream.on_acknowledged(0, 1), "first");
  stream.on_acknowledged(1, 2);
  EXPECT_DEATH(stream.on_acknowledged(1, 1), "acknowledged_") << "a fragment is acknowledged once";
}

}  // namespace
}  // namespace godwit
