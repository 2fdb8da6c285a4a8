#include "handshake/intro_seen.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "handshake/handshake_test_support.h"

namespace godwit {
namespace {

using test::Bytes;

class IntroSeenTest : public testing::Test {
 protected:
  test::Party bob_{1};
  DeterministicRandom random_{2};
  wire::Intro intro_{.version = wire::kAnnouncedVersion, .key = SymmetricKey::generate(random_)};
};

TEST_F(IntroSeenTest, OpensWhatWasSealedToTheKey) {
  const Bytes datagram = test::make_intro(random_, bob_.keys.public_key(), intro_);
  ASSERT_EQ(datagram.size(), 73u);
  const auto seen = open_intro_datagram(bob_.keys, datagram);
  ASSERT_TRUE(seen.has_value());
  EXPECT_EQ(seen->intro.version, intro_.version);
  EXPECT_EQ(seen->intro.key, intro_.key);
  EXPECT_EQ(seen->datagram_bytes, 73u);
  EXPECT_EQ(seen->fingerprint, IntroFingerprint::of(datagram));
}

TEST_F(IntroSeenTest, Item5AcceptsLongerPlaintextsAndIgnoresTheExcess) {
  for (const std::size_t extra : {1u, 24u, 1400u, 1427u}) {
    const Bytes datagram = test::make_intro(random_, bob_.keys.public_key(), intro_, extra);
    const auto seen = open_intro_datagram(bob_.keys, datagram);
    ASSERT_TRUE(seen.has_value()) << extra;
    EXPECT_EQ(seen->intro.key, intro_.key);
  }
}

TEST_F(IntroSeenTest, Item6RefusesShortForeignAndDamagedIntros) {
  const Bytes good = test::make_intro(random_, bob_.keys.public_key(), intro_);
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(open_intro_datagram(bob_.keys, ByteView(good).first(size))) << size;
  }
  for (std::size_t at = 0; at < good.size(); ++at) {
    Bytes damaged = good;
    damaged[at] ^= 0x10;
    EXPECT_FALSE(open_intro_datagram(bob_.keys, damaged)) << at;
  }
  const test::Party carol(3);
  EXPECT_FALSE(open_intro_datagram(carol.keys, good));
}

TEST_F(IntroSeenTest, RefusesAnEphemeralKeyOfLowOrder) {
  Bytes datagram = test::make_intro(random_, bob_.keys.public_key(), intro_);
  std::fill(datagram.begin() + 1, datagram.begin() + 33, std::uint8_t{0});
  EXPECT_FALSE(open_intro_datagram(bob_.keys, datagram));
}

TEST_F(IntroSeenTest, FingerprintsTellIntrosApart) {
  const Bytes one = test::make_intro(random_, bob_.keys.public_key(), intro_);
  const Bytes other = test::make_intro(random_, bob_.keys.public_key(), intro_);
  EXPECT_EQ(IntroFingerprint::of(one), IntroFingerprint::of(Bytes(one)));
  EXPECT_NE(IntroFingerprint::of(one), IntroFingerprint::of(other));
}

}  // namespace
}  // namespace godwit
