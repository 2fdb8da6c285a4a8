#include "base/address.h"

#include <gtest/gtest.h>

#include "base/connect_target.h"
#include "base/keyed_hash.h"

namespace godwit {
namespace {

TEST(SocketAddress, KeepsTheScopeOfALinkLocalAddressInEveryForm) {
  const auto address = SocketAddress::parse("[fe80::1%3]:41001");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->scope_id(), 3U);
  EXPECT_EQ(address->to_string(), "[fe80::1%3]:41001");
  EXPECT_EQ(address->with_port(7).scope_id(), 3U);
  EXPECT_EQ(address->prefix().scope_id(), 3U);
  EXPECT_EQ(SocketAddress::ipv6(address->octets(), 41001, 3), *address);
}

TEST(SocketAddress, TellsTheSameOctetsOnTwoLinksApart) {
  const SocketAddress one = *SocketAddress::parse("[fe80::1%3]:1");
  const SocketAddress other = *SocketAddress::parse("[fe80::1%4]:1");
  EXPECT_NE(one, other);
  EXPECT_LT(one, other);
  EXPECT_NE(one.hash(HashKey(1, 2)), other.hash(HashKey(1, 2)));
  EXPECT_NE(one.prefix(), other.prefix());
}

TEST(SocketAddress, HasNoScopeWhereThereIsOnlyOne) {
  const std::array<std::uint8_t, 16> global = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  EXPECT_EQ(SocketAddress::ipv6(global, 1, 5), SocketAddress::ipv6(global, 1));
  EXPECT_FALSE(SocketAddress::parse("[2001:db8::1%3]:1"));
  EXPECT_FALSE(SocketAddress::parse("[fe80::1%]:1"));
  EXPECT_FALSE(SocketAddress::parse("[fe80::1%eth0]:1")) << "names of interfaces are looked up outside the core";
  EXPECT_FALSE(SocketAddress::parse("[fe80::1%4294967296]:1"));
}

TEST(ConnectTarget, IsLoopbackForTheWildcard) {
  EXPECT_EQ(connect_target(*SocketAddress::parse("[::]:41001")), *SocketAddress::parse("[::1]:41001"));
  EXPECT_EQ(connect_target(*SocketAddress::parse("0.0.0.0:41001")), *SocketAddress::parse("127.0.0.1:41001"));
}

TEST(ConnectTarget, RefusesWhatNoPeerCanHave) {
  for (const char* text :
       {"127.0.0.1:0", "[fe80::1]:1", "224.0.0.1:1", "239.255.255.255:1", "255.255.255.255:1", "[ff02::1]:1"}) {
    const auto target = connect_target(*SocketAddress::parse(text));
    ASSERT_FALSE(target) << text;
    EXPECT_EQ(target.error().code, ErrorCode::kInvalidArgument) << text;
  }
  EXPECT_FALSE(connect_target(SocketAddress()));
  for (const char* text : {"127.0.0.1:1", "[fe80::1%2]:1", "[2001:db8::1]:65535", "192.0.2.255:1"}) {
    const SocketAddress address = *SocketAddress::parse(text);
    EXPECT_EQ(connect_target(address), address) << text;
  }
}

TEST(SocketAddress, KnowsLoopbackAndPrivateNetworks) {
  const auto at = [](const char* text) { return *SocketAddress::parse(text); };
  for (const char* const text : {"127.0.0.1:9", "127.255.0.3:9", "[::1]:9"}) {
    EXPECT_TRUE(at(text).is_loopback()) << text;
    EXPECT_FALSE(at(text).is_private()) << text;
  }
  for (const char* const text : {"10.0.0.1:9", "172.16.0.1:9", "172.31.255.1:9", "192.168.3.4:9", "100.64.0.1:9",
                                 "100.127.0.1:9", "[fd00::1]:9", "[fc00::1]:9"}) {
    EXPECT_TRUE(at(text).is_private()) << text;
    EXPECT_FALSE(at(text).is_loopback()) << text;
  }
  for (const char* const text : {"11.0.0.1:9", "172.32.0.1:9", "192.169.0.1:9", "100.128.0.1:9", "100.63.0.1:9",
                                 "[2001:db8::1]:9", "[::2]:9", "[fe80::1]:9"}) {
    EXPECT_FALSE(at(text).is_private() || at(text).is_loopback()) << text;
  }
  EXPECT_FALSE(SocketAddress().is_loopback() || SocketAddress().is_private());
}

}  // namespace
}  // namespace godwit
