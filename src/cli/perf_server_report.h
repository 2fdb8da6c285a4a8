// What a performance server says about its runs in JSON (docs/json.md): every run as it ends, the sums at the end.
// Nothing is kept of a run but its part of the sums, however many there are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "cli/json_list_output.h"
#include "cli/perf_side.h"
#include "runtime/shards.h"

namespace godwit::cli {

class PerfServerReport {
 public:
  // `output` outlives this object.
  explicit PerfServerReport(const OutputOptions& output);

  // A run has ended, for the reason `problem` where it failed. `shard` is absent where there is only one node. One that
  // is not `listed` counts in the sums alone: strangers begin runs, and must not fill a disk. Thread-safe.
  void add(const PerfSide& side, const std::optional<std::string>& problem, std::optional<std::size_t> shard,
           bool listed);
  // The last call. `error` is null or why the command failed. False, with an error printed, when the file could not be
  // written.
  [[nodiscard]] bool finish(const measure::Json& error, std::size_t shards, const ShardLinkStatistics& link);

 private:
  struct Sums {
    std::uint64_t runs = 0;
    std::uint64_t failed_runs = 0;
    std::uint64_t received_bytes = 0;
    std::uint64_t sent_bytes = 0;
  };

  JsonListOutput list_;
  std::mutex mutex_;
  Sums sums_;
};

}  // namespace godwit::cli
