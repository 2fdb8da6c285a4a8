#include "stream/peer_receive_budget.h"

#include <gtest/gtest.h>

namespace godwit {
namespace {

constexpr Instant kNow{100s};

TEST(PeerReceiveBudget, CountsStreamsAndBytes) {
  PeerReceiveBudget charge{2, 1000};
  EXPECT_TRUE(charge.fits(1000));
  EXPECT_FALSE(charge.fits(1001));
  charge.open(600);
  EXPECT_FALSE(charge.fits(401));
  charge.open(100);
  EXPECT_FALSE(charge.fits(1)) << "two streams are the limit";
  charge.close(600);
  EXPECT_TRUE(charge.fits(900));
  EXPECT_EQ(charge.bytes(), 100U);
}

TEST(PeerReceiveBudget, FitsOneLargestStreamBesideSixteenMebibytes) {
  PeerReceiveBudget charge{wire::kDeployedMaxStreams, wire::kDeployedMaxChargedBytes};
  charge.open(wire::deployed_charge(wire::kMaxStreamBytes));
  EXPECT_TRUE(charge.fits(wire::deployed_charge(12 * 1024 * 1024)));
  EXPECT_FALSE(charge.fits(wire::deployed_charge(17 * 1024 * 1024)));
}

TEST(PeerReceiveBudget, HoldsTheShareOfAStreamGivenUpUntilTheReceiverHasEvictedIt) {
  PeerReceiveBudget charge{2, 1000};
  charge.open(600);
  charge.open(300);
  charge.linger(kNow, 600);
  charge.linger(kNow + 1s, 300);
  EXPECT_EQ(charge.next_expiry(), kNow + PeerReceiveBudget::kLinger);
  charge.expire(kNow + PeerReceiveBudget::kLinger - 1ns);
  EXPECT_EQ(charge.streams(), 2U);
  charge.expire(kNow + PeerReceiveBudget::kLinger);
  EXPECT_EQ(charge.streams(), 1U);
  EXPECT_EQ(charge.bytes(), 300U);
  charge.expire(kNow + PeerReceiveBudget::kLinger + 1s);
  EXPECT_EQ(charge.bytes(), 0U);
  EXPECT_EQ(charge.next_expiry(), std::nullopt);
  EXPECT_GE(PeerReceiveBudget::kLinger, 35s) << "30 s of idling, noticed up to 5 s later (wire spec 6.4)";
}

}  // namespace
}  // namespace godwit
