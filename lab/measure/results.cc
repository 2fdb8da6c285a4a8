#include "measure/results.h"

#include <time.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "measure/results_json.h"
#include "support/json.h"
#include "support/text_file.h"

namespace godwit::measure {

namespace {

std::string in_lines(const std::vector<std::string>& problems) {
  std::string text;
  for (const std::string& problem : problems) text += (text.empty() ? "" : "\n") + problem;
  return text;
}

}  // namespace

const BenchmarkResult* Results::find(std::string_view name) const {
  const auto found = std::find_if(benchmarks.begin(), benchmarks.end(),
                                  [name](const BenchmarkResult& bench_case) { return bench_case.name == name; });
  return found == benchmarks.end() ? nullptr : &*found;
}

void summarize_samples(BenchmarkResult& result, const BootstrapOptions& options) {
  result.summary = summarize(result.samples, options);
  result.steady = detect_steady_state(result.samples).kind;
}

Result<Results> results_from_json(const Json& json) {
  std::vector<std::string> problems;
  Results results = read_results(json, problems);
  if (!problems.empty()) return failure(ErrorCode::kInvalidArgument, in_lines(problems));
  return results;
}

std::vector<std::string> validate_results(const Json& json) {
  std::vector<std::string> problems;
  static_cast<void>(read_results(json, problems));
  return problems;
}

Status save_results(const Results& results, const std::string& path) {
  std::error_code error;
  const std::filesystem::path target(path);
  if (target.has_parent_path()) std::filesystem::create_directories(target.parent_path(), error);
  // Beside the target and then renamed: an interrupted run leaves the old file whole.
  const std::filesystem::path draft = path + ".new";
  if (const Status written = write_text_file(draft.string(), print_json(to_json(results))); !written) return written;
  std::filesystem::rename(draft, target, error);
  if (error) return failure(ErrorCode::kSystem, "cannot write " + path + ": " + error.message());
  return {};
}

Result<Results> load_results(const std::string& path) {
  const Result<std::string> content = read_text_file(path);
  if (!content) return std::unexpected(content.error());
  const Result<Json> json = parse_json(*content);
  if (!json) return failure(ErrorCode::kInvalidArgument, path + ": " + json.error().message);
  Result<Results> results = results_from_json(*json);
  if (!results) return failure(results.error().code, path + ": " + results.error().message);
  return results;
}

std::string utc_timestamp() {
  const time_t now = ::time(nullptr);
  tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  const std::size_t length = ::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text.data(), length};
}

}  // namespace godwit::measure
