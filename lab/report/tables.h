// Results as tables, one function a kind; terminal.h, markdown.h and html.h show them.
#pragma once

#include <string_view>

#include "measure/breakdown.h"
#include "measure/compare.h"
#include "measure/results.h"
#include "report/table.h"

namespace godwit::report {

// Cases whose name begins with `prefix`: median with interval, spread, noise threshold, exact counts, marks.
[[nodiscard]] Table benchmark_table(const measure::Results& results, std::string_view prefix = "");
// Percentiles of every case that has a distribution.
[[nodiscard]] Table latency_table(const measure::Results& results, std::string_view prefix = "");
// Step by step; the note says by how much the parts miss the whole, and the transport's own cost.
[[nodiscard]] Table breakdown_table(const measure::Breakdown& breakdown);
// "If this step were free": both sides when the results hold a breakdown of each under this name.
[[nodiscard]] Table limits_table(const measure::Results& results, std::string_view name);
// The path facts of both sides under this name: what a packet causes, how full the system calls were, where datagrams
// were dropped. Empty where the results hold none.
[[nodiscard]] Table path_table(const measure::Results& results, std::string_view name);
[[nodiscard]] Table occupancy_table(const measure::Results& results, std::string_view name);
[[nodiscard]] Table drops_table(const measure::Results& results, std::string_view name);
// "33–64"
[[nodiscard]] std::string occupancy_label(const measure::OccupancyClass& of);
// `changes_only`: without the cases that claim nothing.
[[nodiscard]] Table comparison_table(const measure::Comparison& comparison, bool changes_only = false);
[[nodiscard]] Table ablation_table(const measure::Ablation& ablation);
[[nodiscard]] Table curves_table(const measure::Curves& curves);
[[nodiscard]] Table grid_table(const measure::Grid& grid);
// What the doctor found; `complaints_only`: without what is ok.
[[nodiscard]] Table environment_table(const measure::EnvironmentReport& report, bool complaints_only = false);
// Machine, system, build, date and mode of a run.
[[nodiscard]] Table machine_table(const measure::Results& results);
// A/A noise threshold of each case that has one.
[[nodiscard]] Table noise_table(const measure::Results& results, std::string_view prefix = "");

// "send call": a step's name for people.
[[nodiscard]] std::string step_label(trace::CostStep step);

// How verdicts look in every medium.
[[nodiscard]] Tone tone_of(measure::Verdict verdict);
[[nodiscard]] Tone tone_of(measure::FindingVerdict verdict);

}  // namespace godwit::report
