#include "transfer/turn_order.h"

#include <gtest/gtest.h>

namespace godwit::turn_order_test {
namespace {

constexpr Instant kStart{1h};

SocketAddress client(std::uint8_t host, std::uint16_t port = 1000) {
  return SocketAddress::ipv4({192, 0, 2, host}, port);
}

TEST(TurnOrder, WhoHasJustBeenServedWaitsForWhoHasAsked) {
  TurnOrder order;
  order.on_begun(kStart, client(1));
  order.on_asked(client(2));
  order.on_ended(kStart + 5s);
  EXPECT_TRUE(order.has_to_wait(kStart + 5s, client(1)));
  EXPECT_TRUE(order.has_to_wait(kStart + 5s, client(1, 2000))) << "another port is no other client";
  EXPECT_FALSE(order.has_to_wait(kStart + 5s, client(2)));
  EXPECT_FALSE(order.has_to_wait(kStart + 5s, client(3))) << "never served either";
  order.on_begun(kStart + 6s, client(2));
  order.on_ended(kStart + 7s);
  EXPECT_FALSE(order.has_to_wait(kStart + 7s, client(1)));
}

TEST(TurnOrder, NobodyWaitsLongForWhoDoesNotComeAgain) {
  TurnOrder order;
  order.on_begun(kStart, client(1));
  order.on_asked(client(2));
  order.on_ended(kStart + 5s);
  EXPECT_TRUE(order.has_to_wait(kStart + 14s, client(1)));
  EXPECT_FALSE(order.has_to_wait(kStart + 15s, client(1)));
}

TEST(TurnOrder, TwoThatTakeTurnsDoNotKeepAThirdOut) {
  TurnOrder order;
  order.on_begun(kStart, client(1));
  order.on_ended(kStart + 1s);
  order.on_begun(kStart + 1s, client(2));
  order.on_asked(client(1));
  order.on_asked(client(3));
  order.on_ended(kStart + 2s);
  EXPECT_TRUE(order.has_to_wait(kStart + 2s, client(1)));
  EXPECT_TRUE(order.has_to_wait(kStart + 2s, client(2)));
  EXPECT_FALSE(order.has_to_wait(kStart + 2s, client(3)));
}

TEST(TurnOrder, ThePrefixesOfANetworkAreOneClient) {
  TurnOrder order;
  const auto one = SocketAddress::ipv6({0x20, 1, 0xd, 0xb8, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1}, 1);
  const auto other = SocketAddress::ipv6({0x20, 1, 0xd, 0xb8, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1}, 1);
  order.on_begun(kStart, one);
  order.on_asked(client(2));
  order.on_ended(kStart + 1s);
  EXPECT_TRUE(order.has_to_wait(kStart + 1s, other));
}

TEST(TurnOrder, ThousandsOfClientsLeaveTheLatestKnown) {
  TurnOrder order;
  for (unsigned i = 0; i < 5000; ++i) {
    const auto from = SocketAddress::ipv4({10, 0, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)}, 1);
    order.on_begun(kStart + i * 1s, from);
    order.on_asked(client(2));
    order.on_ended(kStart + i * 1s);
    EXPECT_TRUE(order.has_to_wait(kStart + i * 1s, from));
  }
}

}  // namespace
}  // namespace godwit::turn_order_test
