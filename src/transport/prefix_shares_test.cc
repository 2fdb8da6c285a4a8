#include "transport/prefix_shares.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/random.h"

namespace godwit::prefix_shares_test {
namespace {

const Instant kStart{1h};

SocketAddress ipv4(std::uint8_t network, std::uint8_t host, std::uint16_t port) {
  return SocketAddress::ipv4({10, 0, network, host}, port);
}

class PrefixSharesTest : public ::testing::Test {
 protected:
  void add(std::uint32_t slot, const SocketAddress& remote, Duration heard) {
    heard_[slot] = kStart + heard;
    shares_.add(slot, remote, kStart + heard);
  }
  std::optional<std::uint32_t> victim(const SocketAddress& remote) {
    return shares_.victim(remote, [this](std::uint32_t slot) { return heard_.at(slot); });
  }

  DeterministicRandom random_{1};
  PrefixShares shares_{HashKey(random_), 0};
  std::map<std::uint32_t, Instant> heard_;
};

TEST_F(PrefixSharesTest, TheLongestIdleConnectionOfTheLargestHostGivesWay) {
  add(0, ipv4(1, 1, 1), 5s);
  add(1, ipv4(1, 1, 2), 3s);
  add(2, ipv4(1, 1, 3), 4s);
  add(3, ipv4(1, 2, 1), 1s);
  add(4, ipv4(2, 1, 1), 0s);
  EXPECT_EQ(victim(ipv4(3, 1, 1)), 1U);
  // It is heard again, and another one is idle for longer.
  heard_[1] = kStart + 9s;
  EXPECT_EQ(victim(ipv4(3, 1, 1)), 2U);
  shares_.remove(2);
  EXPECT_EQ(victim(ipv4(3, 1, 1)), 0U);
}

TEST_F(PrefixSharesTest, NobodyGivesWayToANewcomerWhoseShareIsAsLarge) {
  for (std::uint32_t i = 0; i < 50; ++i) add(i, ipv4(static_cast<std::uint8_t>(i), 1, 1), 0s);
  EXPECT_EQ(victim(ipv4(200, 1, 1)), std::nullopt);
  // A host does not push out its own connections by opening more.
  for (std::uint32_t i = 50; i < 100; ++i) add(i, ipv4(100, 1, static_cast<std::uint16_t>(i)), 0s);
  EXPECT_EQ(victim(ipv4(100, 1, 999)), std::nullopt);
  // But another host of its network, and everybody else, do.
  EXPECT_TRUE(victim(ipv4(100, 2, 1)));
  EXPECT_TRUE(victim(ipv4(200, 1, 1)));
}

TEST_F(PrefixSharesTest, AHostFindsItsOwnSilentConnectionAndNoOther) {
  add(0, ipv4(1, 1, 1), 1s);
  add(1, ipv4(1, 1, 2), 5s);
  add(2, ipv4(2, 1, 1), 0s);
  const auto silent = [this](const SocketAddress& remote, Duration since) {
    return shares_.silent_one(remote, kStart + since, [this](std::uint32_t slot) { return heard_.at(slot); });
  };
  EXPECT_EQ(silent(ipv4(1, 1, 9), 3s), 0U);
  EXPECT_EQ(silent(ipv4(1, 1, 9), 500ms), std::nullopt);
  EXPECT_EQ(silent(ipv4(3, 1, 1), 100s), std::nullopt) << "it has none";
  heard_[0] = kStart + 8s;
  EXPECT_EQ(silent(ipv4(1, 1, 9), 3s), std::nullopt);
  EXPECT_EQ(silent(ipv4(1, 1, 9), 6s), 1U);
}

TEST_F(PrefixSharesTest, AnIpv6NetworkCountsAsOneHoweverManySubnetsItUses) {
  const auto ipv6 = [](std::uint8_t network, std::uint8_t subnet) {
    return SocketAddress::ipv6({0x20, 1, 0xd, 0xb8, 0, network, 0, subnet, 1}, 7);
  };
  for (std::uint8_t subnet = 0; subnet < 40; ++subnet) add(subnet, ipv6(1, subnet), Duration{1s} * (40 - subnet));
  add(40, ipv6(2, 0), 0s);
  const auto chosen = victim(ipv6(3, 0));
  ASSERT_TRUE(chosen);
  EXPECT_LT(*chosen, 40U);
}

// With accounts from the first connection on, from a number that is passed again and again, and on request alone.
class AccountsFrom : public PrefixSharesTest, public ::testing::WithParamInterface<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(PrefixShares, AccountsFrom, ::testing::Values(0, 150, 1'000'000));

TEST_P(AccountsFrom, AgreesWithAModelUnderRandomOperations) {
  shares_ = PrefixShares(HashKey(random_), GetParam());
  std::map<std::uint32_t, SocketAddress> model;
  for (int step = 0; step < 20'000; ++step) {
    // Nearly all go at times.
    if (step % 5'000 == 4'999) {
      for (std::uint32_t slot = 5; slot < 300; ++slot) shares_.remove(slot);
      std::erase_if(model, [](const auto& entry) { return entry.first >= 5; });
    }
    const auto slot = static_cast<std::uint32_t>(random_.below(300));
    if (model.contains(slot)) {
      shares_.remove(slot);
      model.erase(slot);
    } else {
      const SocketAddress remote = ipv4(static_cast<std::uint8_t>(random_.below(5)),
                                        static_cast<std::uint8_t>(random_.below(4)), static_cast<std::uint16_t>(slot));
      add(slot, remote, Duration{static_cast<Duration::rep>(random_.below(1000))});
      model.emplace(slot, remote);
    }
    ASSERT_EQ(shares_.size(), model.size());
    if (shares_.size() >= GetParam()) {
      const SocketAddress host = ipv4(2, 2, 7);
      EXPECT_EQ(shares_.of_host(host), std::ranges::count_if(model, [&](const auto& entry) {
                  return entry.second.prefix() == host.prefix();
                }));
    }
    if (step % 50 != 0) continue;
    std::map<SocketAddress, std::size_t> networks;
    for (const auto& [unused, remote] : model) ++networks[remote.network()];
    std::size_t most = 0;
    for (const auto& [unused, count] : networks) most = std::max(most, count);
    const auto chosen = victim(ipv4(99, 1, 1));
    ASSERT_EQ(chosen.has_value(), most > 1);
    if (!chosen) continue;
    EXPECT_EQ(networks[model.at(*chosen).network()], most);
    for (const auto& [other, remote] : model) {
      if (remote.prefix() != model.at(*chosen).prefix()) continue;
      EXPECT_LE(heard_[*chosen], heard_[other]);
    }
  }
}

}  // namespace
}  // namespace godwit::prefix_shares_test
