#include "transport/address_table.h"

#include <gtest/gtest.h>

#include <unordered_map>

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
  std::unordered_map<SocketAddress, std::uint32_t> model;
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

}  // namespace
}  // namespace godwit
