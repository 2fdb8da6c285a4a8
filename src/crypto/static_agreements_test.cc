#include "crypto/static_agreements.h"

#include <gtest/gtest.h>

namespace godwit::static_agreements_test {
namespace {

PublicKey key_of(std::uint8_t number) {
  return PublicKey(std::array<std::uint8_t, kPublicKeySize>{number, 1});
}

Secret secret_of(std::uint8_t number) {
  return Secret(std::array<std::uint8_t, kHashSize>{number, 2});
}

TEST(StaticAgreementsTest, FindsWhatWasKept) {
  StaticAgreements table(16, HashKey(1, 2));
  Secret shared = secret_of(9);
  EXPECT_FALSE(table.find(key_of(1), shared));
  EXPECT_EQ(shared.bytes, secret_of(9).bytes);
  table.keep(key_of(1), secret_of(1));
  table.keep(key_of(2), secret_of(2));
  ASSERT_TRUE(table.find(key_of(1), shared));
  EXPECT_EQ(shared.bytes, secret_of(1).bytes);
  ASSERT_TRUE(table.find(key_of(2), shared));
  EXPECT_EQ(shared.bytes, secret_of(2).bytes);
  EXPECT_EQ(table.found(), 2u);
}

TEST(StaticAgreementsTest, AnEmptyPlaceIsNobodysAgreement) {
  StaticAgreements table(4, HashKey(1, 2));
  table.keep(key_of(1), secret_of(1));
  Secret shared;
  EXPECT_FALSE(table.find(PublicKey(), shared));
}

TEST(StaticAgreementsTest, OfPeersThatShareAPlaceTheLongestUnusedGoes) {
  StaticAgreements table(StaticAgreements::kWays, HashKey(1, 2));
  for (std::uint8_t i = 0; i < StaticAgreements::kWays; ++i) table.keep(key_of(i), secret_of(i));
  Secret shared;
  ASSERT_TRUE(table.find(key_of(0), shared));
  table.keep(key_of(99), secret_of(99));
  EXPECT_FALSE(table.find(key_of(1), shared));
  for (const std::uint8_t left : {std::uint8_t{0}, std::uint8_t{2}, std::uint8_t{3}, std::uint8_t{99}}) {
    ASSERT_TRUE(table.find(key_of(left), shared)) << int{left};
    EXPECT_EQ(shared.bytes, secret_of(left).bytes);
  }
}

TEST(StaticAgreementsTest, HoldsNoMoreThanItsEntries) {
  StaticAgreements table(10, HashKey(3, 4));
  EXPECT_EQ(table.memory_bytes(), 0u);
  table.keep(key_of(0), secret_of(0));
  const std::size_t bytes = table.memory_bytes();
  for (int i = 0; i < 256; ++i) table.keep(key_of(static_cast<std::uint8_t>(i)), secret_of(1));
  EXPECT_EQ(table.memory_bytes(), bytes);
  EXPECT_LE(bytes, 12u * 72u);
}

TEST(StaticAgreementsTest, NoEntriesKeepNothing) {
  StaticAgreements table(0, HashKey(1, 2));
  table.keep(key_of(1), secret_of(1));
  Secret shared;
  EXPECT_FALSE(table.find(key_of(1), shared));
  EXPECT_EQ(table.memory_bytes(), 0u);
}

}  // namespace
}  // namespace godwit::static_agreements_test
