#include "channel/datagram_codec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace godwit::datagram_codec_test {
namespace {

std::vector<std::uint8_t> bytes_of(std::size_t count) {
  std::vector<std::uint8_t> bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::uint8_t>(i * 7);
  return bytes;
}

TEST(DatagramMessage, ComesBackFromItsBytes) {
  const auto body = bytes_of(kMaxPartBytes);
  const DatagramMessage messages[] = {
      AssociationOpen{
          .association = 7, .kind = ChannelKind::kTarget, .text = "host:53", .has_first = false, .first = {}},
      AssociationOpen{.association = 8,
                      .kind = ChannelKind::kArrival,
                      .text = "127.0.0.1:53",
                      .has_first = true,
                      .first = ByteView(body).first(kMaxFirstBytes)},
      AssociationOpen{.association = 9, .kind = ChannelKind::kTarget, .text = "h:1", .has_first = true, .first = {}},
      AssociationEnded{.association = 7, .by_opener = true, .code = ChannelCode::kUnreachable},
      DatagramPart{.association = 7, .by_opener = true, .datagram = 1, .index = 0, .count = 1, .bytes = {}},
      DatagramPart{.association = 7, .by_opener = false, .datagram = 2, .index = 1, .count = 3, .bytes = body},
  };
  for (const DatagramMessage& message : messages) {
    const auto once = encode_datagram_message(message);
    EXPECT_LE(once.size(), wire::kShortMessageLimit);
    const auto again = decode_datagram_message(once);
    ASSERT_TRUE(again) << message.index();
    EXPECT_EQ(again->index(), message.index());
    EXPECT_EQ(encode_datagram_message(*again), once);
    EXPECT_FALSE(decode_channel_message(once)) << "an older side ignores it";
    for (std::size_t count = 0; count < 9; ++count) EXPECT_FALSE(decode_datagram_message(ByteView(once).first(count)));
  }
}

TEST(DatagramMessage, WhatMakesNoSenseIsNone) {
  const auto part = [](std::uint8_t index, std::uint8_t count, std::size_t size) {
    const auto body = bytes_of(size);
    return decode_datagram_message(encode_datagram_message(DatagramPart{
        .association = 1, .by_opener = true, .datagram = 1, .index = index, .count = count, .bytes = body}));
  };
  EXPECT_FALSE(part(0, 0, 1));
  EXPECT_FALSE(part(1, 1, 1));
  EXPECT_FALSE(part(0, kMaxParts + 1, kMaxPartBytes));
  EXPECT_FALSE(part(0, 2, 10)) << "only the last part is short";
  EXPECT_TRUE(part(0, kMaxParts, kMaxPartBytes));
  auto open = encode_datagram_message(AssociationOpen{.association = 1, .text = "h:1", .has_first = true, .first = {}});
  open.resize(open.size() + kMaxFirstBytes);
  EXPECT_TRUE(decode_datagram_message(open));
  open.push_back(0);
  EXPECT_FALSE(decode_datagram_message(open));
  open[10] = 1;  // a pipe
  EXPECT_FALSE(decode_datagram_message(open));
}

class DatagramAssemblerTest : public testing::Test {
 protected:
  // The parts of a datagram of `size` bytes, in order.
  std::vector<DatagramPart> cut(std::uint16_t number, std::size_t size) {
    bodies_.push_back(bytes_of(size));
    const ByteView body = bodies_.back();
    const std::size_t count = std::max<std::size_t>(1, (size + kMaxPartBytes - 1) / kMaxPartBytes);
    std::vector<DatagramPart> parts;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = i * kMaxPartBytes;
      parts.push_back({.association = 1,
                       .by_opener = true,
                       .datagram = number,
                       .index = static_cast<std::uint8_t>(i),
                       .count = static_cast<std::uint8_t>(count),
                       .bytes = body.subspan(at, std::min(kMaxPartBytes, size - at))});
    }
    return parts;
  }
  std::vector<std::vector<std::uint8_t>> bodies_ = [] {
    std::vector<std::vector<std::uint8_t>> bodies;
    bodies.reserve(100);
    return bodies;
  }();
  DatagramAssembler assembler_;
};

TEST_F(DatagramAssemblerTest, PartsInAnyOrderMakeTheDatagramOnce) {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, kMaxPartBytes, kMaxPartBytes + 1, kMaxForwardedDatagram}) {
    auto parts = cut(static_cast<std::uint16_t>(size), size);
    std::ranges::reverse(parts);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const auto whole = assembler_.add(parts[i]);
      ASSERT_EQ(whole.has_value(), i + 1 == parts.size()) << size;
      EXPECT_TRUE(!whole || std::ranges::equal(*whole, bodies_.back())) << size;
    }
  }
  EXPECT_EQ(assembler_.incomplete(), 0U);
}

TEST_F(DatagramAssemblerTest, ALaterDatagramReplacesOneThatIsIncomplete) {
  const auto first = cut(1, 3000);
  const auto second = cut(2, 2500);
  EXPECT_FALSE(assembler_.add(first[0]));
  EXPECT_FALSE(assembler_.add(first[0])) << "twice is once";
  EXPECT_FALSE(assembler_.add(second[0]));
  EXPECT_FALSE(assembler_.add(first[1]));
  EXPECT_FALSE(assembler_.add(second[1]));
  EXPECT_EQ(assembler_.incomplete(), 3U);
  EXPECT_FALSE(assembler_.add(second[2])) << "its first part was given up";
}

}  // namespace
}  // namespace godwit::datagram_codec_test
