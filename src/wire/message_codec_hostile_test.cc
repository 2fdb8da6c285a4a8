// Plaintexts of an adversary who holds the key: everything the decoder must turn into a value (checklist 12, 18).
// Inputs stand in exact allocations, so that a build with the address sanitizer sees a read of one byte too many.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <expected>
#include <initializer_list>
#include <limits>
#include <optional>
#include <vector>

#include "wire/message_codec.h"
#include "wire/wire_test_support.h"

namespace godwit::wire {
namespace {

using test::Bytes;
using test::encoded;
using test::hex;
using test::is_sound;
using test::key_from;

constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
constexpr std::size_t kAckCountAt = 4;
constexpr std::size_t kVariantAt = 12;
constexpr std::size_t kFieldsAt = 16;

// One of each kind, with and without its optional parts.
std::vector<Bytes> samples() {
  static const Bytes payload = hex("cafe00ff");
  static const std::vector<std::uint32_t> acks{1, 2, 0xfffffffe};
  const auto ipv4 = *SocketAddress::parse("192.0.2.7:31337");
  const auto ipv6 = *SocketAddress::parse("[2001:db8::1]:31337");
  std::vector<Bytes> all;
  for (const Acks listed : {Acks{}, Acks{acks}}) {
    for (const Message& message : std::initializer_list<Message>{
             NoOp{}, Ping{1}, Pong{2}, ShortMessage{payload}, AckError{"closed \xe2\x82\xac"},
             AckOk{key_from(0xa0), ipv4, std::nullopt}, AckOk{key_from(0xa0), ipv6, std::nullopt},
             AckOk{key_from(0xa0), ipv4, kAnnouncedVersion}, AckOk{key_from(0xa0), ipv6, kAnnouncedVersion},
             StreamFragment{.stream_id = 1, .total_length = 4, .number = 1, .payload = payload},
             StreamFragment{.stream_id = 1, .total_length = 4, .number = 1, .payload = payload, .metadata = payload},
             UpgradeOffer{1, 0}, UpgradeAccept{1}, UpgradeDecline{1, 1}}) {
      all.push_back(encoded(9, listed, message));
    }
  }
  return all;
}

std::expected<Packet, DecodeError> decode_exact(ByteView plaintext, Bytes& exact) {
  exact.assign(plaintext.begin(), plaintext.end());
  exact.shrink_to_fit();
  return decode(exact);
}

std::optional<DecodeError> error_of(ByteView plaintext) {
  Bytes exact;
  const auto packet = decode_exact(plaintext, exact);
  return packet ? std::nullopt : std::optional(packet.error());
}

TEST(HostileDecode, EveryTruncationOfEveryMessageIsAnError) {
  for (const Bytes& sample : samples()) {
    ASSERT_FALSE(error_of(sample));
    for (std::size_t size = 0; size < sample.size(); ++size) {
      const auto error = error_of(ByteView(sample).first(size));
      ASSERT_TRUE(error) << to_hex(sample) << " cut to " << size;
      EXPECT_TRUE(*error == DecodeError::kTruncated || *error == DecodeError::kAcksTooLong ||
                  *error == DecodeError::kBadUtf8);
    }
  }
}

TEST(HostileDecode, EveryValueOfEveryByteOfEveryMessageIsDecodedSoundly) {
  for (const Bytes& sample : samples()) {
    for (std::size_t at = 0; at < sample.size(); ++at) {
      Bytes changed = sample;
      for (unsigned value = 0; value < 256; ++value) {
        changed[at] = static_cast<std::uint8_t>(value);
        Bytes exact;
        const auto packet = decode_exact(changed, exact);
        ASSERT_TRUE(!packet || is_sound(*packet, exact)) << to_hex(exact);
      }
    }
  }
}

TEST(HostileDecode, AckCountsBeyondTheEndAreRefused) {
  Bytes plaintext = encoded(1, std::vector<std::uint32_t>{1, 2, 3}, NoOp{});
  // The last three wrap to a small number of bytes when multiplied by four.
  for (const std::uint64_t count :
       {std::uint64_t{5}, std::uint64_t{1000}, std::uint64_t{1} << 32, std::uint64_t{1} << 61, std::uint64_t{1} << 62,
        (std::uint64_t{1} << 62) + 1, std::uint64_t{1} << 63, kMost}) {
    store_le(&plaintext[kAckCountAt], count);
    EXPECT_EQ(error_of(plaintext), DecodeError::kAcksTooLong) << count;
  }
  // Four acknowledgements swallow the variant; what is missing then is the variant.
  store_le(&plaintext[kAckCountAt], std::uint64_t{4});
  EXPECT_EQ(error_of(plaintext), DecodeError::kTruncated);
}

TEST(HostileDecode, LengthsBeyondTheEndAreRefused) {
  const Bytes payload = hex("cafe00ff");
  struct Case {
    Bytes plaintext;
    std::size_t length_at;
  };
  const std::vector<Case> cases{
      {encoded(1, {}, ShortMessage{payload}), kFieldsAt},
      {encoded(1, {}, AckError{"text"}), kFieldsAt + 4},
      {encoded(1, {}, StreamFragment{.payload = payload}), kFieldsAt + 16},
      {encoded(1, {}, StreamFragment{.payload = payload, .metadata = payload}), kFieldsAt + 16 + 8 + 4 + 1},
  };
  for (const Case& sample : cases) {
    Bytes plaintext = sample.plaintext;
    ASSERT_EQ(load_le<std::uint64_t>(&plaintext[sample.length_at]), 4U);
    for (const std::uint64_t length : {std::uint64_t{100}, std::uint64_t{1} << 31, std::uint64_t{1} << 32,
                                       std::uint64_t{1} << 63, kMost - 64, kMost - 1, kMost}) {
      store_le(&plaintext[sample.length_at], length);
      EXPECT_EQ(error_of(plaintext), DecodeError::kTruncated) << length;
    }
  }
}

TEST(HostileDecode, VariantsAboveSevenAreUnknown) {
  Bytes plaintext(200);
  for (const std::uint32_t variant : {8U, 9U, 255U, 256U, 0x01000000U, 0xffffffffU}) {
    store_le(&plaintext[kVariantAt], variant);
    EXPECT_EQ(error_of(plaintext), DecodeError::kUnknownVariant) << variant;
  }
}

TEST(HostileDecode, InnerUpgradeIndicesAboveTwoAreUnknown) {
  Bytes plaintext = encoded(9, {}, UpgradeOffer{1, 0});
  for (const std::uint32_t control : {3U, 256U, 0xffffffffU}) {
    store_le(&plaintext[kFieldsAt], control);
    EXPECT_EQ(error_of(plaintext), DecodeError::kUnknownUpgrade) << control;
  }
}

TEST(HostileDecode, OptionTagsOtherThanZeroAndOneAreRefused) {
  const Bytes payload = hex("cafe");
  Bytes plaintext = encoded(9, {}, StreamFragment{.payload = payload, .metadata = payload});
  const std::size_t option_at = kFragmentHeader + payload.size();
  for (unsigned tag = 2; tag < 256; ++tag) {
    plaintext[option_at] = static_cast<std::uint8_t>(tag);
    EXPECT_EQ(error_of(plaintext), DecodeError::kBadOption) << tag;
  }
}

TEST(HostileDecode, ResultAndAddressIndicesOtherThanZeroAndOneAreRefused) {
  Bytes plaintext = encoded(9, {}, AckOk{key_from(0xa0), *SocketAddress::parse("192.0.2.7:31337"), std::nullopt});
  plaintext.resize(plaintext.size() + 100);
  for (const std::uint32_t index : {2U, 0x01000000U, 0xffffffffU}) {
    Bytes bad_result = plaintext;
    store_le(&bad_result[kFieldsAt], index);
    EXPECT_EQ(error_of(bad_result), DecodeError::kBadResult) << index;
    Bytes bad_address = plaintext;
    store_le(&bad_address[kFieldsAt + 4 + kSymmetricKeySize], index);
    EXPECT_EQ(error_of(bad_address), DecodeError::kBadAddress) << index;
  }
}

TEST(HostileDecode, ErrorTextsThatAreNoUtf8AreRefused) {
  Bytes plaintext = encoded(9, {}, AckError{"0123456789"});
  const std::size_t text_at = kFieldsAt + 4 + 8;
  for (const auto* bad : {"ff", "c0af", "eda080", "f4908080", "80"}) {
    Bytes changed = plaintext;
    std::ranges::copy(hex(bad), changed.begin() + std::ptrdiff_t(text_at) + 3);
    EXPECT_EQ(error_of(changed), DecodeError::kBadUtf8) << bad;
  }
  plaintext.back() = 0xe2;  // the first byte of a longer sequence, at the very end
  EXPECT_EQ(error_of(plaintext), DecodeError::kBadUtf8);
}

TEST(HostileDecode, RandomBytesAreDecodedSoundly) {
  DeterministicRandom random(41);
  std::size_t decoded = 0;
  Bytes plaintext;
  for (int round = 0; round < 1'000'000; ++round) {
    plaintext.resize(random.below(80));
    random.fill(plaintext);
    // Pure noise ends at the acknowledgement count: most rounds get a plausible header.
    if (plaintext.size() >= kFieldsAt && round % 8 != 0) {
      store_le(&plaintext[kAckCountAt], random.below(3));
      for (std::size_t at = kVariantAt; at + 4 <= std::min<std::size_t>(plaintext.size(), 28); at += 4) {
        store_le(&plaintext[at], static_cast<std::uint32_t>(random.below(9)));
      }
    }
    const auto packet = decode(plaintext);
    if (!packet) continue;
    ++decoded;
    ASSERT_TRUE(decoded % 16 != 0 || is_sound(*packet, plaintext)) << to_hex(plaintext);
  }
  EXPECT_GT(decoded, 1'000U);  // the generator reaches beyond the header
}

TEST(HostileDecode, EveryErrorHasAName) {
  for (const auto error :
       {DecodeError::kTruncated, DecodeError::kAcksTooLong, DecodeError::kUnknownVariant, DecodeError::kUnknownUpgrade,
        DecodeError::kBadOption, DecodeError::kBadResult, DecodeError::kBadAddress, DecodeError::kBadUtf8}) {
    EXPECT_NE(to_string(error), "unknown");
  }
}

}  // namespace
}  // namespace godwit::wire
