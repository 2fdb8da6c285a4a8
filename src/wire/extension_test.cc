#include "wire/extension.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"

namespace godwit::wire::extension_test {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes block(const Bytes& message) {
  std::array<std::uint8_t, kExtensionHeader> header{};
  write_extension_header(header, message.size());
  Bytes whole(header.size() + message.size());
  std::ranges::copy(message, std::ranges::copy(header, whole.begin()).out);
  return whole;
}

Bytes encoded(const TransportParameters& parameters) {
  Bytes bytes(kMaxParametersSize);
  bytes.resize(encode_parameters(parameters, std::span<std::uint8_t, kMaxParametersSize>(bytes)));
  return bytes;
}

const TransportParameters kSome{.capabilities = 0x8000000000000003,
                                .connection_tag = {1, 2, 3, 4},
                                .largest_datagram = 1452,
                                .initial_credit = 1 << 20,
                                .initial_stream_credit = 1 << 18,
                                .timestamp = 1'700'000'000'000};

TEST(Extension, ABlockIsReadAsItWasWritten) {
  const Bytes whole = block({9, 8, 7});
  EXPECT_EQ(to_hex(whole),
            "4764775801"
            "0300"
            "090807");
  const ExtensionSeen seen = read_extension(whole);
  EXPECT_EQ(seen.block, ExtensionBlock::kPresent);
  EXPECT_EQ(to_hex(seen.message), "090807");
}

TEST(Extension, WhatDoesNotBeginWithTheMarkerIsNoBlock) {
  EXPECT_EQ(read_extension({}).block, ExtensionBlock::kAbsent);
  EXPECT_EQ(read_extension(Bytes{'G', 'd', 'w'}).block, ExtensionBlock::kAbsent);
  EXPECT_EQ(read_extension(Bytes(1400, 0)).block, ExtensionBlock::kAbsent);
}

TEST(Extension, CutShortProlongedAndLaterBlocksAreTold) {
  const Bytes whole = block(Bytes(100, 5));
  for (std::size_t size = 4; size < whole.size(); ++size) {
    EXPECT_EQ(read_extension(ByteView(whole).first(size)).block, ExtensionBlock::kMalformed) << size;
  }
  Bytes longer = whole;
  longer.push_back(0);
  EXPECT_EQ(read_extension(longer).block, ExtensionBlock::kMalformed);
  Bytes later = whole;
  later[4] = 2;
  EXPECT_EQ(read_extension(later).block, ExtensionBlock::kLater);
  Bytes huge = block(Bytes(kMaxNoiseMessage, 5));
  EXPECT_EQ(read_extension(huge).block, ExtensionBlock::kPresent);
  huge.push_back(5);
  store_le(&huge[5], static_cast<std::uint16_t>(kMaxNoiseMessage + 1));
  EXPECT_EQ(read_extension(huge).block, ExtensionBlock::kMalformed);
}

TEST(Extension, ACookieMayFollowTheMessage) {
  Bytes whole = block(Bytes(100, 5));
  EXPECT_FALSE(read_extension(whole).cookie);
  Cookie cookie{};
  for (std::size_t size = 1; size <= cookie.size(); ++size) {
    cookie[size - 1] = static_cast<std::uint8_t>(size);
    whole.push_back(static_cast<std::uint8_t>(size));
    const ExtensionSeen seen = read_extension(whole);
    EXPECT_EQ(seen.block, size == cookie.size() ? ExtensionBlock::kPresent : ExtensionBlock::kMalformed) << size;
  }
  const ExtensionSeen seen = read_extension(whole);
  EXPECT_EQ(seen.cookie, cookie);
  EXPECT_EQ(to_hex(seen.message), to_hex(Bytes(100, 5)));
  whole.push_back(0);
  EXPECT_EQ(read_extension(whole).block, ExtensionBlock::kMalformed);
}

TEST(Extension, ParametersAreReadAsTheyWereWritten) {
  EXPECT_EQ(decode_parameters(encoded(kSome)), kSome);
  TransportParameters with_cookie = kSome;
  with_cookie.cookie = Cookie{1, 2, 3};
  EXPECT_EQ(decode_parameters(encoded(with_cookie)), with_cookie);
  EXPECT_EQ(encoded(with_cookie).size(), encoded(kSome).size() + 2 + kCookieSize);
}

TEST(Extension, UnknownParametersAreSkippedWhereverTheyStand) {
  Bytes bytes = {77, 3, 1, 2, 3};
  const Bytes known = encoded(kSome);
  bytes.insert(bytes.end(), known.begin(), known.end());
  bytes.insert(bytes.end(), {200, 0});
  EXPECT_EQ(decode_parameters(bytes), kSome);
}

TEST(Extension, ParametersThatAreMissingRepeatedOrCutShortAreRefused) {
  const Bytes bytes = encoded(kSome);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_parameters(ByteView(bytes).first(size))) << size;
  }
  Bytes twice = bytes;
  twice.insert(twice.end(), bytes.begin(), bytes.begin() + 10);
  EXPECT_FALSE(decode_parameters(twice));
  Bytes unknown_twice = bytes;
  unknown_twice.insert(unknown_twice.end(), {200, 0, 200, 0});
  EXPECT_FALSE(decode_parameters(unknown_twice));
  Bytes wrong_length = bytes;
  wrong_length[1] = 7;
  EXPECT_FALSE(decode_parameters(wrong_length));
}

TEST(Extension, ALargestDatagramBelow1200IsRefused) {
  TransportParameters small = kSome;
  small.largest_datagram = 1199;
  EXPECT_FALSE(decode_parameters(encoded(small)));
  small.largest_datagram = 1200;
  EXPECT_TRUE(decode_parameters(encoded(small)));
}

TEST(Extension, RandomBytesAreNeverTrouble) {
  DeterministicRandom random{5};
  for (int i = 0; i < 20'000; ++i) {
    Bytes bytes(random.below(120));
    random.fill(bytes);
    static_cast<void>(decode_parameters(bytes));
    if (bytes.size() >= 7) std::copy(kExtensionMarker.begin(), kExtensionMarker.end(), bytes.begin());
    const ExtensionSeen seen = read_extension(bytes);
    EXPECT_LE(seen.message.size(), bytes.size());
  }
}

}  // namespace
}  // namespace godwit::wire::extension_test
