#include "support/cpu_time.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/json.h"

namespace godwit::measure {
namespace {

TEST(CpuTime, GrowsWithWork) {
  const CpuUsage before = cpu_usage_of_this_thread();
  volatile std::uint64_t sink = 0;
  while ((cpu_usage_of_this_thread() - before).total() < 1ms) {
    for (int i = 0; i < 10000; ++i) sink = sink + 1;
  }
  EXPECT_GE((cpu_usage_of_this_process() - CpuUsage{}).total(), 1ms);
}

TEST(CpuTime, AddsBothEndsOfATransfer) {
  const CpuUsage sum = CpuUsage{.user = 1s, .voluntary_switches = 2, .largest_resident_bytes = 10} +
                       CpuUsage{.system = 2s, .voluntary_switches = 3, .largest_resident_bytes = 7};
  EXPECT_EQ(sum.total(), 3s);
  EXPECT_EQ(sum.voluntary_switches, 5U);
  EXPECT_EQ(sum.largest_resident_bytes, 10U);
}

TEST(CpuTime, SurvivesJson) {
  const CpuUsage usage{.user = 1500ms, .system = 250ms, .voluntary_switches = 3, .minor_faults = 4};
  std::vector<std::string> problems;
  const Json json = to_json(usage);
  const CpuUsage again = cpu_usage_from_json(JsonReader(json, "cpu", problems));
  EXPECT_THAT(problems, ::testing::IsEmpty());
  EXPECT_EQ(again.total(), usage.total());
  EXPECT_EQ(again.minor_faults, 4U);
}

}  // namespace
}  // namespace godwit::measure
