// Executes one repetition of a case through Google Benchmark, in this process.
#pragma once

#include <cstdint>

#include "benches/suite.h"

namespace godwit::bench {

struct RepetitionOptions {
  std::uint64_t iterations = 0;  // 0: as many as fill `seconds`
  double seconds = 0.02;
  RunMode mode = RunMode::kTime;
  int repeat_every = 0;  // every n-th operation is done twice; 0: never
};

struct Repetition {
  double value = 0;  // in the case's unit
  std::uint64_t iterations = 0;
  Outcome outcome;
  std::string error;
};

[[nodiscard]] Repetition execute(const Case& bench_case, const RepetitionOptions& options);

}  // namespace godwit::bench
