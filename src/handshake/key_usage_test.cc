#include "handshake/key_usage.h"

#include <gtest/gtest.h>

namespace godwit {
namespace {

TEST(KeyUsage, CountsAKeyValueAcrossSessions) {
  DeterministicRandom random(1);
  KeyUsage usage(random);
  const SymmetricKey key = SymmetricKey::generate(random);
  EXPECT_EQ(usage.packets_sealed(key), 0u);
  usage.record(key, 100);
  EXPECT_EQ(usage.packets_sealed(SymmetricKey(key.bytes())), 100u);
  usage.record(key, 250);
  EXPECT_EQ(usage.packets_sealed(key), 250u);
}

TEST(KeyUsage, NeverCountsDown) {
  DeterministicRandom random(2);
  KeyUsage usage(random);
  const SymmetricKey key = SymmetricKey::generate(random);
  usage.record(key, 250);
  usage.record(key, 100);
  EXPECT_EQ(usage.packets_sealed(key), 250u);
}

TEST(KeyUsage, ForgetsTheKeyLeastRecentlyRecorded) {
  DeterministicRandom random(3);
  KeyUsage usage(random, 2);
  const SymmetricKey a = SymmetricKey::generate(random);
  const SymmetricKey b = SymmetricKey::generate(random);
  const SymmetricKey c = SymmetricKey::generate(random);
  usage.record(a, 1);
  usage.record(b, 2);
  usage.record(a, 3);
  usage.record(c, 4);
  EXPECT_EQ(usage.packets_sealed(a), 3u);
  EXPECT_EQ(usage.packets_sealed(b), 0u);
  EXPECT_EQ(usage.packets_sealed(c), 4u);
}

}  // namespace
}  // namespace godwit
