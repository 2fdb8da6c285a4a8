// Two programs judged row by row within a stated time: all rows get the same number of interleaved pairs, rows that
// these cannot tell get more, and what time cannot tell at all is decided by the instructions of both programs.
#pragma once

#include "benches/runner.h"
#include "measure/compare.h"

namespace godwit::bench {

struct JudgementOptions {
  std::size_t first_pairs = 0;  // of every row; 0: what the number of rows needs
  // Pairs are added for as long as they are expected to end within this many seconds from the beginning; 0: never.
  // Counting instructions comes on top: some seconds for each program.
  double time_limit = 0;
  bool count_instructions = false;  // of rows of levels 0 and 1 that stay undecided
  std::uint64_t seed = 1;
};

struct Judgement {
  RunOutcome outcome;  // pairs hold all that were taken
  measure::Comparison comparison;
  std::vector<std::string> notes;  // why instructions were not counted
};

// `plan.against` is the baseline; `plan.repetitions` is set here.
[[nodiscard]] Judgement judge_programs(RunPlan plan, const JudgementOptions& options);

}  // namespace godwit::bench
