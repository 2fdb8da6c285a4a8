#include "report/tables.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "measure/sample_results.h"
#include "report/terminal.h"

namespace godwit::report {
namespace {

using ::testing::HasSubstr;

void expect_well_formed(const Table& table) {
  EXPECT_FALSE(table.columns.empty());
  EXPECT_FALSE(table.empty()) << table.title;
  for (const std::vector<Cell>& row : table.rows) EXPECT_EQ(row.size(), table.columns.size());
}

TEST(Tables, AreWellFormedForEveryKindOfResult) {
  const measure::Results results = measure::make_sample_results();
  expect_well_formed(benchmark_table(results));
  expect_well_formed(latency_table(results));
  for (const measure::Breakdown& breakdown : results.breakdowns) expect_well_formed(breakdown_table(breakdown));
  expect_well_formed(limits_table(results, "stream, batched"));
  expect_well_formed(path_table(results, "stream, batched"));
  expect_well_formed(occupancy_table(results, "stream, batched"));
  expect_well_formed(drops_table(results, "stream, batched"));
  expect_well_formed(comparison_table(*results.comparison));
  expect_well_formed(comparison_table(*results.comparison, true));
  expect_well_formed(ablation_table(results.ablations[0]));
  expect_well_formed(curves_table(results.curves[0]));
  expect_well_formed(grid_table(results.grids[0]));
  expect_well_formed(environment_table(results.environment));
  expect_well_formed(machine_table(results));
  expect_well_formed(noise_table(results));
}

TEST(Tables, NameOnlyTheLimitsThatAFreeStepWouldMove) {
  const measure::Results results = measure::make_sample_results();
  const Table table = limits_table(results, "stream, batched");
  EXPECT_EQ(table.rows[0][0].text, "nothing: as it is");
  for (const std::vector<Cell>& row : table.rows) EXPECT_EQ(row[0].text.find("of the sender"), std::string::npos);
  EXPECT_THAT(table.note, HasSubstr("the receiver sets the pace. Any other step, were it free: less than +0.1 %."));
}

TEST(Tables, SayHowFullCallsWereInSharesOfTheCalls) {
  const measure::Results results = measure::make_sample_results();
  const Table table = occupancy_table(results, "stream, batched");
  ASSERT_EQ(table.columns.size(), 5U);  // the class, then sends and receives of both sides
  std::vector<std::string> classes;
  for (const std::vector<Cell>& row : table.rows) classes.push_back(row[0].text);
  EXPECT_EQ(classes, (std::vector<std::string>{"none", "1", "2", "33–64"}));
  EXPECT_EQ(table.rows[3][1].text, "90 %");
  EXPECT_TRUE(occupancy_table(results, "stream, one call a datagram").empty()) << "no path facts were stored";
}

TEST(Tables, NamePlacesOfDropsAndWhichCountersAreAbsent) {
  const measure::Results results = measure::make_sample_results();
  const Table drops = drops_table(results, "stream, batched");
  ASSERT_EQ(drops.rows.size(), 2U);
  EXPECT_EQ(drops.rows[0][2].text, "12");
  EXPECT_EQ(drops.rows[1][1].text, "0") << "a place that only the other side has";
  const Table path = path_table(results, "stream, batched");
  EXPECT_THAT(path.note, HasSubstr("no cycles, cache_misses"));
  EXPECT_EQ(path.rows[5][1].text, "not counted");
}

TEST(Tables, SelectCasesByTheBeginningOfTheirName) {
  const measure::Results results = measure::make_sample_results();
  const Table table = benchmark_table(results, "level2/");
  EXPECT_EQ(table.rows.size(), 4U);
  EXPECT_TRUE(benchmark_table(results, "level9/").empty());
}

TEST(Tables, AFigureThatMayNotBeQuotedSaysSo) {
  const Table table = benchmark_table(measure::make_sample_results(), "level3/");
  EXPECT_EQ(table.rows[0].back().text, "environment unfit");
}

TEST(Tables, TheBreakdownSaysWhetherItSumsUp) {
  const measure::Results results = measure::make_sample_results();
  EXPECT_THAT(breakdown_table(results.breakdowns[0]).note, HasSubstr("The parts sum to"));
  EXPECT_THAT(breakdown_table(results.breakdowns[0]).note, HasSubstr("own cost is 50.0 ns a packet (within 60 ns)"));
  EXPECT_THAT(breakdown_table(results.breakdowns[2]).note, HasSubstr("do NOT sum up"));
}

TEST(Tables, LimitsCanBeToldFromOneSideAlone) {
  const measure::Results results = measure::make_sample_results();
  expect_well_formed(limits_table(results, "stream, one call a datagram"));
  EXPECT_TRUE(limits_table(results, "nothing of the kind").empty());
}

TEST(Tables, AMissingCellIsADashNotAZero) {
  const Table table = grid_table(measure::make_sample_results().grids[0]);
  EXPECT_EQ(table.rows.back().back().text, "–");
}

TEST(Tables, PercentilesBeyondTheSamplesAreNotShown) {
  measure::Results results = measure::make_sample_results();
  for (measure::BenchmarkResult& bench_case : results.benchmarks) {
    if (!bench_case.distribution) continue;
    bench_case.distribution = measure::Histogram();
    for (std::uint64_t i = 0; i < 200; ++i) bench_case.distribution->record(i);
  }
  const Table table = latency_table(results);
  EXPECT_EQ(table.rows[0][3].text, "197 ns");  // p99
  EXPECT_EQ(table.rows[0][4].text, "–");       // p99.9 of 200 samples
}

}  // namespace
}  // namespace godwit::report
