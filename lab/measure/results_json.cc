#include "measure/results_json.h"

#include <cmath>
#include <set>

#include "support/json.h"

namespace godwit::measure {

namespace {

Json texts_to_json(const Texts& texts) {
  Json json = Json::object();
  for (const auto& [name, value] : texts) json[name] = value;
  return json;
}

Json figures_to_json(const Figures& figures) {
  Json json = Json::object();
  for (const auto& [name, value] : figures) json[name] = number_or_null(value);
  return json;
}

Figures figures_of(JsonReader& reader, std::string_view key) {
  Figures figures;
  JsonReader object = reader.object(key);
  if (!object.value().is_object()) return figures;
  for (const auto& [name, value] : object.value().items()) {
    if (value.is_number()) {
      figures.emplace_back(name, value.get<double>());
    } else {
      object.problem(name, "expected a number");
    }
  }
  return figures;
}

Better better_of(JsonReader& reader) {
  const std::optional<Better> better = parse_better(reader.text("better"));
  if (!better) reader.problem("better", "expected \"lower\" or \"higher\"");
  return better.value_or(Better::kLower);
}

SteadyClass steady_of(JsonReader& reader) {
  const std::string text = reader.text("steady");
  for (const SteadyClass value :
       {SteadyClass::kFlat, SteadyClass::kWarmup, SteadyClass::kSlowdown, SteadyClass::kNone, SteadyClass::kTooShort}) {
    if (to_string(value) == text) return value;
  }
  reader.problem("steady", "expected \"flat\", \"warm-up\", \"slow-down\", \"no steady state\" or \"too short\"");
  return SteadyClass::kTooShort;
}

Json to_json(const BenchmarkResult& bench_case) {
  Json json = {{"name", bench_case.name},
               {"level", bench_case.level},
               {"title", bench_case.title},
               {"parameters", texts_to_json(bench_case.parameters)},
               {"unit", bench_case.unit},
               {"better", to_string(bench_case.better)},
               {"samples", bench_case.samples},
               {"summary", to_json(bench_case.summary)},
               {"steady", to_string(bench_case.steady)},
               {"counts", figures_to_json(bench_case.counts)},
               {"metrics", figures_to_json(bench_case.metrics)},
               {"verified", bench_case.verified},
               {"proof", bench_case.proof},
               {"evidence", figures_to_json(bench_case.evidence)},
               {"marks", bench_case.marks}};
  if (bench_case.distribution) {
    json["distribution"] = to_json(*bench_case.distribution);
    json["distribution_unit"] = bench_case.distribution_unit;
  }
  if (bench_case.cpu) json["cpu"] = to_json(*bench_case.cpu);
  if (bench_case.noise_threshold) json["noise_threshold"] = to_json(*bench_case.noise_threshold);
  return json;
}

// Figures that contradict each other were not written by this program, or were edited.
void check_benchmark(const BenchmarkResult& bench_case, JsonReader& reader) {
  if (bench_case.level < 0 || bench_case.level >= kLevels) reader.problem("level", "expected 0 to 3");
  if (!bench_case.name.starts_with("level" + std::to_string(bench_case.level) + "/")) {
    reader.problem("name", "does not begin with its level");
  }
  if (bench_case.samples.empty()) {
    reader.problem("samples", "a case without samples is no result");
    return;
  }
  if (bench_case.summary.count != bench_case.samples.size())
    reader.problem("summary.count", "differs from the number of samples");
  const double centre = median(bench_case.samples);
  if (std::abs(centre - bench_case.summary.median.estimate) > 1e-9 * std::max(1.0, std::abs(centre))) {
    reader.problem("summary.median", "is not the median of the samples");
  }
  if (!bench_case.verified && bench_case.marks.empty()) {
    reader.problem("verified", "a case whose delivery was not verified carries a mark that says why");
  }
  if (bench_case.verified && bench_case.proof.empty()) reader.problem("proof", "a verified case says what was checked");
}

BenchmarkResult benchmark_from_json(JsonReader& reader) {
  BenchmarkResult bench_case;
  bench_case.name = reader.text("name");
  bench_case.level = static_cast<int>(std::min<std::uint64_t>(reader.count("level"), 99));
  bench_case.title = reader.text("title");
  bench_case.parameters = reader.text_map("parameters");
  bench_case.unit = reader.text("unit");
  bench_case.better = better_of(reader);
  bench_case.samples = reader.numbers("samples");
  bench_case.summary = summary_from_json(reader.object("summary"));
  bench_case.steady = steady_of(reader);
  bench_case.counts = figures_of(reader, "counts");
  bench_case.metrics = figures_of(reader, "metrics");
  if (reader.has("distribution")) {
    bench_case.distribution = histogram_from_json(reader.object("distribution"));
    bench_case.distribution_unit = reader.text("distribution_unit");
  }
  if (reader.has("cpu")) bench_case.cpu = cpu_usage_from_json(reader.object("cpu"));
  if (reader.has("noise_threshold"))
    bench_case.noise_threshold = noise_threshold_from_json(reader.object("noise_threshold"));
  bench_case.verified = reader.flag("verified");
  bench_case.proof = reader.text("proof");
  bench_case.evidence = figures_of(reader, "evidence");
  bench_case.marks = reader.texts("marks");
  check_benchmark(bench_case, reader);
  return bench_case;
}

Json to_json(const Ablation& ablation) {
  Json steps = Json::array();
  for (const Ablation::Step& step : ablation.steps) {
    steps.push_back({{"label", step.label}, {"value", to_json(step.value)}, {"note", step.note}});
  }
  return {{"name", ablation.name},
          {"title", ablation.title},
          {"unit", ablation.unit},
          {"better", to_string(ablation.better)},
          {"steps", steps}};
}

Ablation ablation_from_json(JsonReader& reader) {
  Ablation ablation;
  ablation.name = reader.text("name");
  ablation.title = reader.text("title");
  ablation.unit = reader.text("unit");
  ablation.better = better_of(reader);
  for (JsonReader& entry : reader.objects("steps")) {
    ablation.steps.push_back(
        {entry.text("label"), interval_from_json(entry.object("value")), entry.text_or("note", "")});
  }
  return ablation;
}

Json to_json(const Curves& curves) {
  Json lines = Json::array();
  for (const Curves::Line& line : curves.lines) {
    Json points = Json::array();
    for (const Curves::Point& point : line.points) points.push_back({{"x", point.x}, {"value", to_json(point.value)}});
    lines.push_back({{"label", line.label}, {"points", points}});
  }
  return {{"name", curves.name},       {"title", curves.title},
          {"unit", curves.unit},       {"better", to_string(curves.better)},
          {"x_label", curves.x_label}, {"lines", lines}};
}

Curves curves_from_json(JsonReader& reader) {
  Curves curves;
  curves.name = reader.text("name");
  curves.title = reader.text("title");
  curves.unit = reader.text("unit");
  curves.better = better_of(reader);
  curves.x_label = reader.text("x_label");
  for (JsonReader& entry : reader.objects("lines")) {
    Curves::Line line;
    line.label = entry.text("label");
    for (JsonReader& point : entry.objects("points")) {
      line.points.push_back({point.number("x"), interval_from_json(point.object("value"))});
      const std::size_t count = line.points.size();
      if (count > 1 && line.points[count - 1].x <= line.points[count - 2].x) point.problem("x", "does not rise");
    }
    curves.lines.push_back(std::move(line));
  }
  return curves;
}

Json to_json(const Grid& grid) {
  Json cells = Json::array();
  for (const std::optional<Interval>& cell : grid.cells) cells.push_back(cell ? to_json(*cell) : Json(nullptr));
  return {{"name", grid.name},
          {"title", grid.title},
          {"unit", grid.unit},
          {"better", to_string(grid.better)},
          {"row_label", grid.row_label},
          {"column_label", grid.column_label},
          {"rows", grid.rows},
          {"columns", grid.columns},
          {"cells", cells}};
}

Grid grid_from_json(JsonReader& reader, std::vector<std::string>& problems) {
  Grid grid;
  grid.name = reader.text("name");
  grid.title = reader.text("title");
  grid.unit = reader.text("unit");
  grid.better = better_of(reader);
  grid.row_label = reader.text("row_label");
  grid.column_label = reader.text("column_label");
  grid.rows = reader.texts("rows");
  grid.columns = reader.texts("columns");
  if (!reader.has("cells") || !reader.value()["cells"].is_array()) {
    reader.problem("cells", "expected an array");
    return grid;
  }
  std::size_t index = 0;
  for (const Json& cell : reader.value()["cells"]) {
    const std::string path = reader.path() + ".cells[" + std::to_string(index++) + "]";
    if (cell.is_null()) {
      grid.cells.emplace_back(std::nullopt);
    } else {
      grid.cells.emplace_back(interval_from_json(JsonReader(cell, path, problems)));
    }
  }
  if (grid.cells.size() != grid.rows.size() * grid.columns.size()) {
    reader.problem("cells", "expected rows times columns of them");
  }
  return grid;
}

template <typename T>
Json list_to_json(const std::vector<T>& values) {
  Json json = Json::array();
  for (const T& value : values) json.push_back(to_json(value));
  return json;
}

}  // namespace

Json to_json(const Results& results) {
  Json json = {{"schema", kResultsSchema},
               {"schema_version", kResultsVersion},
               {"started_at", results.started_at},
               {"seconds", results.seconds},
               {"mode", results.mode},
               {"version", results.version},
               {"seed", results.seed},
               {"fingerprint", to_json(results.fingerprint)},
               {"environment", to_json(results.environment)},
               {"system", results.system ? to_json(*results.system) : Json(nullptr)},
               {"marks", results.marks},
               {"benchmarks", list_to_json(results.benchmarks)},
               {"breakdowns", list_to_json(results.breakdowns)},
               {"ablations", list_to_json(results.ablations)},
               {"curves", list_to_json(results.curves)},
               {"grids", list_to_json(results.grids)}};
  json["comparison"] = results.comparison ? to_json(*results.comparison) : Json(nullptr);
  return json;
}

Results read_results(const Json& json, std::vector<std::string>& problems) {
  Results results;
  JsonReader reader(json, "", problems);
  if (!json.is_object()) {
    problems.emplace_back("a result file is an object");
    return results;
  }
  if (reader.text("schema") != kResultsSchema) reader.problem("schema", std::string("expected ") + kResultsSchema);
  if (reader.count("schema_version") != kResultsVersion) {
    reader.problem("schema_version", "expected " + std::to_string(kResultsVersion));
    return results;  // anything else would only be noise
  }
  results.started_at = reader.text("started_at");
  results.seconds = reader.number("seconds");
  results.mode = reader.text("mode");
  results.version = reader.text("version");
  results.seed = reader.count("seed");
  results.fingerprint = fingerprint_from_json(reader.object("fingerprint"));
  results.environment = environment_report_from_json(reader.object("environment"));
  if (reader.has("system") && !json["system"].is_null()) {
    results.system = system_snapshot_from_json(reader.object("system"));
  }
  results.marks = reader.texts("marks");
  std::set<std::string> names;
  for (JsonReader& entry : reader.objects("benchmarks")) {
    results.benchmarks.push_back(benchmark_from_json(entry));
    if (!names.insert(results.benchmarks.back().name).second) entry.problem("name", "stands twice");
  }
  for (JsonReader& entry : reader.objects("breakdowns")) results.breakdowns.push_back(breakdown_from_json(entry));
  for (JsonReader& entry : reader.objects("ablations")) results.ablations.push_back(ablation_from_json(entry));
  for (JsonReader& entry : reader.objects("curves")) results.curves.push_back(curves_from_json(entry));
  for (JsonReader& entry : reader.objects("grids")) results.grids.push_back(grid_from_json(entry, problems));
  if (reader.has("comparison") && !json["comparison"].is_null()) {
    results.comparison = comparison_from_json(reader.object("comparison"));
  }
  return results;
}

}  // namespace godwit::measure
