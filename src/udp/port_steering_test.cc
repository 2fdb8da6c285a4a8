#include "udp/port_steering.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "base/random.h"

namespace godwit {
namespace {

// Sockets on one port of `bind`'s address, in the order of the kernel's list.
std::vector<Socket> open_group(const SocketAddress& bind, std::size_t count) {
  std::vector<Socket> group;
  SocketOptions options{.bind = bind};
  for (std::size_t i = 0; i < count; ++i) {
    options.group = i == 0 ? SocketOptions::Group::kFirst : SocketOptions::Group::kFurther;
    auto socket = Socket::open(options);
    if (!socket) return {};
    options.bind = bind.with_port(socket->local_address().port());
    group.push_back(std::move(*socket));
  }
  return group;
}

// Sends one datagram from a fresh socket at `from`; returns its address.
SocketAddress send_from(const SocketAddress& from, const SocketAddress& to) {
  const auto socket = Socket::open({.bind = from});
  if (!socket) return {};
  const KernelAddress name = to_kernel(to, socket->family());
  const std::array<std::uint8_t, 3> bytes{1, 2, 3};
  EXPECT_EQ(::sendto(socket->descriptor(), bytes.data(), bytes.size(), 0, &name.generic, name.size), 3);
  return socket->local_address();
}

std::optional<std::size_t> who_received(const std::vector<Socket>& group) {
  std::optional<std::size_t> receiver;
  std::array<std::uint8_t, 16> bytes;
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (::recv(group[i].descriptor(), bytes.data(), bytes.size(), MSG_DONTWAIT) == 3) receiver = i;
  }
  return receiver;
}

void expect_agreement(const SocketAddress& bind, const SocketAddress& from) {
  constexpr std::size_t kSockets = 4;
  std::vector<Socket> group = open_group(bind, kSockets);
  if (group.empty()) GTEST_SKIP() << "no such address family here";
  const PortSteering steering(0x0123456789abcdef, kSockets);
  std::array<std::size_t, kSockets> positions{2, 0, 3, 1};
  ASSERT_TRUE(steering.attach(group.front(), positions));
  std::array<int, kSockets> received{};
  const SocketAddress to = from.with_port(group.front().local_address().port());
  for (int i = 0; i < 200; ++i) {
    const SocketAddress sender = send_from(from, to);
    const auto receiver = who_received(group);
    ASSERT_TRUE(receiver);
    EXPECT_EQ(*receiver, positions[steering.slot_of(sender)]) << sender.to_string();
    ++received[*receiver];
  }
  for (const int count : received) EXPECT_GT(count, 20);
}

TEST(PortSteering, TheKernelAgreesForIpv4) {
  expect_agreement(SocketAddress::ipv4({127, 0, 0, 1}, 0), SocketAddress::ipv4({127, 0, 0, 1}, 0));
}

TEST(PortSteering, TheKernelAgreesForIpv4OnADualStackSocket) {
  expect_agreement(SocketAddress::ipv6({}, 0), SocketAddress::ipv4({127, 0, 0, 1}, 0));
}

TEST(PortSteering, TheKernelAgreesForIpv6) {
  const std::array<std::uint8_t, 16> loopback{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  expect_agreement(SocketAddress::ipv6(loopback, 0), SocketAddress::ipv6(loopback, 0));
}

TEST(PortSteering, SpreadsAddressesThatDifferInOneThing) {
  const PortSteering steering(42, 8);
  std::array<int, 8> by_port{}, by_address{}, by_ipv6{};
  for (unsigned i = 0; i < 8000; ++i) {
    const auto high = static_cast<std::uint8_t>(i >> 8), low = static_cast<std::uint8_t>(i);
    ++by_port[steering.slot_of(SocketAddress::ipv4({192, 0, 2, 1}, static_cast<std::uint16_t>(20000 + i)))];
    ++by_address[steering.slot_of(SocketAddress::ipv4({10, 1, high, low}, 31337))];
    ++by_ipv6[steering.slot_of(
        SocketAddress::ipv6({0x20, 1, 13, 0xb8, 0, 0, high, low, 0, 0, 0, 0, 0, 0, 0, 1}, 31337))];
  }
  for (std::size_t slot = 0; slot < 8; ++slot) {
    EXPECT_NEAR(by_port[slot], 1000, 250);
    EXPECT_NEAR(by_address[slot], 1000, 250);
    EXPECT_NEAR(by_ipv6[slot], 1000, 250);
  }
}

// Sources that a stranger has computed to fall into one slot of a hash without a key, or with a key it can cancel.
std::vector<std::vector<SocketAddress>> chosen_sets() {
  const auto ipv4 = [](std::uint32_t address, std::uint32_t port) {
    return SocketAddress::ipv4({static_cast<std::uint8_t>(address >> 24), static_cast<std::uint8_t>(address >> 16),
                                static_cast<std::uint8_t>(address >> 8), static_cast<std::uint8_t>(address)},
                               static_cast<std::uint16_t>(port));
  };
  std::vector<std::vector<SocketAddress>> sets(5);
  for (std::uint32_t port = 1024; port < 9216; ++port) {
    // The port's contribution to a multiplicative mix cancelled in the address; the same with sums, and with steps.
    sets[0].push_back(ipv4(0x0a000001U ^ 1024U * 0x9e3779b1U ^ port * 0x9e3779b1U, port));
    sets[1].push_back(ipv4(0x0a000001U - port, port));
    sets[2].push_back(ipv4(0x0a000000U + (port << 4), 31337));
    sets[3].push_back(ipv4(0x0a000001U ^ port << 16, port));
    std::array<std::uint8_t, 16> octets{0x20, 0x01, 0x0d, 0xb8};
    for (std::size_t i = 0; i < 6; ++i) {
      octets[4 + 2 * i] = static_cast<std::uint8_t>(port >> 8);
      octets[5 + 2 * i] = static_cast<std::uint8_t>(port);
    }
    sets[4].push_back(SocketAddress::ipv6(octets, static_cast<std::uint16_t>(~port)));
  }
  return sets;
}

TEST(PortSteering, NoSetOfSourcesFallsIntoFewSlotsUnderManyKeys) {
  constexpr std::size_t kSlots = 16;
  DeterministicRandom random(11);
  const auto sets = chosen_sets();
  for (std::size_t set = 0; set < sets.size(); ++set) {
    std::size_t uneven = 0;
    for (int key = 0; key < 100; ++key) {
      const PortSteering steering(random.next_u64(), kSlots);
      std::array<std::size_t, kSlots> counts{};
      for (const SocketAddress& source : sets[set]) ++counts[steering.slot_of(source)];
      // Twice the even share, or a third of it, is sixteen standard deviations away for independent throws.
      const auto [least, most] = std::ranges::minmax(counts);
      const std::size_t share = sets[set].size() / kSlots;
      if (most > 2 * share || least < share / 3) ++uneven;
    }
    EXPECT_LE(uneven, 3U) << "set " << set;
  }
}

TEST(PortSteering, TheLargestGroupsProgramIsAccepted) {
  std::vector<Socket> group = open_group(SocketAddress::ipv4({127, 0, 0, 1}, 0), 2);
  ASSERT_EQ(group.size(), 2U);
  const PortSteering steering(7, PortSteering::kMaxSlots);
  std::vector<std::size_t> positions(PortSteering::kMaxSlots, 0);
  EXPECT_TRUE(steering.attach(group.front(), positions));
}

TEST(Socket, AGroupDoesNotJoinTheGroupOfOthers) {
  std::vector<Socket> group = open_group(SocketAddress::ipv4({127, 0, 0, 1}, 0), 2);
  ASSERT_EQ(group.size(), 2U);
  const auto intruder = Socket::open({.bind = group.front().local_address(), .group = SocketOptions::Group::kFirst});
  ASSERT_FALSE(intruder);
  EXPECT_NE(intruder.error().message.find("cannot bind"), std::string::npos);
}

}  // namespace
}  // namespace godwit
