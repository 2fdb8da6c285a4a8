// A whole run on one screen of at most kScreenLines lines of kScreenColumns columns: what a packet costs on either
// side, the limits, the same for one datagram per system call, what would gain most, the finding, the machine's fitness
// and where the page is. The parts are shared with the HTML page, so that both say the same.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "measure/analysis_summary.h"
#include "measure/results.h"
#include "report/table.h"
#include "report/terminal.h"

namespace godwit::report {

inline constexpr std::size_t kScreenLines = 40;
inline constexpr std::size_t kScreenColumns = 100;
inline constexpr std::size_t kShownChanges = 3;

struct ScreenOptions {
  TerminalOptions terminal;  // at most kScreenColumns columns are used, also where the width is unlimited
  std::string page;          // where the HTML page has been written; empty: there is none
};
[[nodiscard]] std::string print_screen(const measure::Results& results, const ScreenOptions& options);

// Whether the machine was fit for every level that was measured.
struct Fitness {
  bool fit = true;
  std::vector<std::string> reasons;    // "load.processes: 61 % of a processor"; empty when fit
  std::vector<std::string> drawbacks;  // names of findings that cost accuracy
  [[nodiscard]] std::string sentence() const;
};
[[nodiscard]] Fitness fitness_of(const measure::Results& results);
// What a run says first when it is about to measure on an unfit machine, in one line.
[[nodiscard]] std::string unfit_warning(const std::vector<std::string>& reasons);

[[nodiscard]] std::string component_label(measure::CostGroup group);
// "240", or "240–290" where the steps do not sum to the whole.
[[nodiscard]] std::string format_range(const measure::Range& range);
[[nodiscard]] std::string format_range(const measure::Range& range, std::string_view unit);
// "+22 %", or "+22 % … +35 %".
[[nodiscard]] std::string format_gain(const measure::Range& gain);
[[nodiscard]] std::string scenario_title(const measure::ScenarioSummary& scenario);
[[nodiscard]] Table component_table(const measure::ScenarioSummary& scenario, bool with_shares = true);
[[nodiscard]] Table rates_table(const measure::AnalysisSummary& summary);
[[nodiscard]] Table gains_table(const measure::AnalysisSummary& summary);
// By how much the steps miss the whole, and what a range means where there is one; empty without a whole.
[[nodiscard]] std::string sums_sentence(const measure::AnalysisSummary& summary);
// One sentence, computed; empty when nothing was taken apart.
[[nodiscard]] std::string key_finding(const measure::AnalysisSummary& summary);
// The benchmark cases beside the analysis, and what the comparison says; empty when there are none.
[[nodiscard]] std::vector<std::string> suite_sentences(const measure::Results& results);

}  // namespace godwit::report
