// What `godwit analyze --verbose` says of each shape of traffic before the screen: every step of both sides, system
// calls, drops and the limits if a step cost nothing.
#pragma once

#include <string>

#include "commands/analysis.h"
#include "measure/results.h"
#include "report/terminal.h"

namespace godwit::cli {

struct DetailsInput {
  std::string title;      // of the traffic
  std::string name;       // of its breakdowns in `results`
  bool messages = false;  // messages and their replies instead of a stream
  bool serial = false;    // the sides take turns: neither limits the other's rate
};
[[nodiscard]] std::string print_details(const DetailsInput& input, const Analysis& analysis,
                                        const measure::Results& results, const report::TerminalOptions& terminal);

}  // namespace godwit::cli
