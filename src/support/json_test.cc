#include "support/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace godwit::measure {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(Json, KeepsSamplesOnOneLineAndTheOrderOfMembers) {
  Json value;
  value["zeta"] = "first";
  value["samples"] = {1.5, 2, 3};
  value["rows"] = Json::array({{{"name", "a"}}});
  value["none"] = Json::array();
  EXPECT_EQ(print_json(value),
            "{\n  \"zeta\": \"first\",\n  \"samples\": [1.5,2,3],\n  \"rows\": [\n    {\n      \"name\": \"a\"\n    }\n"
            "  ],\n  \"none\": []\n}\n");
}

TEST(Json, PrintsWhatItCanParseAgain) {
  const Json value = {
      {"text", "line\n\"quoted\""}, {"nested", {{"deep", {1, 2}}}}, {"flag", true}, {"nothing", nullptr}};
  const Result<Json> again = parse_json(print_json(value));
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(*again, value);
}

TEST(Json, PrintsTextThatIsNoUtf8) {
  const Json value = {{"caf\xe9", "\xff"}};
  EXPECT_TRUE(parse_json(print_json(value)).has_value());
}

TEST(Json, RefusesTextThatIsNotJson) {
  EXPECT_FALSE(parse_json("{\"open\": ").has_value());
  EXPECT_FALSE(parse_json("").has_value());
}

TEST(Json, RefusesWhatWouldGrowBeyondItsLimits) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(parse_json(nested(64)).has_value());
  EXPECT_FALSE(parse_json(nested(65)).has_value());
  EXPECT_FALSE(parse_json(nested(1'000'000)).has_value());
  EXPECT_FALSE(parse_json(std::string(1'000'000, '[')).has_value());
  EXPECT_TRUE(parse_json("[[],[[1]]]", {.depth = 3}).has_value());
  EXPECT_FALSE(parse_json("[[],[[1]]]", {.depth = 2}).has_value());
  EXPECT_TRUE(parse_json("[1,2,3]", {.elements = 4}).has_value());
  EXPECT_FALSE(parse_json("[1,2,3,4]", {.elements = 4}).has_value());
  // Brackets and commas within a text are neither.
  EXPECT_TRUE(parse_json("\"[[[[,,,,\\\"[[[\"", {.depth = 1, .elements = 1}).has_value());
}

TEST(Json, WritesAnInfinityAsNull) {
  EXPECT_TRUE(number_or_null(std::numeric_limits<double>::infinity()).is_null());
  EXPECT_TRUE(number_or_null(std::nan("")).is_null());
  EXPECT_EQ(number_or_null(2.5), Json(2.5));
}

TEST(JsonReader, CollectsEveryProblemWithItsPlace) {
  const Json value = {{"name", 3}, {"rows", {{{"count", -1}}, 7}}, {"samples", {1, "two"}}};
  std::vector<std::string> problems;
  JsonReader reader(value, "", problems);
  EXPECT_EQ(reader.text("name"), "");
  EXPECT_EQ(reader.number("median"), 0);
  for (JsonReader& row : reader.objects("rows")) EXPECT_EQ(row.count("count"), 0U);
  EXPECT_THAT(reader.numbers("samples"), IsEmpty());
  EXPECT_FALSE(reader.object("missing").flag("inner"));
  EXPECT_THAT(
      problems,
      ElementsAre("name: expected a string", "median: missing, expected a number", "rows[1]: expected an object",
                  "rows[0].count: expected a whole number of at least 0", "samples: expected numbers only",
                  "missing: missing, expected an object", "missing.inner: missing, expected true or false"));
}

TEST(JsonReader, ReadsWhatIsThereWithoutComplaint) {
  const Json value = {{"name", "x"}, {"n", 3}, {"maybe", nullptr}, {"on", true}, {"map", {{"b", "2"}, {"a", "1"}}}};
  std::vector<std::string> problems;
  JsonReader reader(value, "", problems);
  EXPECT_EQ(reader.text("name"), "x");
  EXPECT_EQ(reader.count("n"), 3U);
  EXPECT_EQ(reader.optional_number("maybe"), std::nullopt);
  EXPECT_EQ(reader.optional_number("absent"), std::nullopt);
  EXPECT_TRUE(reader.flag("on"));
  EXPECT_EQ(reader.text_or("absent", "other"), "other");
  EXPECT_THAT(reader.text_map("map"), ElementsAre(std::pair<std::string, std::string>{"b", "2"},
                                                  std::pair<std::string, std::string>{"a", "1"}));
  EXPECT_THAT(problems, IsEmpty());
}

}  // namespace
}  // namespace godwit::measure
