#include "measure/results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "measure/fake_files.h"
#include "measure/sample_results.h"
#include "support/json.h"

namespace godwit::measure {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Results, SurviveJsonWhole) {
  const Json json = to_json(make_sample_results());
  EXPECT_THAT(validate_results(json), IsEmpty());
  const Result<Results> again = results_from_json(json);
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(to_json(*again), json);
}

TEST(Results, SurviveTheirFile) {
  FakeFiles folder;
  const std::string path = folder.root() + "/deep/run.json";
  const Results results = make_sample_results(3);
  ASSERT_TRUE(save_results(results, path).has_value());
  const Result<Results> again = load_results(path);
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(to_json(*again), to_json(results));
  EXPECT_FALSE(std::filesystem::exists(path + ".new"));
}

TEST(Results, OfAnotherVersionAreRefusedWithOneLine) {
  Json json = to_json(make_sample_results());
  json["schema_version"] = 3;
  EXPECT_THAT(validate_results(json), ElementsAre("schema_version: expected 2"));
  EXPECT_THAT(validate_results(Json::array()), ElementsAre("a result file is an object"));
}

TEST(Results, ThatContradictThemselvesAreRefused) {
  Json json = to_json(make_sample_results());
  json["benchmarks"][0]["samples"].push_back(9999);
  json["benchmarks"][1]["name"] = json["benchmarks"][2]["name"];
  json["benchmarks"][3]["verified"] = false;
  json["benchmarks"][4]["level"] = 3;
  json["grids"][0]["cells"].erase(0);
  json["curves"][0]["lines"][0]["points"][1]["x"] = 1;
  const std::vector<std::string> problems = validate_results(json);
  EXPECT_THAT(problems, Contains("benchmarks[0].summary.count: differs from the number of samples"));
  EXPECT_THAT(problems, Contains("benchmarks[2].name: stands twice"));
  EXPECT_THAT(problems, Contains(HasSubstr("benchmarks[3].verified: a case whose delivery was not verified")));
  EXPECT_THAT(problems, Contains("benchmarks[4].name: does not begin with its level"));
  EXPECT_THAT(problems, Contains("grids[0].cells: expected rows times columns of them"));
  EXPECT_THAT(problems, Contains("curves[0].lines[0].points[1].x: does not rise"));
}

TEST(Results, EveryMemberIsMissedWhenItIsGone) {
  const Json whole = to_json(make_sample_results());
  for (const auto& [key, value] : whole.items()) {
    if (key == "system" || key == "comparison") continue;  // may be absent
    Json json = whole;
    json.erase(key);
    EXPECT_FALSE(validate_results(json).empty()) << key;
  }
}

TEST(Results, ReadNothingFromAFileThatIsNotThere) {
  EXPECT_EQ(load_results("/nonexistent/x.json").error().code, ErrorCode::kNotFound);
  FakeFiles folder;
  folder.write("/broken.json", "{\"schema\": ");
  EXPECT_THAT(load_results(folder.root() + "/broken.json").error().message, HasSubstr("not JSON"));
}

TEST(Results, AreFoundByName) {
  const Results results = make_sample_results();
  EXPECT_NE(results.find("level2/gso/1200"), nullptr);
  EXPECT_EQ(results.find("level2/gso"), nullptr);
}

TEST(Results, SampleFileIsTheSameForTheSameSeed) {
  EXPECT_EQ(to_json(make_sample_results(5)), to_json(make_sample_results(5)));
  EXPECT_NE(to_json(make_sample_results(5)), to_json(make_sample_results(6)));
}

TEST(Timestamp, IsInUtc) {
  const std::string text = utc_timestamp();
  ASSERT_EQ(text.size(), 20U);
  EXPECT_EQ(text[10], 'T');
  EXPECT_EQ(text[19], 'Z');
}

}  // namespace
}  // namespace godwit::measure
