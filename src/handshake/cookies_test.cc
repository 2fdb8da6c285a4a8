#include "handshake/cookies.h"

#include <gtest/gtest.h>

#include "handshake/cookie_jar.h"

namespace godwit::cookies_test {
namespace {

constexpr std::uint64_t kNow = 1'700'000'000'000;

TEST(Cookies, AreKnownForADayByWhoeverHasTheStaticKeyAndByNobodyElse) {
  DeterministicRandom random(1);
  const KeyPair self = *KeyPair::generate(random);
  const wire::Cookie cookie = Cookies(self).issue(kNow, random);
  // As after a restart.
  const Cookies again(self);
  EXPECT_TRUE(again.valid(cookie, kNow));
  EXPECT_TRUE(again.valid(cookie, kNow + Cookies::kLifetimeMs));
  EXPECT_FALSE(again.valid(cookie, kNow + Cookies::kLifetimeMs + 1));
  EXPECT_FALSE(again.valid(cookie, kNow - 1)) << "from the future";
  EXPECT_FALSE(Cookies(*KeyPair::generate(random)).valid(cookie, kNow));
}

TEST(Cookies, AreRefusedWhereverOneBitDiffers) {
  DeterministicRandom random(2);
  const Cookies cookies(*KeyPair::generate(random));
  const wire::Cookie cookie = cookies.issue(kNow, random);
  for (std::size_t bit = 0; bit < 8 * cookie.size(); ++bit) {
    wire::Cookie changed = cookie;
    changed[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_FALSE(cookies.valid(changed, kNow + 1000)) << bit;
  }
  EXPECT_NE(cookies.issue(kNow, random), cookie) << "each is another one";
}

TEST(CookieJar, KeepsTheLatestOfEachPeerAndForgetsTheOldestPeer) {
  DeterministicRandom random(3);
  CookieJar jar(3);
  std::vector<PublicKey> peers;
  for (std::uint8_t i = 0; i < 4; ++i) {
    peers.push_back(KeyPair::generate(random)->public_key());
    jar.keep(peers.back(), {i});
  }
  EXPECT_EQ(jar.size(), 3U);
  EXPECT_FALSE(jar.find(peers[0]));
  for (std::uint8_t i = 1; i < 4; ++i) EXPECT_EQ(jar.find(peers[i]), wire::Cookie{i});
  jar.keep(peers[2], {9});
  EXPECT_EQ(jar.find(peers[2]), wire::Cookie{9});
  EXPECT_EQ(jar.size(), 3U);
  CookieJar none(0);
  none.keep(peers[0], {1});
  EXPECT_FALSE(none.find(peers[0]));
}

}  // namespace
}  // namespace godwit::cookies_test
