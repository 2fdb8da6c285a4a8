#include "udp/kernel_version.h"

#include <gtest/gtest.h>

namespace godwit {
namespace {

TEST(KernelVersion, ReadsTheBeginningOfARelease) {
  EXPECT_EQ(KernelVersion::parse("6.18.44-fc-v509"), (KernelVersion{6, 18, 44}));
  EXPECT_EQ(KernelVersion::parse("7.0.2-6-pve"), (KernelVersion{7, 0, 2}));
  EXPECT_EQ(KernelVersion::parse("7.1"), (KernelVersion{7, 1, 0}));
  EXPECT_EQ(KernelVersion::parse("7.0-rc1"), (KernelVersion{7, 0, 0}));
  EXPECT_EQ(KernelVersion::parse("5.10.0+"), (KernelVersion{5, 10, 0}));
}

TEST(KernelVersion, RejectsWhatIsNoRelease) {
  for (const char* text : {"", "6", "6.", "six.one", ".1", "-1.2"}) EXPECT_FALSE(KernelVersion::parse(text)) << text;
}

TEST(KernelVersion, KnowsTheRunningKernel) {
  EXPECT_GT(KernelVersion::running(), (KernelVersion{2, 6, 0}));
}

TEST(KernelVersion, TheDefectOfSegmentationOffloadLastedFrom70To714) {
  EXPECT_FALSE(has_segmentation_defect({6, 19, 99}));
  EXPECT_TRUE(has_segmentation_defect({7, 0, 0}));
  EXPECT_TRUE(has_segmentation_defect({7, 0, 30}));
  EXPECT_TRUE(has_segmentation_defect({7, 1, 4}));
  EXPECT_FALSE(has_segmentation_defect({7, 1, 5}));
  EXPECT_FALSE(has_segmentation_defect({7, 2, 0}));
}

}  // namespace
}  // namespace godwit
