// A process that executes repetitions on demand: `transport_perf --worker` reads one request a line and answers one
// JSON object a line. The runner starts fresh ones each round, of this program and, for a comparison, of another
// revision's.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "benches/repetition.h"

namespace godwit::bench {

// The worker's side: answers requests until its input ends.
int serve_requests(int repeat_every);

class Worker {
 public:
  // `core` below 0: not pinned.
  Worker(const std::string& program, int core, int repeat_every);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // kTimeout after two minutes, kSystem when the worker has died; it is useless from then on. kNotFound for a case that
  // this worker's program does not have.
  [[nodiscard]] Result<Repetition> run(const std::string& bench_case, std::uint64_t iterations, double seconds);

 private:
  int id_ = -1;
  int channel_ = -1;
  std::string received_;
};

}  // namespace godwit::bench
