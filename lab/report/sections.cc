#include "report/sections.h"

#include <algorithm>

#include "report/screen.h"
#include "report/tables.h"

namespace godwit::report {

namespace {

// As `godwit analyze` names its page.
constexpr char kPageName[] = "godwit-analysis.html";

std::unexpected<Error> missing(std::string_view what, std::string_view name) {
  return failure(ErrorCode::kNotFound, "the results hold no " + std::string(what) + " '" + std::string(name) + "'");
}

Result<std::string> filled(const Table& table, std::string_view what, std::string_view name) {
  if (table.empty()) return missing(what, name);
  return to_markdown(table);
}

template <typename T>
const T* find_by_name(const std::vector<T>& values, std::string_view name) {
  const auto found = std::find_if(values.begin(), values.end(), [name](const T& value) { return value.name == name; });
  return found == values.end() ? nullptr : &*found;
}

Result<std::string> render_breakdowns(const measure::Results& results, std::string_view name) {
  std::string out;
  for (const measure::Breakdown& breakdown : results.breakdowns) {
    if (breakdown.name != name) continue;
    out += (out.empty() ? "" : "\n") + to_markdown(breakdown_table(breakdown));
  }
  if (out.empty()) return missing("breakdown", name);
  return out;
}

// The first word, and what follows it.
std::pair<std::string_view, std::string_view> split_word(std::string_view text) {
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos) return {text, {}};
  const std::size_t next = text.find_first_not_of(' ', space);
  return {text.substr(0, space), next == std::string_view::npos ? std::string_view{} : text.substr(next)};
}

}  // namespace

Result<std::string> render_section(const measure::Results& results, std::string_view kind, std::string_view argument) {
  if (kind == "screen") return "```text\n" + print_screen(results, {.terminal = {}, .page = kPageName}) + "```\n";
  if (kind == "machine") return to_markdown(machine_table(results));
  if (kind == "environment") return to_markdown(environment_table(results.environment));
  if (kind == "benchmarks") return filled(benchmark_table(results, argument), "benchmark", argument);
  if (kind == "latency") return filled(latency_table(results, argument), "distribution", argument);
  if (kind == "noise") return filled(noise_table(results, argument), "noise threshold", argument);
  if (kind == "breakdown") return render_breakdowns(results, argument);
  if (kind == "limits") return filled(limits_table(results, argument), "breakdown", argument);
  if (kind == "path") return filled(path_table(results, argument), "path of the breakdown", argument);
  if (kind == "occupancy") return filled(occupancy_table(results, argument), "path of the breakdown", argument);
  if (kind == "drops") return filled(drops_table(results, argument), "path of the breakdown", argument);
  if (kind == "comparison") {
    if (!results.comparison) return missing("comparison", "");
    return to_markdown(comparison_table(*results.comparison));
  }
  if (kind == "ablation") {
    const measure::Ablation* ablation = find_by_name(results.ablations, argument);
    if (ablation == nullptr) return missing("ablation", argument);
    return to_markdown(ablation_table(*ablation));
  }
  if (kind == "curves") {
    const measure::Curves* curves = find_by_name(results.curves, argument);
    if (curves == nullptr) return missing("curves", argument);
    return to_markdown(curves_table(*curves));
  }
  if (kind == "grid") {
    const measure::Grid* grid = find_by_name(results.grids, argument);
    if (grid == nullptr) return missing("grid", argument);
    return to_markdown(grid_table(*grid));
  }
  return failure(ErrorCode::kInvalidArgument, "no such kind of section: " + std::string(kind));
}

Result<const measure::Results*> SectionRenderer::load(const std::string& file) {
  const auto known = loaded_.find(file);
  if (known != loaded_.end()) return &known->second;
  if (file.empty() || file.find('/') != std::string::npos || file.front() == '.') {
    return failure(ErrorCode::kInvalidArgument, "'" + file + "' is not the name of a result file");
  }
  Result<measure::Results> results = measure::load_results(folder_ + "/" + file + ".json");
  if (!results) return std::unexpected(results.error());
  return &loaded_.emplace(file, std::move(*results)).first->second;
}

Result<std::string> SectionRenderer::render(const std::string& name) {
  const auto [file, rest] = split_word(name);
  const auto [kind, argument] = split_word(rest);
  const Result<const measure::Results*> results = load(std::string(file));
  if (!results) return std::unexpected(results.error());
  return render_section(**results, kind, argument);
}

}  // namespace godwit::report
