#include "transfer/source_shares.h"

#include <gtest/gtest.h>

namespace godwit {
namespace {

SocketAddress ipv6(std::uint8_t network, std::uint8_t prefix, std::uint8_t host = 1) {
  return SocketAddress::ipv6({0x20, 0x01, 0x0d, 0xb8, 0, network, 0, prefix, 0, 0, 0, 0, 0, 0, 0, host}, 1000);
}
SocketAddress ipv4(std::uint8_t host, std::uint16_t port = 1000) {
  return SocketAddress::ipv4({192, 0, 2, host}, port);
}

// Takes all it may have of `all`.
std::uint64_t fill(SourceShares& shares, const SocketAddress& from, std::uint64_t all) {
  const std::uint64_t room = shares.room(from, all - shares.taken());
  shares.take(from, room);
  return room;
}

TEST(SourceShares, EachAddressLeavesAsMuchAsItHas) {
  SourceShares shares;
  EXPECT_EQ(fill(shares, ipv4(1), 256), 128U);
  EXPECT_EQ(fill(shares, ipv4(1, 2000), 256), 0U) << "another port is no other source";
  EXPECT_EQ(fill(shares, ipv4(2), 256), 64U);
  EXPECT_EQ(fill(shares, ipv4(3), 256), 32U);
}

TEST(SourceShares, ANetworkIsOneSourceWhateverPrefixesItUses) {
  SourceShares shares;
  EXPECT_EQ(fill(shares, ipv6(1, 0), 256), 64U) << "half of what its network may have";
  for (int prefix = 1; prefix < 256; ++prefix) {
    static_cast<void>(fill(shares, ipv6(1, static_cast<std::uint8_t>(prefix)), 256));
  }
  EXPECT_EQ(shares.of_network(ipv6(1, 0)), 128U);
  EXPECT_EQ(shares.room(ipv6(1, 7), 128), 0U);
  EXPECT_EQ(fill(shares, ipv6(2, 0), 256), 32U) << "and another network has its share of the other half";
}

TEST(SourceShares, OneAtATimeComesToTheSameAsAllAtOnce) {
  for (const std::uint64_t all : {1U, 2U, 5U, 6U, 255U, 256U}) {
    SourceShares one;
    SourceShares other;
    for (const SocketAddress& from : {ipv4(1), ipv6(1, 1), ipv6(1, 2), ipv4(2)}) {
      const std::uint64_t at_once = fill(one, from, all);
      std::uint64_t count = 0;
      while (other.room(from, all - other.taken()) > 0) {
        other.take(from, 1);
        ++count;
      }
      EXPECT_EQ(count, at_once) << all << " " << from.to_string();
    }
  }
}

TEST(SourceShares, WhatIsGivenBackIsFreeAgain) {
  SourceShares shares;
  for (const SocketAddress& from : {ipv4(1), ipv6(1, 1)}) {
    shares.take(from, 10);
    shares.take(from, 0);
    shares.give_back(from, 4);
    EXPECT_EQ(shares.of_prefix(from), 6U);
    EXPECT_EQ(shares.of_network(from), 6U);
    shares.give_back(from, 6);
    EXPECT_EQ(shares.of_prefix(from), 0U);
    EXPECT_EQ(shares.of_network(from), 0U);
  }
  EXPECT_EQ(shares.taken(), 0U);
}

TEST(SourceShares, NothingOverflowsAtTheEndOfTheNumbers) {
  SourceShares shares;
  EXPECT_EQ(shares.room(ipv4(1), UINT64_MAX), std::uint64_t{1} << 63);
  shares.take(ipv4(1), UINT64_MAX / 2);
  EXPECT_EQ(shares.room(ipv4(1), UINT64_MAX - UINT64_MAX / 2), 1U);
}

}  // namespace
}  // namespace godwit
