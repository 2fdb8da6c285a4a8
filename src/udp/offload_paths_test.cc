#include "udp/offload_paths.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace godwit {
namespace {

SocketAddress path(std::uint32_t number) {
  return SocketAddress::ipv4({10, static_cast<std::uint8_t>(number >> 16), static_cast<std::uint8_t>(number >> 8),
                              static_cast<std::uint8_t>(number)},
                             1);
}

TEST(OffloadPaths, RefusesOnlyThePathThatRefused) {
  OffloadPaths paths(0);
  EXPECT_TRUE(paths.admits(path(1)));
  paths.refuse(path(1), EIO);
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(paths.admits(path(1)));
  EXPECT_FALSE(paths.admits_rest(path(1)));
  EXPECT_TRUE(paths.admits(path(2)));
  EXPECT_TRUE(paths.admits_rest(path(2)));
  paths.forgive(path(1));
  EXPECT_TRUE(paths.admits(path(1)));
}

TEST(OffloadPaths, AdmitsAPathAgainAfterItsBatches) {
  OffloadPaths paths(3);
  paths.refuse(path(1), EINVAL);
  EXPECT_FALSE(paths.admits(path(1)));
  EXPECT_FALSE(paths.admits(path(1)));
  EXPECT_TRUE(paths.admits(path(1)));
  EXPECT_EQ(paths.size(), 0U);
}

TEST(OffloadPaths, AFullDeviceQueueIsForgottenSooner) {
  OffloadPaths paths(1'000'000);
  paths.refuse(path(1), ENOBUFS);
  std::uint32_t refused = 0;
  while (!paths.admits(path(1))) ++refused;
  EXPECT_EQ(refused + 1, OffloadPaths::kShortRetryBatches);
}

TEST(OffloadPaths, NeverRemembersMoreThanItsBound) {
  OffloadPaths paths(0);
  for (std::uint32_t i = 0; i < OffloadPaths::kMaxPaths + 10; ++i) {
    paths.refuse(path(i), EIO);
    ASSERT_LE(paths.size(), OffloadPaths::kMaxPaths);
  }
  EXPECT_EQ(paths.size(), 10U);
}

}  // namespace
}  // namespace godwit
