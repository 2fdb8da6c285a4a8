#include "runtime/address_text.h"

#include <gtest/gtest.h>
#include <net/if.h>

namespace godwit {
namespace {

TEST(AddressText, TakesAZoneByNameAndByNumber) {
  const std::string loopback = std::to_string(::if_nametoindex("lo"));
  ASSERT_NE(loopback, "0");
  EXPECT_EQ(with_numeric_zone("[fe80::1%lo]:5"), "[fe80::1%" + loopback + "]:5");
  EXPECT_EQ(with_numeric_zone("fe80::1%lo"), "fe80::1%" + loopback);
  EXPECT_EQ(parse_address_with_zone("[fe80::1%lo]:5"), parse_address_with_zone("[fe80::1%" + loopback + "]:5"));
  EXPECT_TRUE(parse_address_with_zone("[fe80::1%lo]:5"));
  EXPECT_EQ(parse_address_with_zone("192.0.2.1:5"), SocketAddress::parse("192.0.2.1:5"));
}

TEST(AddressText, RefusesAZoneThatThisMachineDoesNotHave) {
  EXPECT_FALSE(parse_address_with_zone("[fe80::1%no-such-interface]:5"));
  EXPECT_FALSE(parse_address_with_zone("[fe80::1%]:5"));
  EXPECT_FALSE(parse_address_with_zone("[::1%lo]:5")) << "a zone belongs to link-local addresses";
}

}  // namespace
}  // namespace godwit
