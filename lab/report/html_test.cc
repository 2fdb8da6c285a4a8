#include "report/html.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>

#include "measure/sample_results.h"
#include "support/html_style.h"

namespace godwit::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string sample_report() {
  return html_report({{"v1", measure::make_sample_results(1, 1.2)}, {"now", measure::make_sample_results(2, 1.0)}});
}

// Every opened element is closed in order: a browser would repair it, each in its own way.
std::string first_imbalance(const std::string& html) {
  const std::set<std::string> kVoid = {"meta", "br", "wbr", "!doctype"};
  std::vector<std::string> open;
  for (std::size_t at = html.find('<'); at != std::string::npos; at = html.find('<', at + 1)) {
    const std::size_t end = html.find('>', at);
    if (end == std::string::npos) return "unclosed tag";
    const std::string tag = html.substr(at + 1, end - at - 1);
    const bool closing = tag.starts_with('/');
    const std::string name = tag.substr(closing ? 1 : 0, tag.find_first_of(" /", closing ? 1 : 0) - (closing ? 1 : 0));
    if (tag.ends_with('/') || kVoid.contains(name)) continue;
    if (!closing) {
      open.push_back(name);
    } else if (open.empty() || open.back() != name) {
      return "</" + name + "> closes <" + (open.empty() ? "nothing" : open.back()) + ">";
    } else {
      open.pop_back();
    }
  }
  return open.empty() ? "" : "<" + open.back() + "> stays open";
}

TEST(HtmlReport, IsOneSelfContainedFileWithoutScript) {
  const std::string html = sample_report();
  EXPECT_THAT(html, ::testing::StartsWith("<!doctype html>"));
  for (const char* outside : {"<script", "http://", "https://", "<link", "<img", "@import", "url(", "src="}) {
    EXPECT_THAT(html, Not(HasSubstr(outside))) << outside;
  }
  EXPECT_EQ(first_imbalance(html), "");
}

TEST(HtmlReport, ShowsEveryPartOfTheResults) {
  const std::string html = sample_report();
  for (const char* id : {"breakdown", "ablation", "throughput", "latency", "loss", "comparison", "history",
                         "benchmarks", "environment", "machine"}) {
    EXPECT_THAT(html, HasSubstr("<section id=\"" + std::string(id) + "\"")) << id;
    EXPECT_THAT(html, HasSubstr("<a href=\"#" + std::string(id) + "\"")) << id;
  }
}

TEST(HtmlReport, IsForLightAndDarkAndForAPhone) {
  const std::string html = sample_report();
  EXPECT_THAT(html, HasSubstr("prefers-color-scheme: dark"));
  EXPECT_THAT(html, HasSubstr("width=device-width"));
  EXPECT_THAT(html, HasSubstr("max-width: 700px"));
}

TEST(HtmlReport, DefinesEveryColourThatItUses) {
  const std::string style(html_style());
  constexpr std::string_view kUse = "var(";
  std::size_t uses = 0;
  for (std::size_t at = style.find(kUse); at != std::string::npos; at = style.find(kUse, at + 1), ++uses) {
    const std::size_t begin = at + kUse.size();
    const std::string name = style.substr(begin, style.find(')', begin) - begin);
    EXPECT_THAT(style, HasSubstr(name + ":")) << name;
  }
  EXPECT_GT(uses, 0U);
  for (std::size_t i = 0; i < trace::kCostSteps; ++i) {
    const std::string name(trace::cost_step_name(static_cast<trace::CostStep>(i)));
    EXPECT_THAT(style, HasSubstr(".step-" + name + " {")) << name;
  }
}

TEST(HtmlReport, PutsWhatSpoilsTheFiguresAboveThem) {
  const std::string html = sample_report();
  const std::size_t warning = html.find("Not to be quoted without this");
  ASSERT_NE(warning, std::string::npos);
  EXPECT_LT(warning, html.find("<main>"));
  EXPECT_LT(html.find("load.processes"), html.find("<main>"));
}

TEST(HtmlReport, HasNoHistoryOfASingleRunAndNoEmptySections) {
  measure::Results results;
  results.fingerprint.build_type = "Release";
  const std::string html = html_report({{"now", results}});
  EXPECT_EQ(first_imbalance(html), "");
  EXPECT_THAT(html, Not(HasSubstr("id=\"history\"")));
  EXPECT_THAT(html, Not(HasSubstr("id=\"breakdown\"")));
  EXPECT_THAT(html, Not(HasSubstr("Not to be quoted")));
}

TEST(HtmlReport, WarnsWhenTheHistoryComesFromAnotherMachine) {
  measure::Results other = measure::make_sample_results(1);
  other.fingerprint.processor = "Another";
  EXPECT_THAT(html_report({{"v1", other}, {"now", measure::make_sample_results(2)}}),
              HasSubstr("Another machine or build: v1."));
}

TEST(HtmlReport, EscapesWhatTheResultsSay) {
  measure::Results results = measure::make_sample_results(1);
  results.marks = {"<script>alert(1)</script>"};
  results.benchmarks[0].title = results.benchmarks[0].parameters[0].second = "<b>";
  results.benchmarks[0].name = "level0/<i>";
  results.environment.findings[0].value = "<i>";
  const std::string html = html_report({{"<now>", results}});
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_EQ(first_imbalance(html), "");
}

TEST(HtmlTable, HidesMinorColumnsOnNarrowScreens) {
  const Table table{.columns = {{.title = "a"}, {.title = "b", .right = true, .minor = true}},
                    .rows = {{{"x/y"}, {"1"}}}};
  const std::string html = html_table(table);
  EXPECT_THAT(html, HasSubstr("<th class=\"right minor\">b</th>"));
  EXPECT_THAT(html, HasSubstr("<td>x/<wbr>y</td>"));
}

}  // namespace
}  // namespace godwit::report
