#include "transfer/place_quota.h"

#include <gtest/gtest.h>

namespace godwit {
namespace {

using Verdict = PlaceQuota::Verdict;

SocketAddress address(unsigned host, std::uint16_t port = 1000) {
  return SocketAddress::ipv4({192, 0, 2, static_cast<std::uint8_t>(host)}, port);
}

// Takes until the quota says no; how many that were.
std::size_t fill(PlaceQuota& quota, ConnectionId peer, const SocketAddress& from) {
  std::size_t count = 0;
  while (quota.judge(peer, from) == Verdict::kFree) {
    quota.take(peer, from);
    ++count;
  }
  return count;
}

TEST(PlaceQuota, OnePeerHasItsLimit) {
  PlaceQuota quota({.of_a_peer = 64, .all = 256});
  EXPECT_EQ(fill(quota, 1, address(1)), 64U);
  EXPECT_EQ(quota.judge(1, address(1)), Verdict::kPeerFull);
}

TEST(PlaceQuota, OneAddressLeavesHalfOfThePlacesWhateverItsConnectionsDo) {
  PlaceQuota quota({.of_a_peer = 64, .all = 256});
  for (ConnectionId peer = 1; peer <= 1000; ++peer) {
    static_cast<void>(fill(quota, peer, address(1, static_cast<std::uint16_t>(peer))));
  }
  EXPECT_EQ(quota.shares().of_prefix(address(1)), 128U);
  EXPECT_EQ(quota.judge(2000, address(1)), Verdict::kPrefixFull);
  EXPECT_EQ(fill(quota, 3000, address(2)), 32U);
}

TEST(PlaceQuota, APeerLeavesPlacesToOthersOfItsAddress) {
  PlaceQuota quota({.of_a_peer = 64, .all = 256});
  EXPECT_EQ(fill(quota, 1, address(1)), 64U);
  EXPECT_EQ(fill(quota, 2, address(1)), 32U);
  EXPECT_EQ(fill(quota, 3, address(1)), 16U);
  for (ConnectionId peer = 4; peer < 8; ++peer) EXPECT_GE(fill(quota, peer, address(1)), 1U) << peer;
}

TEST(PlaceQuota, SevenAddressesLeaveAPlaceForTheEighth) {
  PlaceQuota quota({.of_a_peer = 64, .all = 256});
  for (unsigned host = 1; host <= 7; ++host) {
    for (ConnectionId peer = 1; peer <= 200; ++peer) static_cast<void>(fill(quota, host * 1000 + peer, address(host)));
  }
  EXPECT_EQ(quota.judge(9'999, address(99)), Verdict::kFree);
}

// Whoever has one IPv6 /48 has 65,536 addresses of a /64 each.
TEST(PlaceQuota, ThePrefixesOfOneNetworkLeaveHalfOfThePlaces) {
  PlaceQuota quota({.of_a_peer = 64, .all = 256});
  for (unsigned prefix = 1; prefix <= 200; ++prefix) {
    const auto from = SocketAddress::ipv6(
        {0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, static_cast<std::uint8_t>(prefix), 0, 0, 0, 0, 0, 0, 0, 1}, 1000);
    for (ConnectionId peer = 1; peer <= 200; ++peer) static_cast<void>(fill(quota, prefix * 1000 + peer, from));
  }
  EXPECT_EQ(quota.taken(), 128U);
  EXPECT_EQ(fill(quota, 1, address(1)), 32U);
}

TEST(PlaceQuota, WhatIsGivenBackIsFreeAgain) {
  PlaceQuota quota({.of_a_peer = 2, .all = 8});
  EXPECT_EQ(fill(quota, 1, address(1)), 2U);
  quota.give_back(1, address(1));
  EXPECT_EQ(quota.judge(1, address(1)), Verdict::kFree);
  quota.give_back(1, address(1));
  EXPECT_EQ(quota.taken(), 0U);
  EXPECT_EQ(quota.of_peer(1), 0U);
  EXPECT_EQ(quota.shares().of_prefix(address(1)), 0U);
}

TEST(PlaceQuota, OnePlaceIsForWhoeverComesFirst) {
  PlaceQuota quota({.of_a_peer = 1, .all = 1});
  EXPECT_EQ(fill(quota, 1, address(1)), 1U);
  EXPECT_EQ(quota.judge(2, address(2)), Verdict::kAllFull);
}

}  // namespace
}  // namespace godwit
