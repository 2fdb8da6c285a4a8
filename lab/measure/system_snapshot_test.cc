#include "measure/system_snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "measure/fake_files.h"
#include "support/json.h"

namespace godwit::measure {
namespace {

void write_counters(FakeFiles& fake, const std::string& received, const std::string& dropped,
                    const std::string& steal) {
  fake.write("/proc/net/snmp",
             "Ip: Forwarding\nIp: 1\n"
             "Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti\n"
             "Udp: " +
                 received + " 2 3 4 " + dropped + " 6 7 0\nUdpLite: InDatagrams\nUdpLite: 99\n");
  fake.write("/proc/net/snmp6", "Udp6InDatagrams \t5\nUdp6RcvbufErrors \t1\nUdpLite6InDatagrams 77\n");
  fake.write("/proc/stat", "cpu  100 0 50 800 10 0 20 " + steal + " 0 0\ncpu0 1 1 1 1 1 1 1 1 1 1\nctxt 1234\n");
}

TEST(SystemSnapshot, AddsBothFamiliesAndTakesDifferences) {
  FakeFiles fake;
  write_counters(fake, "1000", "10", "5");
  const SystemSnapshot before = take_system_snapshot(fake.files());
  EXPECT_EQ(before.udp.datagrams_in, 1005U);
  EXPECT_EQ(before.udp.receive_buffer_errors, 11U);
  EXPECT_EQ(before.context_switches, 1234U);
  write_counters(fake, "1500", "13", "25");
  const SystemSnapshot difference = take_system_snapshot(fake.files()) - before;
  EXPECT_EQ(difference.udp.datagrams_in, 500U);
  EXPECT_EQ(difference.udp.receive_buffer_errors, 3U);
  EXPECT_EQ(difference.steal, 20U);
  EXPECT_DOUBLE_EQ(steal_share(difference), 1.0);
  EXPECT_TRUE(difference.udp_known);
}

TEST(SystemSnapshot, KnowsWhatItCouldNotRead) {
  FakeFiles fake;
  const SystemSnapshot snapshot = take_system_snapshot(fake.files());
  EXPECT_FALSE(snapshot.udp_known);
  EXPECT_FALSE(snapshot.processor_known);
  EXPECT_EQ(snapshot.hottest_celsius, std::nullopt);
  EXPECT_TRUE(to_json(snapshot)["udp"].is_null());
}

TEST(SystemSnapshot, ReadsThrottlingAndTemperature) {
  FakeFiles fake;
  fake.write("/sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "3");
  fake.write("/sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count", "4");
  fake.write("/sys/devices/system/cpu/cpufreq/x", "");
  fake.write("/sys/class/thermal/thermal_zone0/temp", "45500");
  fake.write("/sys/class/thermal/thermal_zone1/temp", "61250");
  fake.write("/proc/self/cgroup", "0::/bench\n");
  fake.write("/sys/fs/cgroup/bench/cpu.stat", "usage_usec 10\nnr_throttled 9\n");
  fake.write("/proc/net/softnet_stat", "00000010 0000000a 00000000\n00000001 00000001 00000000\n");
  const SystemSnapshot snapshot = take_system_snapshot(fake.files());
  EXPECT_EQ(snapshot.thermal_throttles, 7U);
  EXPECT_EQ(snapshot.group_throttles, 9U);
  EXPECT_EQ(snapshot.backlog_dropped, 11U);
  EXPECT_EQ(snapshot.hottest_celsius, 61.25);
}

TEST(SystemSnapshot, SurvivesJson) {
  FakeFiles fake;
  write_counters(fake, "1000", "10", "5");
  const SystemSnapshot snapshot = take_system_snapshot(fake.files());
  std::vector<std::string> problems;
  const Json json = to_json(snapshot);
  const SystemSnapshot again = system_snapshot_from_json(JsonReader(json, "system", problems));
  EXPECT_THAT(problems, ::testing::IsEmpty());
  EXPECT_EQ(again.udp.datagrams_in, 1005U);
  EXPECT_EQ(again.steal, 5U);
  EXPECT_TRUE(again.processor_known);
}

TEST(SystemSnapshot, ReadsThisMachine) {
  const SystemSnapshot snapshot = take_system_snapshot();
  EXPECT_TRUE(snapshot.processor_known);
  EXPECT_GT(snapshot.context_switches, 0U);
}

}  // namespace
}  // namespace godwit::measure
