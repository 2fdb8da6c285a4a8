#include "wire/message_codec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <string>
#include <vector>

#include "wire/wire_test_support.h"

namespace godwit::wire {
namespace {

using test::Bytes;
using test::encoded;
using test::hex;
using test::key_from;
using test::same;

const SocketAddress kIpv4 = SocketAddress::ipv4({192, 0, 2, 7}, 31337);
const SocketAddress kIpv6 = *SocketAddress::parse("[2001:db8::1]:31337");

// The worked examples of wire spec 2.3 (checklist 15): each is decoded to its fields and encoded to its bytes.
struct Example {
  const char* name;
  std::size_t size;  // as the specification states it
  std::string bytes;
  std::uint32_t packet_id;
  std::vector<std::uint32_t> acks;
  Message message;
};

std::string hex_of_text(std::string_view text) {
  return to_hex(as_bytes(text));
}

const Bytes kVectorOfThree = hex("0300000000000000 deadbe");
const Bytes kCafe = hex("cafe");
const Bytes kMetadata = hex("112233");
constexpr const char* kRefusal = "remote is using a different protocol version, expected version 0.2.154";

constexpr std::string_view kNoAcks = "00 00 00 00 00 00 00 00 |";
constexpr std::string_view kKeyBytes = "a0 a1 a2 a3 a4 a5 a6 a7 a8 a9 aa ab ac ad ae af";

std::vector<Example> acknowledgement_examples() {
  const std::string none(kNoAcks);
  const std::string key(kKeyBytes);
  return {
      {"AckConnection Ok, IPv4",
       46,
       "00 00 00 00" + none + "00 00 00 00 | 00 00 00 00" + key + "00 00 00 00  c0 00 02 07  69 7a",
       0,
       {},
       AckOk{key_from(0xa0), kIpv4, std::nullopt}},
      {"AckConnection Ok, IPv6",
       58,
       "00 00 00 00" + none + "00 00 00 00 | 00 00 00 00" + key +
           "01 00 00 00  20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01  69 7a",
       0,
       {},
       AckOk{key_from(0xa0), kIpv6, std::nullopt}},
      {"AckConnection Err",
       98,
       "00 00 00 00" + none + "00 00 00 00 | 01 00 00 00 | 46 00 00 00 00 00 00 00 |" + hex_of_text(kRefusal),
       0,
       {},
       AckError{kRefusal}},
  };
}

std::vector<Example> data_examples() {
  const std::string none(kNoAcks);
  return {
      {"ShortMessage",
       43,
       "01 00 00 00 | 02 00 00 00 00 00 00 00 | 07 00 00 00 | 08 00 00 00 | 01 00 00 00 |"
       "0b 00 00 00 00 00 00 00 | 03 00 00 00 00 00 00 00 de ad be",
       1,
       {7, 8},
       ShortMessage{kVectorOfThree}},
      {"StreamFragment",
       43,
       "02 00 00 00" + none +
           "02 00 00 00 | 05 00 00 00 | b8 0b 00 00 00 00 00 00 |"
           "02 00 00 00 | 02 00 00 00 00 00 00 00 | ca fe | 00",
       2,
       {},
       StreamFragment{.stream_id = 5, .total_length = 3000, .number = 2, .payload = kCafe}},
      {"StreamFragment with metadata",
       54,
       "03 00 00 00" + none +
           "02 00 00 00 | 05 00 00 80 | b8 0b 00 00 00 00 00 00 |"
           "01 00 00 00 | 02 00 00 00 00 00 00 00 | ca fe | 01 | 03 00 00 00 00 00 00 00 | 11 22 33",
       3,
       {},
       StreamFragment{
           .stream_id = 0x80000005, .total_length = 3000, .number = 1, .payload = kCafe, .metadata = kMetadata}},
      {"NoOp",
       28,
       "04 00 00 00 | 03 00 00 00 00 00 00 00 | 01 00 00 00 | 02 00 00 00 | 2c 01 00 00 | 03 00 00 00",
       4,
       {1, 2, 300},
       NoOp{}},
      {"Ping", 24, "05 00 00 00" + none + "04 00 00 00 | 00 00 00 00 00 00 00 00", 5, {}, Ping{0}},
      {"Pong", 24, "06 00 00 00" + none + "05 00 00 00 | 00 00 00 00 00 00 00 00", 6, {}, Pong{0}},
  };
}

std::vector<Example> version_examples() {
  const std::string none(kNoAcks);
  const std::string key(kKeyBytes);
  const std::string acks_5_and_last = "02 00 00 00 00 00 00 00 | 05 00 00 00 | ff ff ff ff |";
  return {
      {"AckConnectionV2, IPv4",
       50,
       "00 00 00 00" + none + "06 00 00 00 |" + key + "| 00 00 00 00 c0 00 02 07 69 7a | ff 00 02 00 9a 00 7a 01",
       0,
       {},
       AckOk{key_from(0xa0), kIpv4, kAnnouncedVersion}},
      {"Upgrade Offer",
       28,
       "09 00 00 00" + none + "07 00 00 00 | 00 00 00 00 | 01 00 00 00 | 00 00 00 00",
       9,
       {},
       UpgradeOffer{1, 0}},
      {"Upgrade Accept", 24, "09 00 00 00" + none + "07 00 00 00 | 01 00 00 00 | 01 00 00 00", 9, {}, UpgradeAccept{1}},
      {"Upgrade Decline",
       25,
       "09 00 00 00" + none + "07 00 00 00 | 02 00 00 00 | 01 00 00 00 | 01",
       9,
       {},
       UpgradeDecline{1, kDeclineDisabled}},
      {"Upgrade Offer, all fields",
       36,
       "04 03 02 01 |" + acks_5_and_last + "07 00 00 00 | 00 00 00 00 | 04 03 02 01 | 01 00 00 80",
       0x01020304,
       {5, 0xffffffff},
       UpgradeOffer{0x01020304, 0x80000001}},
      {"Upgrade Decline, all fields",
       33,
       "04 03 02 01 |" + acks_5_and_last + "07 00 00 00 | 02 00 00 00 | ff ff ff ff | ff",
       0x01020304,
       {5, 0xffffffff},
       UpgradeDecline{0xffffffff, 255}},
  };
}

std::vector<Example> worked_examples() {
  std::vector<Example> examples = acknowledgement_examples();
  for (auto more : {&data_examples, &version_examples}) std::ranges::move(more(), std::back_inserter(examples));
  return examples;
}

TEST(MessageCodec, EncodesEveryWorkedExampleByteForByte) {
  for (const Example& example : worked_examples()) {
    SCOPED_TRACE(example.name);
    const Bytes expected = hex(example.bytes);
    ASSERT_EQ(expected.size(), example.size);
    EXPECT_EQ(encoded_size(example.message) + example.acks.size() * kAckSize, example.size);
    EXPECT_EQ(to_hex(encoded(example.packet_id, example.acks, example.message)), to_hex(expected));
  }
}

TEST(MessageCodec, DecodesEveryWorkedExample) {
  for (const Example& example : worked_examples()) {
    SCOPED_TRACE(example.name);
    const Bytes plaintext = hex(example.bytes);
    const auto packet = decode(plaintext);
    ASSERT_TRUE(packet) << to_string(packet.error());
    EXPECT_EQ(packet->packet_id, example.packet_id);
    EXPECT_TRUE(same(packet->acks, example.acks));
    EXPECT_TRUE(same(packet->message, example.message));
    EXPECT_TRUE(packet->trailing.empty());
  }
}

TEST(MessageCodec, IgnoresTrailingBytesAndKeepsThemReachable) {  // checklist 17
  const Bytes padding = hex("01 ff 00 7f");
  for (const Example& example : worked_examples()) {
    SCOPED_TRACE(example.name);
    Bytes plaintext = hex(example.bytes);
    plaintext.insert(plaintext.end(), padding.begin(), padding.end());
    const auto packet = decode(plaintext);
    ASSERT_TRUE(packet) << to_string(packet.error());
    EXPECT_TRUE(same(packet->message, example.message));
    EXPECT_TRUE(same(packet->trailing, padding));
  }
}

TEST(MessageCodec, ReportsZeroForEveryBufferThatIsTooSmallAndStaysWithinIt) {
  for (const Example& example : worked_examples()) {
    SCOPED_TRACE(example.name);
    for (std::size_t room = 0; room < example.size; ++room) {
      Bytes out(example.size, 0xee);
      EXPECT_EQ(encode(MutableBytes(out).first(room), example.packet_id, example.acks, example.message), 0U);
      EXPECT_EQ(std::ranges::count(ByteView(out).subspan(room), 0xee), std::ptrdiff_t(example.size - room));
    }
  }
}

TEST(MessageCodec, EncodesMappedAddressesAsIpv4) {  // checklist 14
  const auto mapped = SocketAddress::ipv6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7}, 31337);
  EXPECT_EQ(encoded(0, {}, AckOk{key_from(0xa0), mapped, std::nullopt}),
            encoded(0, {}, AckOk{key_from(0xa0), kIpv4, std::nullopt}));
}

TEST(MessageCodec, DecodesAMappedAddressAsIpv4) {  // checklist 14
  Bytes plaintext = encoded(0, {}, AckOk{key_from(0xa0), kIpv6, std::nullopt});
  const Bytes mapped = hex("00000000000000000000ffffc0000207");
  std::ranges::copy(mapped, plaintext.begin() + 40);
  const auto packet = decode(plaintext);
  ASSERT_TRUE(packet);
  EXPECT_EQ(std::get<AckOk>(packet->message).remote_address, kIpv4);
}

TEST(MessageCodec, RefusesToEncodeATextThatNoPeerWouldDecode) {
  std::array<std::uint8_t, 64> out{};
  EXPECT_EQ(encode(out, 1, {}, AckError{"\xff"}), 0U);
  EXPECT_NE(encode(out, 1, {}, AckError{""}), 0U);
}

TEST(MessageCodec, AcksAreReadInPlace) {
  const std::vector<std::uint32_t> acks{9, 0, 0xffffffff, 9};
  const Bytes plaintext = encoded(1, acks, NoOp{});
  const auto packet = decode(plaintext);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->acks.raw.data(), plaintext.data() + 12);
  ASSERT_EQ(packet->acks.size(), 4U);
  EXPECT_FALSE(packet->acks.empty());
  for (std::size_t i = 0; i < acks.size(); ++i) EXPECT_EQ(packet->acks[i], acks[i]);
  EXPECT_EQ(std::vector<std::uint32_t>(packet->acks.begin(), packet->acks.end()), acks);
}

TEST(MessageCodec, PayloadsAreViewsOfThePlaintext) {
  const Bytes plaintext = encoded(3, {}, StreamFragment{.number = 1, .payload = kCafe, .metadata = kMetadata});
  const auto packet = decode(plaintext);
  ASSERT_TRUE(packet);
  const auto& fragment = std::get<StreamFragment>(packet->message);
  EXPECT_EQ(fragment.payload.data(), plaintext.data() + 40);
  EXPECT_EQ(fragment.metadata->data(), plaintext.data() + 40 + 2 + 9);
}

TEST(MessageCodec, TellsEmptyMetadataFromNone) {
  const Bytes with = encoded(3, {}, StreamFragment{.metadata = ByteView{}});
  const Bytes without = encoded(3, {}, StreamFragment{});
  EXPECT_EQ(with.size(), without.size() + kMetadataOverhead);
  EXPECT_TRUE(std::get<StreamFragment>(decode(with)->message).metadata.has_value());
  EXPECT_FALSE(std::get<StreamFragment>(decode(without)->message).metadata.has_value());
}

TEST(MessageCodec, HeadPayloadAndTailAreThePacketInPieces) {
  test::PacketGenerator generator(11);
  for (int round = 0; round < 2'000; ++round) {
    const std::uint32_t id = generator.u32();
    const Acks acks = generator.acks();
    std::array<std::uint8_t, kMaxPlaintext> head{};
    std::array<std::uint8_t, kMaxPlaintext> tail{};
    const auto joined = [&](std::size_t head_size, ByteView payload, std::size_t tail_size) {
      Bytes whole(head.begin(), head.begin() + std::ptrdiff_t(head_size));
      whole.insert(whole.end(), payload.begin(), payload.end());
      whole.insert(whole.end(), tail.begin(), tail.begin() + std::ptrdiff_t(tail_size));
      return whole;
    };
    const Message any_short = generator.message(3);
    const auto& message = std::get<ShortMessage>(any_short);
    const std::size_t message_head = encode_short_message_head(head, id, acks, message.payload.size());
    EXPECT_EQ(message_head, kShortMessageOverhead + acks.size() * kAckSize);
    EXPECT_EQ(joined(message_head, message.payload, 0), encoded(id, acks, any_short));

    const Message any_fragment = generator.message(4);
    const auto& fragment = std::get<StreamFragment>(any_fragment);
    const std::size_t fragment_head = encode_fragment_head(head, id, acks, fragment);
    EXPECT_EQ(fragment_head, kFragmentHeader + acks.size() * kAckSize);
    const std::size_t fragment_tail = encode_fragment_tail(tail, fragment);
    EXPECT_EQ(joined(fragment_head, fragment.payload, fragment_tail), encoded(id, acks, any_fragment));
  }
}

TEST(MessageCodec, HeadsAndTailsReportZeroWhenTheyDoNotFit) {
  std::array<std::uint8_t, 48> out{};
  const std::array<std::uint32_t, 2> acks{1, 2};
  EXPECT_EQ(encode_short_message_head(MutableBytes(out).first(31), 1, acks, 5), 0U);
  EXPECT_EQ(encode_short_message_head(MutableBytes(out).first(32), 1, acks, 5), 32U);
  EXPECT_EQ(encode_fragment_head(MutableBytes(out).first(47), 1, acks, {}), 0U);
  EXPECT_EQ(encode_fragment_head(MutableBytes(out).first(48), 1, acks, {}), 48U);
  EXPECT_EQ(encode_fragment_tail(MutableBytes(out).first(0), {}), 0U);
  EXPECT_EQ(encode_fragment_tail(MutableBytes(out).first(11), {.metadata = kMetadata}), 0U);
  EXPECT_EQ(encode_fragment_tail(MutableBytes(out).first(12), {.metadata = kMetadata}), 12U);
}

TEST(MessageCodec, ArbitraryPacketsOfEveryKindSurviveTheRoundTrip) {
  test::PacketGenerator generator(23);
  for (std::size_t kind = 0; kind < test::PacketGenerator::kKinds; ++kind) {
    for (int round = 0; round < 2'000; ++round) {
      const std::uint32_t id = generator.u32();
      const Acks acks = generator.acks();
      const Message message = generator.message(kind);
      ASSERT_EQ(message.index(), kind);
      const Bytes plaintext = encoded(id, acks, message);
      const auto packet = decode(plaintext);
      ASSERT_TRUE(packet) << kind << ' ' << to_string(packet.error());
      ASSERT_EQ(packet->packet_id, id);
      ASSERT_TRUE(same(packet->acks, acks)) << kind;
      ASSERT_TRUE(same(packet->message, message)) << kind;
      ASSERT_TRUE(packet->trailing.empty());
    }
  }
}

}  // namespace
}  // namespace godwit::wire
