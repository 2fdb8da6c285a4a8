#include "channel/channel_codec.h"

#include <gtest/gtest.h>

#include <string>

namespace godwit {
namespace {

TEST(ChannelHeader, ComesBackFromItsBytesAndSaysHowManyItTook) {
  auto bytes = encode_channel_header({.channel = 7, .kind = ChannelKind::kTarget, .text = "host:22"});
  EXPECT_EQ(to_hex(bytes), "475743010200070000000700686f73743a3232");
  bytes.push_back(0xff);
  const auto decoded = decode_channel_header(bytes);
  ASSERT_EQ(decoded.state, HeaderState::kComplete);
  EXPECT_EQ(decoded.header.channel, 7U);
  EXPECT_EQ(decoded.header.kind, ChannelKind::kTarget);
  EXPECT_EQ(decoded.header.text, "host:22");
  EXPECT_EQ(decoded.bytes, bytes.size() - 1);
}

TEST(ChannelHeader, AsksForMoreAtEveryPlaceWhereItIsCut) {
  const auto bytes = encode_channel_header({.channel = 1, .kind = ChannelKind::kTarget, .text = "host:22"});
  for (std::size_t count = 0; count < bytes.size(); ++count) {
    EXPECT_EQ(decode_channel_header(ByteView(bytes).first(count)).state, HeaderState::kIncomplete) << count;
  }
}

TEST(ChannelHeader, IsRefusedAtTheFirstByteThatCannotBelongToOne) {
  auto bytes = encode_channel_header({.channel = 1, .kind = ChannelKind::kPipe, .text = {}});
  for (std::size_t i = 0; i < kChannelMagic.size(); ++i) {
    auto other = bytes;
    other[i] ^= 1;
    EXPECT_EQ(decode_channel_header(ByteView(other).first(i + 1)).state, HeaderState::kInvalid) << i;
  }
  store_le<std::uint16_t>(bytes.data() + kChannelHeader - 2, kMaxChannelText + 1);
  EXPECT_EQ(decode_channel_header(bytes).state, HeaderState::kInvalid);
}

TEST(ChannelMessage, ComesBackFromItsBytes) {
  const ChannelMessage messages[] = {
      ChannelRefused{.channel = 3, .code = ChannelCode::kNotAllowed, .text = "no"},
      ChannelDelivered{.channel = 4, .bytes = std::uint64_t{1} << 40},
      ListenRequest{.request = 5, .text = "127.0.0.1:80"},
      ListenAnswer{.request = 6, .code = ChannelCode::kTooMany, .text = ""},
  };
  for (const ChannelMessage& message : messages) {
    const auto bytes = encode_channel_message(message);
    const auto again = decode_channel_message(bytes);
    ASSERT_TRUE(again) << message.index();
    EXPECT_EQ(again->index(), message.index());
    EXPECT_EQ(encode_channel_message(*again), bytes);
    for (std::size_t count = 0; count < bytes.size(); ++count) {
      EXPECT_FALSE(decode_channel_message(ByteView(bytes).first(count))) << message.index() << " " << count;
    }
  }
}

TEST(ChannelMessage, OfAnUnknownTypeIsNone) {
  EXPECT_FALSE(decode_channel_message(*from_hex("4757430163000000000000000000")));
  EXPECT_TRUE(is_channel_message(*from_hex("4757430163")));
  EXPECT_FALSE(is_channel_message(*from_hex("4757540101")));
}

TEST(ChannelMessage, TextIsCutToWhatEverybodyAccepts) {
  const std::string text(1000, 'x');
  const auto bytes = encode_channel_message(ListenRequest{.request = 1, .text = text});
  const auto again = decode_channel_message(bytes);
  ASSERT_TRUE(again);
  EXPECT_EQ(std::get<ListenRequest>(*again).text.size(), kMaxChannelText);
}

TEST(ChannelCode, OfALaterVersionIsNone) {
  EXPECT_EQ(channel_code(11), ChannelCode::kReadFailed);
  EXPECT_EQ(channel_code(12), ChannelCode::kNone);
  EXPECT_EQ(channel_code(~std::uint64_t{0}), ChannelCode::kNone);
}

}  // namespace
}  // namespace godwit
