#include "report/charts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <string>
#include <vector>

#include "measure/sample_results.h"

namespace godwit::report {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

void expect_drawable(const std::string& fragment) {
  EXPECT_THAT(fragment, HasSubstr("<svg"));
  EXPECT_THAT(fragment, Not(HasSubstr("nan")));
  EXPECT_THAT(fragment, Not(HasSubstr("\"inf")));
}

TEST(Charts, DrawTheSample) {
  const measure::Results results = measure::make_sample_results();
  expect_drawable(draw_breakdowns(results.breakdowns));
  expect_drawable(draw_ablation(results.ablations[0]));
  expect_drawable(draw_curves(results.curves[0]));
  expect_drawable(draw_grid(results.grids[0]));
  expect_drawable(draw_comparison(*results.comparison));
  std::vector<const measure::BenchmarkResult*> cases;
  for (const measure::BenchmarkResult& bench_case : results.benchmarks) cases.push_back(&bench_case);
  expect_drawable(draw_percentiles(cases));
}

TEST(Charts, DrawNothingFromNothing) {
  EXPECT_THAT(draw_breakdowns({}), IsEmpty());
  EXPECT_THAT(draw_curves({}), IsEmpty());
  EXPECT_THAT(draw_grid({}), IsEmpty());
  EXPECT_THAT(draw_percentiles({}), IsEmpty());
  EXPECT_THAT(draw_comparison({}), IsEmpty());
}

TEST(Charts, SurviveZerosAndSinglePoints) {
  const measure::Interval zero{};
  const measure::Interval one{.estimate = 1, .low = 1, .high = 1};
  expect_drawable(
      draw_ablation({.name = "l", .title = "t", .unit = "ns", .steps = {{"a", zero, ""}, {"b", zero, ""}}}));
  expect_drawable(draw_curves({.unit = "ns", .lines = {{.label = "a", .points = {{0, zero}}}}}));
  expect_drawable(draw_curves({.unit = "ns", .lines = {{.label = "a", .points = {{5, one}}}}}));
  expect_drawable(draw_grid({.unit = "ns", .rows = {"r"}, .columns = {"c"}, .cells = {one}}));
  expect_drawable(draw_grid({.unit = "ns", .rows = {"r"}, .columns = {"c"}, .cells = {std::nullopt}}));
  expect_drawable(draw_history({.name = "h", .unit = "ns", .points = {}}));
  expect_drawable(draw_history({.name = "h", .unit = "ns", .points = {{"a", zero}, {"b", zero}}}));
  expect_drawable(draw_breakdowns({measure::Breakdown{.name = "n", .side = "sender"}}));
  measure::Comparison unmeasured;
  unmeasured.cases.push_back({.name = "row", .reason = "no samples"});
  expect_drawable(draw_comparison(unmeasured));
  measure::BenchmarkResult bench_case{
      .name = "level2/x", .distribution = measure::Histogram(), .distribution_unit = "ns"};
  bench_case.distribution->record(0);
  expect_drawable(draw_percentiles({&bench_case}));
}

// On a phone a drawing is 350 px wide, and a digit of an axis 7.7 px.
TEST(Charts, LabelsOfAnAxisLeaveOneAnotherRoomOnAPhone) {
  const measure::Interval one{.estimate = 1, .low = 1, .high = 1};
  const std::vector<std::vector<double>> axes = {
      {64, 256, 1024, 1171, 1364}, {1, 2, 3, 4, 5, 6, 7, 8}, {1, 10, 100, 1000, 9999, 10000}, {1, 1000, 1001, 1002}};
  const std::regex label(R"re(<text x="([\d.]+)%" y="[\d.]+" text-anchor="(middle|end)" class="axis">(\d+)</text>)re");
  for (const std::vector<double>& positions : axes) {
    measure::Curves curves{.unit = "ns", .lines = {{.label = "a", .points = {}}}};
    for (const double position : positions) curves.lines[0].points.push_back({.x = position, .value = one});
    const std::string drawing = draw_curves(curves);
    std::map<double, double> occupied;  // of the horizontal axis: from, to
    std::vector<std::string> labels;
    for (std::sregex_iterator found(drawing.begin(), drawing.end(), label), none; found != none; ++found) {
      const double x = std::stod((*found)[1].str());
      const double y = std::stod((*found)[0].str().substr((*found)[0].str().find("y=\"") + 3));
      if (y < 280) continue;  // of the vertical axis
      const double width = 100 * 7.7 / 350 * static_cast<double>((*found)[3].length());
      const double from = (*found)[2] == "end" ? x - width : x - width / 2;
      occupied[from] = from + width;
      labels.push_back((*found)[3].str());
    }
    ASSERT_GE(labels.size(), 2U);
    EXPECT_THAT(labels, ::testing::Contains(std::to_string(static_cast<int>(positions.front()))));
    EXPECT_THAT(labels, ::testing::Contains(std::to_string(static_cast<int>(positions.back()))));
    double end = -100;
    for (const auto& [from, to] : occupied) {
      EXPECT_GT(from, end + 1) << testing::PrintToString(labels);
      end = to;
    }
  }
}

TEST(Charts, EscapeNamesThatLookLikeMarkup) {
  const measure::Ablation ablation{
      .title = "t", .unit = "ns", .steps = {{"<script>", {.estimate = 1, .low = 1, .high = 1}, ""}}};
  EXPECT_THAT(draw_ablation(ablation), Not(HasSubstr("<script>")));
}

TEST(Charts, ShadeTheBestCellMostWhicheverWayIsBetter) {
  measure::Grid grid{.unit = "ns",
                     .better = measure::Better::kLower,
                     .rows = {"r"},
                     .columns = {"slow", "fast"},
                     .cells = {measure::Interval{.estimate = 9, .low = 9, .high = 9},
                               measure::Interval{.estimate = 1, .low = 1, .high = 1}}};
  const std::string lower = draw_grid(grid);
  EXPECT_LT(lower.find("class=\"heat-0\""), lower.find("class=\"heat-9\" rx"));
  grid.better = measure::Better::kHigher;
  const std::string higher = draw_grid(grid);
  EXPECT_GT(higher.find("class=\"heat-0\""), higher.find("class=\"heat-9\" rx"));
}

TEST(Charts, ABreakdownThatDoesNotSumUpSaysSoInRed) {
  const measure::Results results = measure::make_sample_results();
  EXPECT_THAT(draw_breakdowns({results.breakdowns[2]}), HasSubstr("class=\"note bad\""));
  EXPECT_THAT(draw_breakdowns({results.breakdowns[0]}), Not(HasSubstr("class=\"note bad\"")));
}

}  // namespace
}  // namespace godwit::report
