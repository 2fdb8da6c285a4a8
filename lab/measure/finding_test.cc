#include "measure/finding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/json.h"

namespace godwit::measure {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

EnvironmentReport report_of(Findings findings) {
  return {findings.take()};
}

TEST(EnvironmentReport, AnUnknownIsNotOk) {
  Findings findings;
  findings.ok("cpu.model", "x");
  EXPECT_EQ(report_of(findings).exit_code(), 0);
  findings.unknown("cpu.governor", "not shown");
  EXPECT_EQ(report_of(findings).exit_code(), 1);
  findings.invalid("load.average", "7", {2, 3}, "everything", "stop it");
  EXPECT_EQ(report_of(findings).exit_code(), 2);
}

TEST(EnvironmentReport, NamesWhatInvalidatesALevel) {
  Findings findings;
  findings.costs("cpu.smt", "on", "some", "turn it off");
  findings.invalid("load.average", "7", {2, 3}, "everything", "stop it");
  const EnvironmentReport report = report_of(findings);
  EXPECT_TRUE(report.fit_for(0));
  EXPECT_FALSE(report.fit_for(2));
  EXPECT_THAT(report.reasons_against(2), ElementsAre("load.average: 7"));
  ASSERT_NE(report.find("cpu.smt"), nullptr);
  EXPECT_EQ(report.find("cpu.sm"), nullptr);
}

TEST(EnvironmentReport, SurvivesJson) {
  Findings findings;
  findings.ok("a.b", "c");
  findings.costs("d.e", "f", "g", "h");
  findings.invalid("i.j", "k", {0, 1, 2, 3}, "l", "m");
  findings.unknown("n.o", "p");
  const Json json = to_json(report_of(findings));
  std::vector<std::string> problems;
  const EnvironmentReport again = environment_report_from_json(JsonReader(json, "e", problems));
  EXPECT_THAT(problems, IsEmpty());
  EXPECT_EQ(to_json(again), json);
  EXPECT_EQ(json["fit_levels"], Json::array());
}

TEST(EnvironmentReport, RefusesAnInvalidFindingWithoutLevels) {
  Findings findings;
  findings.invalid("i.j", "k", {}, "l", "m");
  const Json json = to_json(report_of(findings));
  std::vector<std::string> problems;
  static_cast<void>(environment_report_from_json(JsonReader(json, "e", problems)));
  EXPECT_THAT(problems, ElementsAre("e.findings[0].levels: an invalid finding names the levels it invalidates"));
}

}  // namespace
}  // namespace godwit::measure
