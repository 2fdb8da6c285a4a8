#include "measure/baselines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "measure/fake_files.h"
#include "measure/sample_results.h"

namespace godwit::measure {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// The sample run on a machine without complaints.
Results fit_results(std::uint64_t seed, double speed) {
  Results results = make_sample_results(seed, speed);
  results.environment.findings.clear();
  return results;
}

TEST(BaselineStore, KeepsResultsByName) {
  FakeFiles folder;
  const BaselineStore store(folder.root() + "/baselines");
  EXPECT_THAT(store.names(), IsEmpty());
  EXPECT_THAT(store.load("main").error().message, HasSubstr("there are none"));
  ASSERT_TRUE(store.save("main", make_sample_results()).has_value());
  ASSERT_TRUE(store.save("a-1.2", make_sample_results(2)).has_value());
  EXPECT_THAT(store.names(), ElementsAre("a-1.2", "main"));
  EXPECT_EQ(store.load("a-1.2")->seed, 2U);
  EXPECT_THAT(store.load("other").error().message, HasSubstr("there is a-1.2, main"));
}

TEST(BaselineStore, RefusesNamesThatCouldLeaveItsFolder) {
  FakeFiles folder;
  const BaselineStore store(folder.root());
  for (const char* name : {"", "../x", ".hidden", "a/b", "a b"}) {
    EXPECT_EQ(store.save(name, make_sample_results()).error().code, ErrorCode::kInvalidArgument) << name;
  }
}

TEST(BaselineComparison, FindsASlowerCommit) {
  const auto outcome = compare_with_baseline(fit_results(1, 1.0), fit_results(2, 1.5), false);
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->comparison.count(Verdict::kSlower), outcome->comparison.cases.size());
  EXPECT_EQ(outcome->comparison.exit_code(), 1);
  EXPECT_THAT(outcome->marks, IsEmpty());
}

TEST(BaselineComparison, RaisesNoAlarmAboutNothing) {
  const auto outcome = compare_with_baseline(fit_results(1, 1.0), fit_results(2, 1.0), false);
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->comparison.alarms(), 0U);
}

TEST(BaselineComparison, IsRefusedAcrossMachinesAndMarkedWhenForced) {
  Results other = fit_results(2, 1.5);
  other.fingerprint.kernel = "6.1.0";
  const auto refused = compare_with_baseline(fit_results(1, 1.0), other, false);
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message, HasSubstr("kernel: 6.1.0, was 6.18.44"));
  const auto forced = compare_with_baseline(fit_results(1, 1.0), other, true);
  ASSERT_TRUE(forced.has_value());
  EXPECT_THAT(forced->marks, ElementsAre("forced across machines: kernel: 6.1.0, was 6.18.44"));
}

TEST(BaselineComparison, SkipsWhatCannotBeComparedAndSaysWhy) {
  Results baseline = fit_results(1, 1.0);
  Results candidate = fit_results(2, 1.0);
  baseline.benchmarks[0].name = "level0/gone";
  candidate.benchmarks[1].unit = "us";
  candidate.benchmarks[2].verified = false;
  candidate.environment = make_sample_results().environment;
  candidate.environment.findings.erase(
      std::remove_if(candidate.environment.findings.begin(), candidate.environment.findings.end(),
                     [](const Finding& finding) { return finding.verdict == FindingVerdict::kInvalid; }),
      candidate.environment.findings.end());
  candidate.environment.findings.push_back(
      {.name = "run.udp_drops", .value = "9 datagrams", .verdict = FindingVerdict::kInvalid, .levels = {2, 3}});
  const auto outcome = compare_with_baseline(baseline, candidate, false);
  ASSERT_TRUE(outcome.has_value());
  EXPECT_THAT(outcome->skipped, Contains(HasSubstr("the baseline has no such case")));
  EXPECT_THAT(outcome->skipped, Contains(HasSubstr("the unit has changed")));
  EXPECT_THAT(outcome->skipped, Contains(HasSubstr("its delivery was not verified")));
  EXPECT_THAT(outcome->skipped, Contains("level0/gone: only in the baseline"));
  EXPECT_THAT(outcome->skipped, Contains("level2/gso/1200: the candidate run was unfit: run.udp_drops: 9 datagrams"));
  for (const CaseVerdict& bench_case : outcome->comparison.cases)
    EXPECT_FALSE(bench_case.name.starts_with("level2/")) << bench_case.name;
}

TEST(Threshold, TakesTheNoisierRunOrTheLevelsAssumption) {
  BenchmarkResult quiet{.level = 2, .noise_threshold = NoiseThreshold{.relative = 0.01, .pairs = 20}};
  BenchmarkResult noisy{.level = 2, .noise_threshold = NoiseThreshold{.relative = 0.07, .pairs = 20}};
  const BenchmarkResult unknown{.level = 2};
  EXPECT_EQ(threshold_for(quiet, &noisy).relative, 0.07);
  EXPECT_EQ(threshold_for(quiet, &unknown).relative, 0.01);
  EXPECT_EQ(threshold_for(unknown, nullptr).relative, 0.10);
}

}  // namespace
}  // namespace godwit::measure
