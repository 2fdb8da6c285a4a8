#include "wire/limits.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "wire/message_codec.h"
#include "wire/wire_test_support.h"

namespace godwit::wire {
namespace {

using test::Bytes;
using test::key_from;

std::size_t datagram_size(const Message& message, std::size_t acks = 0) {
  return kDatagramOverhead + test::encoded(1, std::vector<std::uint32_t>(acks, 7), message).size();
}

AckOk ack(const char* address, bool with_version) {
  AckOk ok{key_from(0xa0), *SocketAddress::parse(address), std::nullopt};
  if (with_version) ok.version = kAnnouncedVersion;
  return ok;
}

TEST(Limits, DatagramsHaveTheSizesOfTheSpecification) {  // wire spec 1.4, checklist 19
  EXPECT_EQ(kIntroDatagram, 73U);
  EXPECT_EQ(datagram_size(ack("192.0.2.7:31337", false)), 75U);
  EXPECT_EQ(datagram_size(ack("[2001:db8::1]:31337", false)), 87U);
  EXPECT_EQ(datagram_size(ack("192.0.2.7:31337", true)), 79U);
  EXPECT_EQ(datagram_size(ack("[2001:db8::1]:31337", true)), 91U);
  EXPECT_EQ(datagram_size(AckError{version_mismatch_text({0, 2, 154})}), 127U);
  EXPECT_EQ(datagram_size(Ping{}), 53U);
  EXPECT_EQ(datagram_size(Pong{}), 53U);
  EXPECT_EQ(datagram_size(UpgradeOffer{}), 57U);
  EXPECT_EQ(datagram_size(UpgradeAccept{}), 53U);
  EXPECT_EQ(datagram_size(UpgradeDecline{}), 54U);
  const Bytes payload(11);
  const Bytes metadata(6);
  for (const std::size_t n : {0U, 1U, 20U}) {
    EXPECT_EQ(datagram_size(NoOp{}, n), 45 + 4 * n);
    EXPECT_EQ(datagram_size(ShortMessage{payload}, n), 53 + 4 * n + 11);
    EXPECT_EQ(datagram_size(StreamFragment{.payload = payload}, n), 70 + 4 * n + 11);
    EXPECT_EQ(datagram_size(StreamFragment{.payload = payload, .metadata = metadata}, n), 78 + 4 * n + 11 + 6);
  }
}

TEST(Limits, TheLargestOfEachKindFillsADatagramExactly) {  // wire spec 2.4, checklist 19
  EXPECT_EQ(datagram_size(StreamFragment{.payload = Bytes(kFragmentPayload)}), kMaxDatagram);
  EXPECT_EQ(datagram_size(ShortMessage{Bytes(kLargestShortMessage)}), kMaxDatagram);
  EXPECT_EQ(datagram_size(StreamFragment{.metadata = Bytes(kMaxReceivedMetadata)}), kMaxDatagram);
  EXPECT_LE(datagram_size(NoOp{}, kMaxAcksPerNoOp), kMaxDatagram);
  EXPECT_GT(datagram_size(NoOp{}, kMaxAcksPerNoOp + 1), kMaxDatagram);
}

TEST(Limits, EncodersRefuseWhatDoesNotFitADatagram) {  // checklist 10, 19
  Bytes out(kMaxPlaintext);
  const std::vector<std::uint32_t> acks(kMaxAcksPerNoOp + 1);
  EXPECT_NE(encode(out, 1, Acks(acks).first(kMaxAcksPerNoOp), NoOp{}), 0U);
  EXPECT_EQ(encode(out, 1, acks, NoOp{}), 0U);
  EXPECT_EQ(encode(out, 1, {}, StreamFragment{.payload = Bytes(kFragmentPayload + 1)}), 0U);
  EXPECT_EQ(encode(out, 1, {}, ShortMessage{Bytes(kLargestShortMessage + 1)}), 0U);
}

TEST(Limits, AMetadataFragmentIsCutOneByteShort) {  // wire spec 2.4, 6.3
  for (const std::size_t m : {std::size_t{0}, std::size_t{1}, std::size_t{300}, kMaxMetadata}) {
    const Bytes payload(kMetadataFragmentPayload - m);
    EXPECT_EQ(datagram_size(StreamFragment{.payload = payload, .metadata = Bytes(m)}), kMaxDatagram - 1);
  }
  EXPECT_EQ(kMetadataFragmentPayload - kMaxMetadata, 1U);
}

TEST(Limits, ShortMessagesEndWhereStreamsBegin) {  // checklist 54
  EXPECT_EQ(kShortMessageLimit, 1106U);
  EXPECT_GT(kShortMessageLimit + 1 + kShortMessageOverhead, kFragmentPayload);
}

TEST(Limits, FragmentsAreCountedForEveryLength) {  // wire spec 6.3
  EXPECT_EQ(fragment_count(0), 0U);
  EXPECT_EQ(fragment_count(1), 1U);
  EXPECT_EQ(fragment_count(1130), 1U);
  EXPECT_EQ(fragment_count(1131), 2U);
  EXPECT_EQ(fragment_count(3000), 3U);
  EXPECT_EQ(fragment_count(kMaxStreamBytes), 146'616U);
  EXPECT_EQ(fragment_count(std::numeric_limits<std::uint64_t>::max()), 16'324'552'277'619'073U);
}

TEST(Limits, OneStreamOfMaximumSizeLeaves16MiBToBeCharged) {  // wire spec 6.4
  EXPECT_EQ(kMaxStreamBytes, 158U * 1024 * 1024);
  EXPECT_EQ(deployed_charge(kMaxStreamBytes) + 16U * 1024 * 1024, kDeployedMaxChargedBytes);
}

TEST(Limits, BitThirtyOneMarksOperationsStreams) {  // wire spec 6.2
  EXPECT_FALSE(is_operations_stream(0x7fffffff));
  EXPECT_TRUE(is_operations_stream(0x80000000));
}

}  // namespace
}  // namespace godwit::wire
