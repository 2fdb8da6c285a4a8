#include "wire/datagram.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace godwit::wire {
namespace {

DatagramClass classify_of(unsigned first_byte, std::size_t size) {
  std::vector<std::uint8_t> datagram(size);
  if (size > 0) datagram[0] = static_cast<std::uint8_t>(first_byte);
  return classify(datagram);
}

TEST(PacketType, IsDecidedByTheFirstByteAlone) {  // wire spec 1.1
  for (unsigned byte = 0; byte < 256; ++byte) {
    const PacketType expected = byte == 1      ? PacketType::kIntro
                                : byte == 2    ? PacketType::kSymmetric
                                : byte >= 0x40 ? PacketType::kQuic
                                               : PacketType::kUnassigned;
    EXPECT_EQ(packet_type(static_cast<std::uint8_t>(byte)), expected) << byte;
  }
}

TEST(Datagram, OtherFirstBytesAreDroppedAtEveryLength) {  // checklist 13
  for (unsigned byte = 0; byte < 256; ++byte) {
    if (byte == kTypeIntro || byte == kTypeSymmetric) continue;
    for (const std::size_t size : {1U, 28U, 29U, 73U, 1200U, 1500U, 2000U}) {
      const DatagramClass expected = byte >= 0x40 ? DatagramClass::kQuic : DatagramClass::kUnassigned;
      EXPECT_EQ(classify_of(byte, size), expected);
      EXPECT_FALSE(worth_opening(expected));
    }
  }
}

TEST(Datagram, AnEmptyDatagramIsDropped) {
  EXPECT_EQ(classify_of(0, 0), DatagramClass::kEmpty);
}

TEST(Datagram, SymmetricDatagramsAreOpenedFrom29To1500Bytes) {  // checklist 10, 11
  for (std::size_t size = 1; size <= 9000; ++size) {
    const DatagramClass expected = size < 29      ? DatagramClass::kShortSymmetric
                                   : size <= 1500 ? DatagramClass::kSymmetric
                                   : size <= 8900 ? DatagramClass::kLongSymmetric  // for extended sessions alone
                                                  : DatagramClass::kTooLong;
    EXPECT_EQ(classify_of(0x02, size), expected) << size;
  }
}

TEST(Datagram, IntrosAreOpenedFrom73To1500Bytes) {  // checklist 5, 6
  for (std::size_t size = 1; size <= 1600; ++size) {
    const DatagramClass expected = size < 73      ? DatagramClass::kShortIntro
                                   : size <= 1500 ? DatagramClass::kIntro
                                                  : DatagramClass::kTooLong;
    EXPECT_EQ(classify_of(0x01, size), expected) << size;
  }
}

TEST(Datagram, OnlyIntrosAndSymmetricDatagramsAreWorthOpening) {
  EXPECT_TRUE(worth_opening(DatagramClass::kIntro));
  EXPECT_TRUE(worth_opening(DatagramClass::kSymmetric));
  for (const auto reason : {DatagramClass::kEmpty, DatagramClass::kUnassigned, DatagramClass::kQuic,
                            DatagramClass::kShortSymmetric, DatagramClass::kShortIntro, DatagramClass::kTooLong}) {
    EXPECT_FALSE(worth_opening(reason)) << to_string(reason);
  }
}

}  // namespace
}  // namespace godwit::wire
