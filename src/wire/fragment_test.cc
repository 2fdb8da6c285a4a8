#include "wire/fragment.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "wire/message_codec.h"
#include "wire/wire_test_support.h"

namespace godwit::wire {
namespace {

using test::Bytes;
using test::encoded;
using test::hex;
using test::peek_agrees_with_decode;
using test::same;

TEST(FragmentTemplate, WritesTheWorkedExample) {  // wire spec 2.3
  const FragmentTemplate header(5, 3000);
  Bytes plaintext(kFragmentHeader);
  header.write(plaintext.data(), 2, 2, 2);
  const Bytes payload = hex("cafe");
  plaintext.insert(plaintext.end(), payload.begin(), payload.end());
  plaintext.insert(plaintext.end(), kFragmentTail.begin(), kFragmentTail.end());
  EXPECT_EQ(to_hex(plaintext), to_hex(hex("02000000 | 0000000000000000 | 02000000 | 05000000 | b80b000000000000 |"
                                          "02000000 | 0200000000000000 | cafe | 00")));
}

TEST(FragmentTemplate, WritesWhatTheEncoderWrites) {
  DeterministicRandom random(3);
  for (int round = 0; round < 10'000; ++round) {
    Bytes payload(random.below(kFragmentPayload + 1));
    const StreamFragment fragment{.stream_id = static_cast<std::uint32_t>(random.next_u64()),
                                  .total_length = random.next_u64(),
                                  .number = static_cast<std::uint32_t>(random.next_u64()),
                                  .payload = payload};
    const auto id = static_cast<std::uint32_t>(random.next_u64());
    Bytes head(kFragmentHeader);
    FragmentTemplate(fragment.stream_id, fragment.total_length).write(head.data(), id, fragment.number, payload.size());
    const Bytes whole = encoded(id, {}, fragment);
    ASSERT_TRUE(same(head, ByteView(whole).first(kFragmentHeader)));
    ASSERT_TRUE(same(ByteView(whole).last(1), kFragmentTail));
  }
}

TEST(PeekFragment, ReadsAPlainFragmentAsAViewOfThePlaintext) {
  const Bytes payload(kFragmentPayload, 0x5a);
  const Bytes plaintext =
      encoded(77, {}, StreamFragment{.stream_id = 9, .total_length = 5000, .number = 3, .payload = payload});
  const auto fragment = peek_fragment(plaintext);
  ASSERT_TRUE(fragment);
  EXPECT_EQ(fragment->packet_id, 77U);
  EXPECT_EQ(fragment->stream_id, 9U);
  EXPECT_EQ(fragment->total_length, 5000U);
  EXPECT_EQ(fragment->number, 3U);
  EXPECT_EQ(fragment->payload.data(), plaintext.data() + kFragmentHeader);
  EXPECT_EQ(fragment->payload.size(), kFragmentPayload);
}

TEST(PeekFragment, LeavesAcksMetadataAndOtherKindsToTheDecoder) {
  const Bytes payload(100);
  const std::array<std::uint32_t, 1> acks{1};
  EXPECT_FALSE(peek_fragment(encoded(1, acks, StreamFragment{.payload = payload})));
  EXPECT_FALSE(peek_fragment(encoded(1, {}, StreamFragment{.payload = payload, .metadata = payload})));
  EXPECT_FALSE(peek_fragment(encoded(1, {}, ShortMessage{payload})));
  EXPECT_FALSE(peek_fragment(ByteView{}));
}

TEST(PeekFragment, AgreesWithTheDecoderOnEveryTruncationAndEveryByteChanged) {
  const Bytes payload(5, 0x01);
  Bytes plaintext = encoded(2, {}, StreamFragment{.stream_id = 5, .total_length = 9, .number = 1, .payload = payload});
  plaintext.push_back(0);  // trailing
  for (std::size_t size = 0; size <= plaintext.size(); ++size)
    EXPECT_TRUE(peek_agrees_with_decode(ByteView(plaintext).first(size)));
  for (std::size_t at = 0; at < plaintext.size(); ++at) {
    for (unsigned value = 0; value < 256; ++value) {
      Bytes changed = plaintext;
      changed[at] = static_cast<std::uint8_t>(value);
      EXPECT_TRUE(peek_agrees_with_decode(changed)) << to_hex(changed);
    }
  }
}

TEST(PeekFragment, AgreesWithTheDecoderOnArbitraryPackets) {
  test::PacketGenerator generator(5);
  for (int round = 0; round < 20'000; ++round) {
    const Acks acks = generator.acks();
    Bytes plaintext = encoded(generator.u32(), acks, generator.coin() ? generator.message(4) : generator.message());
    for (std::uint64_t changes = generator.random().below(4); changes > 0; --changes) {
      plaintext[generator.random().below(plaintext.size())] = static_cast<std::uint8_t>(generator.random().below(3));
    }
    EXPECT_TRUE(peek_agrees_with_decode(plaintext)) << to_hex(plaintext);
  }
}

TEST(PeekFragment, RefusesEveryPayloadLengthBeyondTheEnd) {
  const Bytes payload(8);
  Bytes plaintext = encoded(2, {}, StreamFragment{.payload = payload});
  std::vector<std::uint64_t> lengths{9, std::uint64_t{1} << 32, std::uint64_t{1} << 63};
  // Added to the overhead, these wrap to an option byte inside the packet.
  for (std::uint64_t below = 1; below <= 2 * kFragmentOverhead; ++below) lengths.push_back(0 - below);
  for (const std::uint64_t length : lengths) {
    store_le(&plaintext[FragmentOffsets::kPayloadLength], length);
    EXPECT_FALSE(peek_fragment(plaintext)) << length;
  }
}

}  // namespace
}  // namespace godwit::wire
