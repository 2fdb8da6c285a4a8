// The gate on deterministic counts: allocations, wire bytes, system calls, and instructions where valgrind is there,
// against a checked-in file (benches/budget.json). Wall time gates nothing.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "benches/suite.h"
#include "support/json.h"

namespace godwit::bench {

// Counts of one case by name: "allocations", "wire_bytes", "send_calls", "instructions".
using Counts = std::map<std::string, double>;
using CountTable = std::map<std::string, Counts>;

// Runs each case whose counts are exact once, in this process, with a fixed number of operations: levels 0 and 1, the
// back ends by themselves, idle connections.
[[nodiscard]] CountTable count_all(const std::vector<const Case*>& cases, std::vector<std::string>& failures);

struct InstructionOptions {
  int highest_level = 0;  // cases above it are left out; whole runs always
  int repeat_every = 0;   // the injected slow-down of the program
};
// Instructions of one operation through callgrind; kUnsupported where valgrind is missing.
[[nodiscard]] Result<CountTable> count_instructions_of(const std::string& program,
                                                       const std::vector<const Case*>& cases,
                                                       const InstructionOptions& options = {});
// The side that runs under callgrind.
int run_under_callgrind(const std::vector<const Case*>& cases, int repeat_every);

// `former` is the budget that stands: instructions of other builds (compiler, build type, vectors) are kept from it.
[[nodiscard]] measure::Json budget_to_json(const CountTable& counts, const measure::Json& former);
// What exceeds the budget, one line each. Instructions are compared with those that the budget has of this build, and
// may exceed them by `tolerance`; everything else may not at all. Notes say what was not compared.
[[nodiscard]] std::vector<std::string> check_budget(const measure::Json& budget, const CountTable& counts,
                                                    std::vector<std::string>& notes, double tolerance = 0.03);

}  // namespace godwit::bench
