#include "measure/process_cpu_time.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "measure/fake_files.h"

namespace godwit::measure {
namespace {

TEST(ProcessCpuTime, ReadsAnotherProcessEvenWithAHostileName) {
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

TEST(ProcessCpuTime, AgreesWithItselfThroughProc) {
  const std::optional<CpuUsage> through_proc = cpu_usage_of(::getpid());
  ASSERT_TRUE(through_proc.has_value());
  EXPECT_LE(through_proc->total(), cpu_usage_of_this_process().total() + 1ms);
}

}  // namespace
}  // namespace godwit::measure
