#include "report/markdown.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace godwit::report {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kDocument[] =
    "# Title\n\n<!-- godwit:begin one two -->\nold\n<!-- godwit:end -->\n\nText.\n"
    "<!-- godwit:begin three -->\n<!-- godwit:end -->\nEnd.";

Result<std::string> shout(const std::string& name) {
  return "[" + name + "]\n";
}

TEST(Markdown, WritesATable) {
  const Table table{.title = "T",
                    .columns = {{.title = "a|b"}, {.title = "n", .right = true}},
                    .rows = {{{"x|y"}, {"1", Tone::kStrong}}, {{""}, {"2"}}},
                    .note = "Note."};
  EXPECT_EQ(to_markdown(table), "**T**\n\n| a\\|b | n |\n|---|---:|\n| x\\|y | **1** |\n|  | 2 |\n\nNote.\n");
}

TEST(Markdown, TouchesOnlyWhatStandsBetweenItsMarkers) {
  const Result<std::string> updated = update_document(kDocument, shout);
  ASSERT_TRUE(updated.has_value());
  EXPECT_EQ(*updated,
            "# Title\n\n<!-- godwit:begin one two -->\n\n[one two]\n\n<!-- godwit:end -->\n\nText.\n"
            "<!-- godwit:begin three -->\n\n[three]\n\n<!-- godwit:end -->\nEnd.");
  EXPECT_EQ(update_document(*updated, shout), *updated);
  EXPECT_THAT(check_document(*updated, shout), IsEmpty());
}

TEST(Markdown, NamesEverySectionThatIsStale) {
  EXPECT_THAT(check_document(kDocument, shout),
              ElementsAre("line 3: section 'one two' is not what the stored results say",
                          "line 8: section 'three' is not what the stored results say"));
}

TEST(Markdown, SaysWhichSectionCannotBeRendered) {
  const RenderSection refuse = [](const std::string&) -> Result<std::string> {
    return failure(ErrorCode::kNotFound, "no such file");
  };
  EXPECT_EQ(update_document(kDocument, refuse).error().message, "line 3: section 'one two': no such file");
  EXPECT_EQ(check_document(kDocument, refuse).size(), 2U);
}

TEST(Markdown, RefusesMarkersThatDoNotPair) {
  EXPECT_EQ(update_document("<!-- godwit:begin x -->\n", shout).error().message, "line 1: a begin without an end");
  EXPECT_EQ(update_document("\n<!-- godwit:end -->\n", shout).error().message, "line 2: an end without a begin");
  EXPECT_THAT(check_document("<!-- godwit:begin x -->\n<!-- godwit:begin y -->\n", shout),
              ElementsAre("line 2: a begin inside a section"));
}

TEST(Markdown, LeavesExamplesInCodeAlone) {
  const std::string document = "```\n<!-- godwit:begin x -->\n```\n";
  EXPECT_EQ(update_document(document, shout), document);
}

}  // namespace
}  // namespace godwit::report
