// What the sections of a document are: "FILE KIND [ARGUMENT]", with FILE the name of a stored result file without
// ".json", for example `<!-- godwit:begin zen3 breakdown stream, batched -->`. Kinds are listed at kSectionKinds.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "measure/results.h"
#include "report/markdown.h"

namespace godwit::report {

// Kind, what its argument is.
struct SectionKind {
  std::string_view kind;
  std::string_view argument;
};
inline constexpr SectionKind kSectionKinds[] = {
    {"screen", ""},
    {"machine", ""},
    {"environment", ""},
    {"benchmarks", "beginning of the names, or nothing for all"},
    {"latency", "beginning of the names, or nothing for all"},
    {"noise", "beginning of the names, or nothing for all"},
    {"breakdown", "name of a breakdown: every side of it"},
    {"limits", "name of a breakdown"},
    {"path", "name of a breakdown: calls, switches and cache misses a packet"},
    {"occupancy", "name of a breakdown: datagrams a system call"},
    {"drops", "name of a breakdown: where datagrams were dropped"},
    {"comparison", ""},
    {"ablation", "name of an ablation"},
    {"curves", "name of curves"},
    {"grid", "name of a grid"},
};

// Reads result files of one folder, each once. Gives render functions for update_document and check_document; the
// renderer outlives them.
class SectionRenderer {
 public:
  explicit SectionRenderer(std::string folder) : folder_(std::move(folder)) {}
  [[nodiscard]] Result<std::string> render(const std::string& name);
  [[nodiscard]] RenderSection function() {
    return [this](const std::string& name) { return render(name); };
  }

 private:
  [[nodiscard]] Result<const measure::Results*> load(const std::string& file);
  std::string folder_;
  std::map<std::string, measure::Results> loaded_;
};

// One section of one result file; `kind` and `argument` as above.
[[nodiscard]] Result<std::string> render_section(const measure::Results& results, std::string_view kind,
                                                 std::string_view argument);

}  // namespace godwit::report
