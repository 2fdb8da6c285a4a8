// Tables inside documents that people write: between `<!-- godwit:begin NAME -->` and `<!-- godwit:end -->` stands what
// the program generates, and nothing else of the document is touched. `godwit report --markdown` updates documents; a
// test checks that they are what the stored results say.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "report/table.h"

namespace godwit::report {

// A GitHub table, its title as a bold line and its note as a paragraph. Bars are escaped, tones are not shown but for
// kStrong and kBad, which are bold.
[[nodiscard]] std::string to_markdown(const Table& table);

// Turns a section's NAME into its content (without markers, any number of lines), or says why it cannot.
using RenderSection = std::function<Result<std::string>(const std::string& name)>;

// The document with every section rendered anew. The first section that cannot be rendered, a begin without an end and
// an end without a begin are errors that name the line.
[[nodiscard]] Result<std::string> update_document(std::string_view document, const RenderSection& render);

// What update_document would change or refuse, one line a section; empty when the document is up to date.
[[nodiscard]] std::vector<std::string> check_document(std::string_view document, const RenderSection& render);

}  // namespace godwit::report
