// A run of the benchmark suite as stored: what was measured, where, and how far it can be trusted. Written by
// `transport_perf` and `godwit analyze`, read by baselines.h and report/. The file format is documented in docs/json.md
// ("benchmark results") and versioned: readers accept their own version only and ignore members they do not know.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "measure/breakdown.h"
#include "measure/compare.h"
#include "measure/finding.h"
#include "measure/fingerprint.h"
#include "measure/statistics.h"
#include "measure/steady_state.h"
#include "measure/system_snapshot.h"
#include "support/cpu_time.h"
#include "support/histogram.h"
#include "support/json_fwd.h"

namespace godwit::measure {

inline constexpr char kResultsSchema[] = "godwit-benchmark-results";
inline constexpr std::uint64_t kResultsVersion = 2;

// Ordered names and values: a report shows them in the order in which the benchmark listed them.
using Texts = std::vector<std::pair<std::string, std::string>>;
using Figures = std::vector<std::pair<std::string, double>>;

// One case of the suite.
struct BenchmarkResult {
  std::string name;   // "level2/gso/64": begins with "levelN/", unique in a file
  int level = 0;      // 0 … 3
  std::string title;  // what is measured, for a person
  Texts parameters;   // "bytes" -> "1171"
  std::string unit;   // of samples: "ns", "packets/s", "bit/s"
  Better better = Better::kLower;
  std::vector<double> samples;  // one a repetition, in the order taken, warm-up dropped
  Summary summary;              // of samples
  SteadyClass steady = SteadyClass::kTooShort;
  Figures counts;   // exact, an operation or a packet: "allocations", "instructions", "system_calls", "wire_bytes"
  Figures metrics;  // derived: "bits_per_second", "cpu_seconds_per_gigabyte", "ratio_to_ceiling"
  std::optional<Histogram> distribution;  // of single operations, in distribution_unit
  std::string distribution_unit;
  std::optional<CpuUsage> cpu;                    // both ends
  std::optional<NoiseThreshold> noise_threshold;  // from an A/A run of this case
  // The case is true only if what was delivered was checked: what was checked, and counts beside it ("delivered_bytes",
  // "drops", "retransmissions", "decrypt_failures").
  bool verified = false;
  std::string proof;
  Figures evidence;
  std::vector<std::string> marks;  // why the figure is not to be quoted: "no digest", "environment unfit"
};

// Steps that build on each other, each with its own measurement: what a fix was worth.
struct Ablation {
  std::string name;
  std::string title;
  std::string unit;
  Better better = Better::kLower;
  struct Step {
    std::string label;
    Interval value;
    std::string note;
  };
  std::vector<Step> steps;
};

// Lines over a common numeric axis: throughput by datagram size, by batch, by buffer.
struct Curves {
  std::string name;
  std::string title;
  std::string unit;
  Better better = Better::kHigher;
  std::string x_label;
  struct Point {
    double x = 0;
    Interval value;
  };
  struct Line {
    std::string label;
    std::vector<Point> points;  // rising x
  };
  std::vector<Line> lines;
};

// A matrix of figures: goodput by loss and delay.
struct Grid {
  std::string name;
  std::string title;
  std::string unit;
  Better better = Better::kHigher;
  std::string row_label;
  std::string column_label;
  std::vector<std::string> rows;
  std::vector<std::string> columns;
  std::vector<std::optional<Interval>> cells;  // row by row; nothing where not measured
};

struct Results {
  std::string started_at;  // UTC, "2025-01-31T12:00:00Z"
  double seconds = 0;      // wall time of the run
  std::string mode;        // "quick", "full", "check"
  std::string version;     // of the program
  std::uint64_t seed = 0;  // of order and payloads
  Fingerprint fingerprint;
  EnvironmentReport environment;         // at the head of the run, and what happened meanwhile
  std::optional<SystemSnapshot> system;  // counters over the run
  std::vector<std::string> marks;        // of the whole run: "forced across machines"
  std::vector<BenchmarkResult> benchmarks;
  std::vector<Breakdown> breakdowns;
  std::vector<Ablation> ablations;
  std::vector<Curves> curves;
  std::vector<Grid> grids;
  std::optional<Comparison> comparison;

  [[nodiscard]] const BenchmarkResult* find(std::string_view name) const;
};

// Fills summary and steady from samples, which must not be empty.
void summarize_samples(BenchmarkResult& result, const BootstrapOptions& options = {});

[[nodiscard]] Json to_json(const Results& results);
// Every problem in one message, a line each.
[[nodiscard]] Result<Results> results_from_json(const Json& json);
// All that is wrong with a result file beyond its JSON: members, kinds, and figures that contradict each other.
[[nodiscard]] std::vector<std::string> validate_results(const Json& json);

[[nodiscard]] Status save_results(const Results& results, const std::string& path);
[[nodiscard]] Result<Results> load_results(const std::string& path);

// Now, in UTC, as started_at has it.
[[nodiscard]] std::string utc_timestamp();

}  // namespace godwit::measure
