// Two programs compared case by case within a stated time: all cases get the same number of interleaved pairs, cases
// that these cannot tell get more, and what time cannot tell at all is decided by the instructions of both programs.
#pragma once

#include "benches/runner.h"
#include "measure/compare.h"

namespace godwit::bench {

struct VerdictOptions {
  std::size_t first_pairs = 0;  // of every case; 0: what the number of cases needs
  // Pairs are added for as long as they are expected to end within this many seconds from the beginning; 0: never.
  // Counting instructions comes on top: some seconds for each program.
  double time_limit = 0;
  bool count_instructions = false;  // of cases of levels 0 and 1 that stay undecided
  std::uint64_t seed = 1;
};

struct ProgramVerdict {
  RunOutcome outcome;  // pairs hold all that were taken
  measure::Comparison comparison;
  std::vector<std::string> notes;  // why instructions were not counted
};

// `plan.against` is the baseline; `plan.repetitions` is set here.
[[nodiscard]] ProgramVerdict compare_programs(RunPlan plan, const VerdictOptions& options);

}  // namespace godwit::bench
