#include "report/sections.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "measure/fake_files.h"
#include "measure/sample_results.h"

namespace godwit::report {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

TEST(Sections, EveryKindRenders) {
  const measure::Results results = measure::make_sample_results();
  const std::map<std::string_view, std::string_view> arguments = {
      {"breakdown", "stream, batched"}, {"limits", "stream, batched"}, {"path", "stream, batched"},
      {"occupancy", "stream, batched"}, {"drops", "stream, batched"},  {"ablation", "ablation"},
      {"curves", "goodput_by_size"},    {"grid", "loss_delay"}};
  for (const SectionKind& kind : kSectionKinds) {
    const auto argument = arguments.find(kind.kind);
    const Result<std::string> text =
        render_section(results, kind.kind, argument == arguments.end() ? "" : argument->second);
    ASSERT_TRUE(text.has_value()) << kind.kind;
    EXPECT_THAT(*text, AnyOf(HasSubstr("|---"), StartsWith("```text\n")));
  }
}

TEST(Sections, OfWhatTheResultsLackAreErrors) {
  const measure::Results results = measure::make_sample_results();
  EXPECT_EQ(render_section(results, "benchmarks", "level9/").error().message,
            "the results hold no benchmark 'level9/'");
  EXPECT_FALSE(render_section(results, "ablation", "none").has_value());
  EXPECT_FALSE(render_section(results, "teleport", "").has_value());
}

TEST(Sections, KeepADocumentTrueToItsStoredResults) {
  measure::FakeFiles folder;
  ASSERT_TRUE(measure::save_results(measure::make_sample_results(1), folder.root() + "/zen3.json").has_value());
  SectionRenderer renderer(folder.root());
  const Result<std::string> document = update_document(
      "<!-- godwit:begin zen3 breakdown stream, batched -->\n<!-- godwit:end -->\n", renderer.function());
  ASSERT_TRUE(document.has_value()) << document.error().message;
  EXPECT_THAT(*document, HasSubstr("| seal |"));
  EXPECT_THAT(check_document(*document, renderer.function()), IsEmpty());
  // Other results under the same name, and an edit by hand: both are noticed.
  ASSERT_TRUE(measure::save_results(measure::make_sample_results(2), folder.root() + "/zen3.json").has_value());
  SectionRenderer fresh(folder.root());
  EXPECT_EQ(check_document(*document, fresh.function()).size(), 1U);
  std::string edited = *document;
  edited.replace(edited.find("seal"), 4, "zeal");
  EXPECT_EQ(check_document(edited, renderer.function()).size(), 1U);
}

TEST(Sections, RefuseFilesOutsideTheirFolder) {
  SectionRenderer renderer("/tmp");
  EXPECT_EQ(renderer.render("../x machine").error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(renderer.render("missing-file machine").error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace godwit::report
