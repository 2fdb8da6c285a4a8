// A performance server runs for months: what it reports of its runs is written, not kept.

#include "cli/perf_server_report.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "base/counted_allocations_test_support.h"

namespace godwit::cli {
namespace {

class PerfServerReportTest : public ::testing::Test {
 protected:
  void SetUp() override { std::filesystem::remove(path_); }
  void TearDown() override { std::filesystem::remove(path_); }

  [[nodiscard]] std::string text() const {
    std::ifstream file(path_);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  const std::filesystem::path path_ =
      std::filesystem::path(::testing::TempDir()) / ("perf_server_report_" + std::to_string(::getpid()) + ".json");
  const OutputOptions output_{.json = false, .json_file = path_.string()};
};

PerfSide some_side() {
  PerfSide side;
  side.backend = "gso";
  side.received_bytes = 1000;
  side.sent_bytes = 10;
  side.drops = {{"duplicate", 3}};
  return side;
}

TEST_F(PerfServerReportTest, HoldsNoMoreMemoryAfterThousandsOfRuns) {
  PerfServerReport report(output_);
  const PerfSide side = some_side();
  for (int run = 0; run < 10; ++run) report.add(side, {}, {}, true);
  const std::uint64_t before = allocation_counts.live_bytes;
  for (int run = 0; run < 3000; ++run) report.add(side, run % 3 == 0 ? std::optional("lost") : std::nullopt, {}, true);
  EXPECT_EQ(allocation_counts.live_bytes, before);
  EXPECT_TRUE(report.finish({}, 1, {}));
}

TEST_F(PerfServerReportTest, IsOneObjectWithEveryRunAndTheirSums) {
  PerfServerReport report(output_);
  report.add(some_side(), {}, {}, true);
  EXPECT_NE(text().find("\"gso\""), std::string::npos) << "a run is in the file as soon as it has ended";
  report.add(some_side(), "the client has left", 1, true);
  report.add(some_side(), {}, 0, true);
  report.add(some_side(), {}, 0, false);
  ASSERT_TRUE(report.finish("interrupted", 2, {.forwarded_datagrams = 5}));
  const auto parsed = measure::parse_json(text());
  ASSERT_TRUE(parsed.has_value()) << text();
  EXPECT_EQ((*parsed)["schema"], "godwit-perf-server");
  EXPECT_EQ((*parsed)["error"], "interrupted");
  ASSERT_EQ((*parsed)["results"].size(), 3U);
  EXPECT_EQ((*parsed)["results"][1]["reason"], "the client has left");
  EXPECT_EQ((*parsed)["results"][1]["shard"], 1);
  EXPECT_FALSE((*parsed)["results"][0].contains("shard"));
  EXPECT_EQ((*parsed)["runs"], 4) << "one of them is not listed";
  EXPECT_EQ((*parsed)["failed_runs"], 1);
  EXPECT_EQ((*parsed)["received_bytes"], 4000);
  EXPECT_EQ((*parsed)["sent_bytes"], 40);
  EXPECT_EQ((*parsed)["forwarded_datagrams"], 5);
}

TEST_F(PerfServerReportTest, IsAnObjectWithoutRunsToo) {
  ASSERT_TRUE(PerfServerReport(output_).finish({}, 1, {}));
  const auto parsed = measure::parse_json(text());
  ASSERT_TRUE(parsed.has_value()) << text();
  EXPECT_TRUE((*parsed)["results"].empty());
  EXPECT_TRUE((*parsed)["results"].is_array());
}

TEST_F(PerfServerReportTest, IsAnObjectWithAnErrorWhereTheCommandIsCutShort) {
  {
    PerfServerReport(output_).add(some_side(), {}, {}, true);
  }
  const auto parsed = measure::parse_json(text());
  ASSERT_TRUE(parsed.has_value()) << text();
  EXPECT_EQ((*parsed)["results"].size(), 1U);
  EXPECT_TRUE((*parsed)["error"].is_string());
}

TEST(PerfServerReport, SaysThatItsFileCannotBeWritten) {
  const OutputOptions full{.json = false, .json_file = "/dev/full"};
  PerfServerReport report(full);
  report.add(some_side(), {}, {}, true);
  EXPECT_FALSE(report.finish({}, 1, {}));
}

}  // namespace
}  // namespace godwit::cli
