#include "udp/sockaddr.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/random.h"

namespace godwit::sockaddr_test {
namespace {

SocketAddress address_of(const char* text) {
  return SocketAddress::parse(text).value();
}

std::optional<SocketAddress> round_trip(const SocketAddress& address, SocketFamily family) {
  const KernelAddress kernel = to_kernel(address, family);
  return from_kernel(&kernel.generic, kernel.size);
}

TEST(KernelAddress, Ipv4GoesBothWaysOnBothFamilies) {
  const SocketAddress address = address_of("192.0.2.7:31337");
  EXPECT_EQ(round_trip(address, SocketFamily::kIpv4), address);
  EXPECT_EQ(round_trip(address, SocketFamily::kIpv6), address);
}

TEST(KernelAddress, AnIpv4AddressIsSpelledMappedForAnIpv6Socket) {
  const KernelAddress kernel = to_kernel(address_of("192.0.2.7:80"), SocketFamily::kIpv6);
  ASSERT_EQ(kernel.size, sizeof(sockaddr_in6));
  EXPECT_EQ(kernel.ipv6.sin6_family, AF_INET6);
  EXPECT_EQ(ntohs(kernel.ipv6.sin6_port), 80);
  EXPECT_TRUE(IN6_IS_ADDR_V4MAPPED(&kernel.ipv6.sin6_addr));
}

TEST(KernelAddress, Ipv6GoesBothWaysOnAnIpv6Socket) {
  for (const char* text : {"[2001:db8::1]:1", "[::1]:65535", "[::]:0", "[fe80::1]:9"}) {
    EXPECT_EQ(round_trip(address_of(text), SocketFamily::kIpv6), address_of(text)) << text;
  }
}

TEST(KernelAddress, WhatASocketCannotReachHasNoSpelling) {
  EXPECT_EQ(to_kernel(address_of("[2001:db8::1]:1"), SocketFamily::kIpv4).size, 0U);
  EXPECT_EQ(to_kernel({}, SocketFamily::kIpv4).size, 0U);
  EXPECT_EQ(to_kernel({}, SocketFamily::kIpv6).size, 0U);
}

TEST(KernelAddress, RandomAddressesSurviveTheRoundTrip) {
  DeterministicRandom random(11);
  for (int i = 0; i < 2000; ++i) {
    std::array<std::uint8_t, 16> octets;
    random.fill(octets);
    const auto port = static_cast<std::uint16_t>(random.below(65536));
    const SocketAddress ipv6 = SocketAddress::ipv6(octets, port);
    const SocketAddress ipv4 = SocketAddress::ipv4({octets[0], octets[1], octets[2], octets[3]}, port);
    ASSERT_EQ(round_trip(ipv6, SocketFamily::kIpv6), ipv6);
    ASSERT_EQ(round_trip(ipv4, SocketFamily::kIpv6), ipv4);
    ASSERT_EQ(round_trip(ipv4, SocketFamily::kIpv4), ipv4);
    ASSERT_EQ(from_kernel(to_in6_addr(ipv6), port), ipv6);
    ASSERT_EQ(from_kernel(to_in6_addr(ipv4), port), ipv4);
    ASSERT_EQ(from_kernel(to_in_addr(ipv4), port), ipv4);
  }
}

TEST(KernelAddress, OtherFamiliesAndShortSizesAreNoAddress) {
  sockaddr other{};
  other.sa_family = AF_UNIX;
  EXPECT_FALSE(from_kernel(&other, sizeof other));
  KernelAddress kernel = to_kernel(address_of("192.0.2.7:1"), SocketFamily::kIpv4);
  EXPECT_FALSE(from_kernel(&kernel.generic, sizeof(sockaddr_in) - 1));
  EXPECT_FALSE(from_kernel(&kernel.generic, 1));
  EXPECT_FALSE(from_kernel(&kernel.generic, 0));
  EXPECT_FALSE(from_kernel(nullptr, 0));
  kernel = to_kernel(address_of("[::1]:1"), SocketFamily::kIpv6);
  EXPECT_FALSE(from_kernel(&kernel.generic, sizeof(sockaddr_in6) - 1));
}

TEST(KernelAddress, CarriesTheScopeOfALinkLocalAddressBothWays) {
  const SocketAddress address = address_of("[fe80::1%7]:31337");
  EXPECT_EQ(to_kernel(address, SocketFamily::kIpv6).ipv6.sin6_scope_id, 7U);
  EXPECT_EQ(round_trip(address, SocketFamily::kIpv6), address);
  EXPECT_EQ(from_kernel(to_in6_addr(address), 31337, 7), address);
  EXPECT_EQ(from_kernel(to_in6_addr(address_of("[2001:db8::1]:5")), 5, 7), address_of("[2001:db8::1]:5"));
}

}  // namespace
}  // namespace godwit::sockaddr_test
