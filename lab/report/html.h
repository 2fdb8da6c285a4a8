// The report: one self-contained HTML file that works offline and without script, in light and dark, on a desk and on a
// phone. Drawings come from charts.h, tables from tables.h, looks from support/html_style.h.
#pragma once

#include <string>
#include <vector>

#include "measure/results.h"
#include "report/table.h"

namespace godwit::report {

struct ReportRun {
  std::string label;  // date or baseline name, for the history
  measure::Results results;
};

// `runs` oldest first and at least one: the last is what the report is about, the others are its history.
[[nodiscard]] std::string html_report(const std::vector<ReportRun>& runs);

// A table as HTML; minor columns are hidden on narrow screens.
[[nodiscard]] std::string html_table(const Table& table);

}  // namespace godwit::report
