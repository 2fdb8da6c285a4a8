#include "measure/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "measure/environment_checks.h"
#include "measure/fake_files.h"
#include "support/json.h"

namespace godwit::measure {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kCpu[] = "/sys/devices/system/cpu/";

// A quiet machine of one's own, set up as for measuring.
void write_good_machine(FakeFiles& fake) {
  const std::string cpu = kCpu;
  fake.write("/proc/cpuinfo",
             "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Fast\nmicrocode\t: 0x1\n"
             "flags\t\t: aes pclmulqdq vaes vpclmulqdq avx512f constant_tsc nonstop_tsc\n");
  fake.write(cpu + "online", "0-7");
  fake.write(cpu + "smt/active", "0");
  fake.write(cpu + "cpufreq/policy0/scaling_governor", "performance");
  fake.write(cpu + "cpufreq/policy0/scaling_min_freq", "3000000");
  fake.write(cpu + "cpufreq/policy0/scaling_max_freq", "3000000");
  fake.write(cpu + "cpufreq/boost", "0");
  fake.write(cpu + "isolated", "4-7");
  fake.write(cpu + "cpuidle/current_driver", "intel_idle");
  fake.write(cpu + "cpu0/cpuidle/state1/latency", "2");
  fake.write(cpu + "cpu0/thermal_throttle/core_throttle_count", "0");
  fake.write(cpu + "vulnerabilities/meltdown", "Not affected");
  fake.write("/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc");
  fake.write("/sys/devices/system/node/node0/x", "");
  fake.write("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never");
  fake.write("/proc/meminfo", "MemTotal: 16000000 kB\nMemAvailable: 12000000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n");
  fake.write("/proc/sys/kernel/osrelease", "6.12.1");
  fake.write("/proc/sys/kernel/randomize_va_space", "0");
  fake.write("/proc/self/cgroup", "0::/\n");
  fake.write("/proc/self/status", "Name: x\nTracerPid:\t0\n");
  fake.write("/proc/loadavg", "0.01 0.02 0.03 1/100 4242\n");
  fake.write("/proc/stat", "cpu 100 0 0 900 0 0 0 0 0 0\nctxt 5\n");
  fake.write("/proc/interrupts", "  CPU0 CPU1\n 24: 30 70 IR-PCI eth0\nLOC: 9 9 Local timer\n");
  fake.write("/proc/net/snmp", "Udp: InDatagrams RcvbufErrors\nUdp: 5 0\n");
  fake.write("/proc/sys/net/core/netdev_max_backlog", "1000");
}

EnvironmentOptions options_of(const FakeFiles& fake) {
  EnvironmentOptions options;
  options.files = fake.files();
  options.watch = Duration::zero();
  options.build = BuildFacts{.commit = "abc",
                             .commit_known = true,
                             .compiler = "g++",
                             .flags = "-O2",
                             .build_type = "Release",
                             .optimised = true,
                             .instruction_set = "x86-64"};
  return options;
}

// The finding after one file was changed on the good machine.
Finding finding_with(const std::string& name, const std::string& path, const std::string& content) {
  FakeFiles fake;
  write_good_machine(fake);
  fake.write(path, content);
  const EnvironmentReport report = examine_environment(options_of(fake));
  const Finding* finding = report.find(name);
  return finding != nullptr ? *finding : Finding{.name = "missing " + name};
}

TEST(Environment, AGoodMachineHasNoComplaintBesideWhatCannotBeProbed) {
  FakeFiles fake;
  write_good_machine(fake);
  const EnvironmentReport report = examine_environment(options_of(fake));
  for (const Finding& finding : report.findings) {
    const bool fine =
        finding.verdict == FindingVerdict::kOk || (finding.verdict == FindingVerdict::kUnknown &&
                                                   (finding.value == kNotProbed || finding.value == "not watched"));
    EXPECT_TRUE(fine) << finding.name << ": " << finding.value << " " << finding.cost;
  }
}

TEST(Environment, KnowsNothingOfAnEmptyMachineAndSaysSo) {
  FakeFiles fake;
  const EnvironmentReport report = examine_environment(options_of(fake));
  for (const char* name : {"cpu.model", "cpu.governor", "cpu.turbo", "cpu.smt", "clock.source", "memory.available",
                           "kernel.version", "load.average", "load.steal", "network.udp_drops"}) {
    ASSERT_NE(report.find(name), nullptr) << name;
    EXPECT_EQ(report.find(name)->verdict, FindingVerdict::kUnknown) << name;
  }
  EXPECT_NE(report.exit_code(), 0);
}

TEST(Environment, ReportsEveryFindingOnceHoweverBadTheMachineIs) {
  FakeFiles good;
  write_good_machine(good);
  FakeFiles bad;
  write_good_machine(bad);
  bad.write(std::string(kCpu) + "online", "0");
  bad.write("/proc/sys/kernel/osrelease", "7.1.2");
  bad.write("/proc/self/status", "TracerPid:\t99\n");
  EnvironmentOptions broken = options_of(bad);
  broken.build.optimised = false;
  broken.build.sanitizers = "address";
  const EnvironmentReport of_good = examine_environment(options_of(good));
  const EnvironmentReport of_bad = examine_environment(broken);
  std::set<std::string> names;
  for (const Finding& finding : of_bad.findings) {
    EXPECT_TRUE(names.insert(finding.name).second) << finding.name;
  }
  EXPECT_EQ(of_good.findings.size(), of_bad.findings.size());
  EXPECT_EQ(of_bad.count(FindingVerdict::kInvalid), 5U);
  EXPECT_EQ(of_bad.exit_code(), 2);
}

TEST(Environment, EveryComplaintSaysWhatItCosts) {
  const EnvironmentReport report = examine_environment({.watch = 50ms});
  for (const Finding& finding : report.findings) {
    const bool complaint = finding.verdict == FindingVerdict::kCosts || finding.verdict == FindingVerdict::kInvalid;
    EXPECT_EQ(complaint, !finding.cost.empty()) << finding.name;
    EXPECT_EQ(finding.verdict == FindingVerdict::kInvalid, !finding.levels.empty()) << finding.name;
    EXPECT_FALSE(finding.value.empty()) << finding.name;
  }
}

TEST(Environment, JudgesTheProcessor) {
  const std::string cpu = kCpu;
  EXPECT_EQ(finding_with("cpu.governor", cpu + "cpufreq/policy0/scaling_governor", "powersave").verdict,
            FindingVerdict::kCosts);
  EXPECT_EQ(finding_with("cpu.turbo", cpu + "cpufreq/boost", "1").verdict, FindingVerdict::kCosts);
  EXPECT_EQ(finding_with("cpu.smt", cpu + "smt/active", "1").verdict, FindingVerdict::kCosts);
  EXPECT_EQ(finding_with("cpu.frequency", cpu + "cpufreq/policy0/scaling_min_freq", "800000").value, "800 to 3000 MHz");
  EXPECT_EQ(finding_with("cpu.isolation", cpu + "isolated", "\n").verdict, FindingVerdict::kCosts);
  EXPECT_EQ(finding_with("cpu.idle_states", cpu + "cpu0/cpuidle/state2/latency", "170").verdict,
            FindingVerdict::kCosts);
  EXPECT_EQ(finding_with("cpu.throttling", cpu + "cpu0/thermal_throttle/core_throttle_count", "3").verdict,
            FindingVerdict::kCosts);
  EXPECT_EQ(finding_with("cpu.mitigations", cpu + "vulnerabilities/spectre_v2", "Mitigation: Retpolines").value,
            "spectre_v2");
  EXPECT_EQ(finding_with("cpu.power", "/sys/class/power_supply/BAT0/status", "Discharging").verdict,
            FindingVerdict::kCosts);
  const Finding single = finding_with("cpu.count", cpu + "online", "0");
  EXPECT_EQ(single.verdict, FindingVerdict::kInvalid);
  EXPECT_THAT(single.levels, ElementsAre(2, 3));
}

TEST(Environment, JudgesTheCipherInstructions) {
  const auto verdict = [](const std::string& flags) {
    return finding_with("cpu.cipher_support", "/proc/cpuinfo", "model name : x\nflags : " + flags + "\n");
  };
  EXPECT_EQ(verdict("sse2").value, "no AES or carry-less multiplication");
  EXPECT_EQ(verdict("aes pclmulqdq").value, "AES-NI without VAES");
  EXPECT_EQ(verdict("aes pclmulqdq vaes vpclmulqdq avx2").value, "VAES without AVX-512");
  EXPECT_EQ(verdict("aes pclmulqdq vaes vpclmulqdq avx512f").verdict, FindingVerdict::kOk);
}

TEST(Environment, SaysWhereInterruptsGo) {
  const Finding finding = finding_with("cpu.interrupts", "/proc/77/comm", "irqbalance\n");
  EXPECT_EQ(finding.verdict, FindingVerdict::kCosts);
  EXPECT_EQ(finding.value, "devices interrupt processor 0 with 30 %, processor 1 with 70 %; irqbalance moves them");
}

TEST(Environment, SeesAGuest) {
  const Finding guest = finding_with("cpu.virtualization", "/proc/cpuinfo", "model name : x\nflags : hypervisor aes\n");
  EXPECT_EQ(guest.verdict, FindingVerdict::kCosts);
  EXPECT_EQ(guest.value, "hypervisor");
}

TEST(Environment, JudgesClockAndMemory) {
  EXPECT_EQ(
      finding_with("clock.source", "/sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet").verdict,
      FindingVerdict::kCosts);
  EXPECT_EQ(finding_with("memory.huge_pages", "/sys/kernel/mm/transparent_hugepage/enabled", "[always] never").verdict,
            FindingVerdict::kCosts);
  EXPECT_EQ(finding_with("memory.available", "/proc/meminfo", "MemTotal: 900000 kB\nMemAvailable: 90000 kB\n").verdict,
            FindingVerdict::kInvalid);
  EXPECT_EQ(finding_with("memory.swap", "/proc/meminfo", "SwapTotal: 2048 kB\nSwapFree: 1024 kB\n").verdict,
            FindingVerdict::kCosts);
  EXPECT_EQ(finding_with("memory.nodes", "/sys/devices/system/node/node1/x", "").value, "2 nodes");
}

TEST(Environment, RefusesTheKernelsThatDamageOffload) {
  const Finding defect = finding_with("kernel.version", "/proc/sys/kernel/osrelease", "7.0.3-generic");
  EXPECT_EQ(defect.verdict, FindingVerdict::kInvalid);
  EXPECT_EQ(finding_with("kernel.version", "/proc/sys/kernel/osrelease", "7.1.5").verdict, FindingVerdict::kOk);
  EXPECT_EQ(finding_with("kernel.version", "/proc/sys/kernel/osrelease", "strange").verdict, FindingVerdict::kUnknown);
}

TEST(Environment, FindsProcessorLimitsOfBothKindsOfControlGroup) {
  FakeFiles fake;
  write_good_machine(fake);
  fake.write("/proc/self/cgroup", "0::/box\n");
  fake.write("/sys/fs/cgroup/box/cpu.max", "150000 100000");
  const EnvironmentReport second = examine_environment(options_of(fake));
  EXPECT_EQ(second.find("kernel.cpu_limit")->value, "1.5 processors");
  EXPECT_THAT(second.find("kernel.cpu_limit")->levels, ElementsAre(0, 1, 2, 3));
  fake.write("/proc/self/cgroup", "4:cpu,cpuacct:/old\n");
  fake.write("/sys/fs/cgroup/cpu/old/cpu.cfs_quota_us", "50000");
  fake.write("/sys/fs/cgroup/cpu/old/cpu.cfs_period_us", "100000");
  EXPECT_EQ(examine_environment(options_of(fake)).find("kernel.cpu_limit")->value, "0.5 processors");
}

TEST(Environment, JudgesTheBuild) {
  FakeFiles fake;
  write_good_machine(fake);
  EnvironmentOptions options = options_of(fake);
  options.build.optimised = false;
  options.build.dirty = true;
  const EnvironmentReport report = examine_environment(options);
  EXPECT_EQ(report.find("build.type")->verdict, FindingVerdict::kInvalid);
  EXPECT_EQ(report.find("build.commit")->verdict, FindingVerdict::kCosts);
  for (int level = 0; level < kLevels; ++level) EXPECT_FALSE(report.fit_for(level));
}

TEST(Environment, ExaminesThisMachineToTheEnd) {
  const EnvironmentReport report = examine_environment({.watch = 20ms});
  for (const char* name :
       {"cpu.model", "clock.counter", "memory.page_size", "kernel.counters", "load.processes", "network.receive_buffer",
        "network.gso", "network.io_uring", "network.filter_rules", "build.commit"}) {
    EXPECT_NE(report.find(name), nullptr) << name;
  }
}

TEST(Environment, DoctorsJsonNamesItsSchema) {
  FakeFiles fake;
  write_good_machine(fake);
  const Json json = doctor_json(examine_environment(options_of(fake)), take_fingerprint("", {}, fake.files()));
  EXPECT_EQ(json["schema"], "godwit-doctor");
  EXPECT_EQ(json["schema_version"], 2);
  std::vector<std::string> problems;
  JsonReader reader(json, "", problems);
  static_cast<void>(environment_report_from_json(reader.object("environment")));
  static_cast<void>(fingerprint_from_json(reader.object("fingerprint")));
  EXPECT_THAT(problems, IsEmpty());
}

TEST(RunFindings, AQuietRunHasNothingToReport) {
  SystemSnapshot difference;
  difference.udp_known = difference.processor_known = true;
  difference.busy = 100;
  for (const Finding& finding : run_findings(difference)) {
    EXPECT_EQ(finding.verdict, FindingVerdict::kOk) << finding.name;
  }
}

TEST(RunFindings, DropsAndStealInvalidateWhatWasMeasured) {
  SystemSnapshot difference;
  difference.udp_known = difference.processor_known = true;
  difference.udp.receive_buffer_errors = 12;
  difference.busy = 90;
  difference.steal = 10;
  difference.group_throttles = 1;
  difference.kernel_messages = 2;
  const EnvironmentReport report{run_findings(difference)};
  EXPECT_THAT(report.reasons_against(2),
              ElementsAre("run.udp_drops: 12 datagrams dropped at receive buffers",
                          "run.steal: 10.0 % of processor time", "run.group_throttling: 1 times"));
  EXPECT_THAT(report.reasons_against(0), ::testing::SizeIs(2));
  EXPECT_EQ(report.find("run.kernel_messages")->verdict, FindingVerdict::kCosts);
}

}  // namespace
}  // namespace godwit::measure
