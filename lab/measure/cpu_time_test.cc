#include "measure/cpu_time.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "measure/fake_files.h"
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

TEST(CpuTime, ReadsAnotherProcessEvenWithAHostileName) {
  FakeFiles fake;
  fake.write("/proc/7/stat", "7 (a) b) R 1 7 7 0 -1 4194304 11 0 2 0 250 150 0 0 20 0 1 0 100 1000 10\n");
  fake.write("/proc/7/status",
             "Name:\tx\nVmHWM:\t    64 kB\nvoluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t6\n");
  const std::optional<CpuUsage> usage = cpu_usage_of(7, fake.files());
  ASSERT_TRUE(usage.has_value());
  EXPECT_EQ(usage->user, 2500ms);
  EXPECT_EQ(usage->system, 1500ms);
  EXPECT_EQ(usage->minor_faults, 11U);
  EXPECT_EQ(usage->major_faults, 2U);
  EXPECT_EQ(usage->voluntary_switches, 5U);
  EXPECT_EQ(usage->involuntary_switches, 6U);
  EXPECT_EQ(usage->largest_resident_bytes, 65536U);
  EXPECT_FALSE(cpu_usage_of(8, fake.files()).has_value());
}

TEST(CpuTime, AgreesWithItselfThroughProc) {
  const std::optional<CpuUsage> through_proc = cpu_usage_of(::getpid());
  ASSERT_TRUE(through_proc.has_value());
  EXPECT_LE(through_proc->total(), cpu_usage_of_this_process().total() + 1ms);
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
