#include "cli/perf_server_report.h"

namespace godwit::cli {

PerfServerReport::PerfServerReport(const OutputOptions& output) : list_({"godwit-perf-server", 2}, "results", output) {}

void PerfServerReport::add(const PerfSide& side, const std::optional<std::string>& problem,
                           std::optional<std::size_t> shard, bool listed) {
  if (listed) {
    measure::Json entry = to_json(side);
    entry["failed"] = problem.has_value();
    entry["reason"] = problem ? measure::Json(*problem) : measure::Json();
    if (shard) entry["shard"] = *shard;
    list_.add(entry);
  }
  const std::lock_guard lock(mutex_);
  ++sums_.runs;
  if (problem) ++sums_.failed_runs;
  sums_.received_bytes += side.received_bytes;
  sums_.sent_bytes += side.sent_bytes;
}

bool PerfServerReport::finish(const measure::Json& error, std::size_t shards, const ShardLinkStatistics& link) {
  const std::lock_guard lock(mutex_);
  return list_.finish({{"error", error},
                       {"runs", sums_.runs},
                       {"failed_runs", sums_.failed_runs},
                       {"received_bytes", sums_.received_bytes},
                       {"sent_bytes", sums_.sent_bytes},
                       {"shards", shards},
                       {"forwarded_datagrams", link.forwarded_datagrams},
                       {"refused_datagrams", link.refused_datagrams}});
}

}  // namespace godwit::cli
