// A peer's own account of a performance run is hostile input.

#include "cli/perf_side.h"

#include <gtest/gtest.h>

#include "transfer/control.h"

namespace godwit::cli {
namespace {

constexpr std::size_t kLongest = kMaxPerfDetails * kPerfDetailBytes;

TEST(PerfSide, ItsOwnTextIsReadAgain) {
  PerfSide side;
  side.backend = "gso";
  side.received_bytes = 12;
  side.drops = {{"duplicate", 3}};
  side.instruments.cost = {{"clock", "tsc"}, {"steps", measure::Json::array({{{"step", "seal"}, {"samples", 1}}})}};
  const auto again = perf_side_from_json(to_json(side).dump());
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->backend, "gso");
  EXPECT_EQ(again->received_bytes, 12U);
  EXPECT_EQ(again->drops, side.drops);
  EXPECT_EQ(again->instruments.cost, side.instruments.cost);
}

TEST(PerfSide, NamesAreNotCutInsideACharacter) {
  std::string name = "x";
  while (name.size() <= 64) name += "\u0436";
  const auto side = perf_side_from_json(measure::Json{{"drops", {{name, 1}}}}.dump());
  ASSERT_TRUE(side.has_value());
  EXPECT_EQ(side->drops.begin()->first, name.substr(0, 63));
  EXPECT_FALSE(measure::print_json(to_json(*side)).empty());
}

// Printed with two spaces for each level, brackets of the greatest length would become 125 MB.
TEST(PerfSide, NothingThatFitsTheWireGrowsBeyondMeasure) {
  const auto fill = [](std::string_view front, std::string_view unit, std::string_view back) {
    std::string text(front);
    while (text.size() + unit.size() + back.size() <= kLongest) text += unit;
    return text.append(back);
  };
  const std::size_t depth = (kLongest - 20) / 2;
  for (const std::string& text :
       {"{\"cost\":{\"a\":" + std::string(depth, '[') + std::string(depth - 20, ']') + "}}",
        fill("{\"cost\":{\"a\":[", "{},", "{}]}}"), fill("{\"cost\":{\"a\":[", "0,", "0]}}"),
        fill("{\"drops\":{", "\"a\":1,", "\"a\":1}}"), fill("{\"cost\":{", "\"a\":[],", "\"a\":1}}")}) {
    ASSERT_LE(text.size(), kLongest);
    const auto side = perf_side_from_json(text);
    if (!side) continue;
    EXPECT_LT(measure::print_json(to_json(*side)).size(), 100'000U) << text.substr(0, 40);
  }
  EXPECT_FALSE(perf_side_from_json("{\"cost\":" + std::string(7000, '[') + std::string(7000, ']') + "}").has_value());
}

}  // namespace
}  // namespace godwit::cli
