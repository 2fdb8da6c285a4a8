#include "measure/fingerprint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/source_tree_test_support.h"
#include "measure/fake_files.h"
#include "support/json.h"

namespace godwit::measure {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

void write_machine(FakeFiles& fake) {
  fake.write("/proc/cpuinfo",
             "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 26\nmodel\t\t: 2\nmodel name\t: AMD "
             "EPYC\nstepping\t: 1\n"
             "microcode\t: 0x100\nflags\t\t: fpu aes vaes avx2 constant_tsc sse4_2 zzz\n");
  fake.write("/sys/devices/system/cpu/online", "0-3,6\n");
  fake.write("/sys/devices/system/cpu/smt/active", "1\n");
  fake.write("/sys/devices/system/cpu/cpufreq/policy0/scaling_governor", "performance\n");
  fake.write("/sys/devices/system/cpu/cpufreq/policy1/scaling_governor", "powersave\n");
  fake.write("/sys/devices/system/cpu/intel_pstate/no_turbo", "1\n");
  fake.write("/proc/meminfo", "MemTotal:       4096 kB\nMemFree: 1 kB\n");
  fake.write("/proc/sys/kernel/osrelease", "6.1.0-test\n");
  fake.write("/etc/os-release", "NAME=x\nPRETTY_NAME=\"Debian 12\"\n");
}

Fingerprint fake_fingerprint() {
  FakeFiles fake;
  write_machine(fake);
  return take_fingerprint("openssl", {{"ipsec-mb", "1.3"}}, fake.files());
}

TEST(Fingerprint, ReadsTheMachine) {
  const Fingerprint f = fake_fingerprint();
  EXPECT_EQ(f.processor, "AMD EPYC");
  EXPECT_EQ(f.processor_id, "AuthenticAMD 26.2.1");
  EXPECT_EQ(f.processors, 5U);
  EXPECT_EQ(f.smt, "on");
  EXPECT_EQ(f.governor, "performance+powersave");
  EXPECT_EQ(f.turbo, "off");
  EXPECT_EQ(f.virtualization, "none");
  EXPECT_EQ(f.memory_bytes, 4U << 20U);
  EXPECT_EQ(f.kernel, "6.1.0-test");
  EXPECT_EQ(f.distribution, "Debian 12");
  EXPECT_THAT(f.features, ElementsAre("aes", "avx2", "constant_tsc", "sse4_2", "vaes"));
  EXPECT_EQ(f.libraries.at("ipsec-mb"), "1.3");
  EXPECT_EQ(f.cipher, "openssl");
}

TEST(Fingerprint, SaysUnknownWhereNothingIsShown) {
  FakeFiles fake;
  const Fingerprint f = take_fingerprint("", {}, fake.files());
  EXPECT_EQ(f.governor, "unknown");
  EXPECT_EQ(f.turbo, "unknown");
  EXPECT_EQ(f.smt, "unknown");
  EXPECT_EQ(f.microcode, "unknown");
  EXPECT_EQ(f.virtualization, "unknown");
}

TEST(Fingerprint, SeesGuestsAndContainers) {
  FakeFiles fake;
  fake.write("/proc/cpuinfo", "flags : fpu hypervisor\n");
  EXPECT_EQ(detect_virtualization(fake.files()), "hypervisor");
  fake.write("/.dockerenv", "");
  EXPECT_EQ(detect_virtualization(fake.files()), "hypervisor+docker");
  fake.write("/proc/cpuinfo", "flags : fpu\n");
  EXPECT_EQ(detect_virtualization(fake.files()), "docker");
}

TEST(Fingerprint, AllowsAComparisonOfCommitsOnly) {
  const Fingerprint baseline = fake_fingerprint();
  Fingerprint candidate = baseline;
  candidate.commit = "ffffffffffff";
  candidate.dirty = !candidate.dirty;
  candidate.memory_bytes = candidate.memory_bytes * 99 / 100;
  EXPECT_THAT(fingerprint_differences(baseline, candidate), IsEmpty());
  candidate.kernel = "6.2.0";
  candidate.cipher = "";
  candidate.memory_bytes /= 2;
  EXPECT_THAT(fingerprint_differences(baseline, candidate),
              ElementsAre("kernel: 6.2.0, was 6.1.0-test", "cipher: none, was openssl", "memory: 1 MiB, was 4 MiB"));
}

TEST(Fingerprint, SurvivesJson) {
  const Fingerprint fingerprint = fake_fingerprint();
  const Json json = to_json(fingerprint);
  std::vector<std::string> problems;
  const Fingerprint again = fingerprint_from_json(JsonReader(json, "f", problems));
  EXPECT_THAT(problems, IsEmpty());
  EXPECT_EQ(to_json(again), json);
  EXPECT_THAT(fingerprint_differences(fingerprint, again), IsEmpty());
}

TEST(Fingerprint, KnowsThisBuild) {
  const BuildFacts build = build_facts();
  EXPECT_FALSE(build.compiler.empty());
  EXPECT_FALSE(build.build_type.empty());
  EXPECT_TRUE(build.libraries.contains("fmt"));
  EXPECT_EQ(build.flags.find(godwit::test::source_tree()), std::string::npos);
  const Json json = to_json(take_fingerprint());
  EXPECT_EQ(json.dump().find(godwit::test::source_tree()), std::string::npos);
  EXPECT_FALSE(describe_machine(take_fingerprint()).empty());
  EXPECT_THAT(describe_build(take_fingerprint()), ::testing::StartsWith("commit "));
}

}  // namespace
}  // namespace godwit::measure
