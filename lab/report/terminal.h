// Tables and progress on a terminal: aligned, coloured only where a person looks (a terminal, NO_COLOR unset), never
// wider than the terminal. Returns text; the command line prints it.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "measure/finding.h"
#include "report/table.h"
#include "support/terminal_options.h"

namespace godwit::report {

// Title, aligned columns, note. Where it would be too wide, minor columns are left out, from the right, then the last
// column is wrapped.
[[nodiscard]] std::string print_table(const Table& table, const TerminalOptions& options);
[[nodiscard]] std::string paint(std::string_view text, Tone tone, const TerminalOptions& options);

// The doctor's findings, each complaint with its cost and remedy, and one line with the verdict at the end. `all`: also
// list what is in order.
[[nodiscard]] std::string print_environment(const measure::EnvironmentReport& report, const TerminalOptions& options,
                                            bool all = true);

// One line of progress: "[12/60] level0/seal/1171  0:42 left". On a terminal it begins with a carriage return and
// clears the rest of the line; elsewhere it ends in a line feed. Time left is estimated from `elapsed_seconds`.
[[nodiscard]] std::string print_progress(std::size_t done, std::size_t all, std::string_view what,
                                         double elapsed_seconds, const TerminalOptions& options);

// The progress of a run as it goes on: redrawn on one line of a terminal; elsewhere a plain line when it begins and
// then at most one every `seconds_between`.
class ProgressPrinter {
 public:
  explicit ProgressPrinter(const TerminalOptions& options, double seconds_between = 10)
      : options_(options), seconds_between_(seconds_between) {}

  // What to write now; empty when nothing is due. Arguments as of print_progress().
  [[nodiscard]] std::string update(std::size_t done, std::size_t all, std::string_view what, double elapsed_seconds);
  // Takes the line off a terminal, so that something can be printed in its place.
  [[nodiscard]] std::string finish();

 private:
  TerminalOptions options_;
  double seconds_between_;
  std::optional<double> last_;  // elapsed seconds at the latest plain line
  bool drawn_ = false;
};

}  // namespace godwit::report
