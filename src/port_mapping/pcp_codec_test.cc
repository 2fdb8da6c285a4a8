#include "port_mapping/pcp_codec.h"

#include <gtest/gtest.h>

#include <vector>

namespace godwit::pcp_codec_test {
namespace {

constexpr pcp::Nonce kNonce = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
const SocketAddress kClient = SocketAddress::ipv4({192, 168, 1, 2}, 0);

// The answer of a router, as RFC 6887 draws it in sections 7.2 and 11.1.
std::vector<std::uint8_t> answer() {
  std::vector<std::uint8_t> bytes(pcp::kMapSize);
  bytes[0] = 2;
  bytes[1] = 0x81;
  bytes[6] = 0x0e;  // 3600 s
  bytes[7] = 0x10;
  std::ranges::copy(kNonce, &bytes[24]);
  bytes[36] = 17;
  bytes[40] = 0x0f;  // 4000
  bytes[41] = 0xa0;
  bytes[42] = 0x9c;  // 40000
  bytes[43] = 0x40;
  const std::vector<std::uint8_t> mapped = {0xff, 0xff, 203, 0, 113, 7};
  std::ranges::copy(mapped, &bytes[54]);
  return bytes;
}

TEST(PcpCodec, ARequestHasItsFieldsWhereTheRfcHasThem) {
  const auto bytes = pcp::encode_map(kClient, kNonce, 4000, 40'000, 3600);
  std::vector<std::uint8_t> expected(pcp::kMapSize);
  expected[0] = 2;
  expected[1] = 1;
  expected[6] = 0x0e;
  expected[7] = 0x10;
  const std::vector<std::uint8_t> client = {0xff, 0xff, 192, 168, 1, 2};
  std::ranges::copy(client, &expected[18]);
  std::ranges::copy(kNonce, &expected[24]);
  expected[36] = 17;
  expected[40] = 0x0f;
  expected[41] = 0xa0;
  expected[42] = 0x9c;
  expected[43] = 0x40;
  expected[54] = expected[55] = 0xff;
  EXPECT_EQ(std::vector<std::uint8_t>(bytes.begin(), bytes.end()), expected);
}

TEST(PcpCodec, AnAnswerNamesTheMappedAddress) {
  const auto read = pcp::decode_map(answer(), kNonce, 4000);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->code, pcp::ResultCode::kSuccess);
  EXPECT_EQ(read->lifetime_seconds, 3600U);
  EXPECT_EQ(read->mapped.to_string(), "203.0.113.7:40000");
}

TEST(PcpCodec, WhatIsCutShortOrNotMeantForThisRequestIsNoAnswer) {
  const auto whole = answer();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(pcp::decode_map(ByteView(whole).first(size), kNonce, 4000)) << size;
  }
  EXPECT_FALSE(pcp::decode_map(whole, kNonce, 4001));
  EXPECT_FALSE(pcp::decode_map(whole, pcp::Nonce{}, 4000));
  // Version, operation, protocol, and an IPv6 address, which an IPv4 socket is not reached at.
  for (const std::size_t place : {std::size_t{0}, std::size_t{1}, std::size_t{36}, std::size_t{44}}) {
    auto changed = whole;
    changed[place] ^= 0x40;
    EXPECT_FALSE(pcp::decode_map(changed, kNonce, 4000)) << place;
  }
  EXPECT_FALSE(pcp::decode_map(std::vector<std::uint8_t>(pcp::kMostBytes + 1, 2), kNonce, 4000));
}

TEST(PcpCodec, ARefusalSaysWhy) {
  auto refused = answer();
  refused[3] = 2;
  EXPECT_EQ(pcp::decode_map(refused, kNonce, 4000)->code, pcp::ResultCode::kNotAuthorized);
  // RFC 6886 section 3.5: what a router without PCP answers to an unknown version.
  const std::vector<std::uint8_t> natpmp = {0, 0x81, 0, 1, 0, 0, 0, 5};
  EXPECT_EQ(pcp::decode_map(natpmp, kNonce, 4000)->code, pcp::ResultCode::kUnsupportedVersion);
}

}  // namespace
}  // namespace godwit::pcp_codec_test
