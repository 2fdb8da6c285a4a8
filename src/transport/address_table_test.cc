#include "transport/address_table.h"

#include <gtest/gtest.h>

#include <map>

#include "base/random.h"

namespace godwit {
namespace {

SocketAddress address_number(std::uint64_t number) {
  return SocketAddress::ipv4({10, 0, 0, static_cast<std::uint8_t>(number >> 16)}, static_cast<std::uint16_t>(number));
}

TEST(AddressTable, TreatsPortsOfOneHostAsDifferentPeers) {
  AddressTable table;
  table.insert(address_number(1), 10);
  table.insert(address_number(2), 20);
  EXPECT_EQ(table.find(address_number(1)), 10U);
  EXPECT_EQ(table.find(address_number(2)), 20U);
  EXPECT_FALSE(table.find(address_number(3)));
}

TEST(AddressTable, AgreesWithAMapUnderRandomOperations) {
  DeterministicRandom random(11);
  AddressTable table(random.next_u64());
  std::map<SocketAddress, std::uint32_t> model;
  for (std::uint32_t round = 0; round < 200'000; ++round) {
    const SocketAddress address = address_number(random.below(500));
    if (random.below(2) == 0) {
      table.insert(address, round);
      model[address] = round;
    } else {
      table.erase(address);
      model.erase(address);
    }
    const SocketAddress probe = address_number(random.below(500));
    const auto found = table.find(probe);
    ASSERT_EQ(found.has_value(), model.contains(probe));
    if (found) {
      ASSERT_EQ(*found, model[probe]);
    }
    ASSERT_EQ(table.size(), model.size());
  }
}

// The mix that these addresses cancel was once the table's hash, with the seed added afterwards.
SocketAddress chosen(std::uint16_t port) {
  const auto inverse = [](std::uint64_t a) {
    std::uint64_t x = a;
    for (int i = 0; i < 6; ++i) x *= 2 - a * x;
    return x;
  };
  const auto unshift = [](std::uint64_t value, int shift) {
    std::uint64_t x = value;
    for (int i = 0; i < 3; ++i) x = value ^ (x >> shift);
    return x;
  };
  std::array<std::uint8_t, 16> octets{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1};
  const std::uint64_t rest = std::uint64_t{port} << 8 | 2;
  std::uint64_t low = 0x1234567890abcdefULL ^ rest * 0xc4ceb9fe1a85ec53ULL;
  low = unshift(unshift(low, 29) * inverse(0xff51afd7ed558ccdULL), 33);
  low = (low ^ load_le<std::uint64_t>(octets.data())) * inverse(0x9e3779b97f4a7c15ULL);
  store_le(octets.data() + 8, low);
  return SocketAddress::ipv6(octets, port);
}

TEST(AddressTable, AddressesOfOneNetworkThatAStrangerChoosesFillNoLongProbe) {
  constexpr std::uint16_t kCount = 16384;
  AddressTable table(0xfeedfacecafebeef);
  for (std::uint16_t port = 1; port <= kCount; ++port) table.insert(chosen(port), port);
  ASSERT_EQ(table.size(), kCount);
  // At most half full: a few dozen entries in a row is long for independent places.
  EXPECT_LE(table.longest_probe(), 100U);
  for (std::uint16_t port = 1; port <= kCount; port += 97) EXPECT_EQ(table.find(chosen(port)), port);
}

}  // namespace
}  // namespace godwit
