// The rows of a performance run on its way: what was delivered in each interval, in both directions and, where there
// are several, on each stream. Counted by whoever receives, so that the rows add up to the total of the run, to the
// byte.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.h"
#include "support/json.h"
#include "transfer/perf_run.h"

namespace godwit::cli {

struct PerfInterval {
  double start_seconds = 0;
  double end_seconds = 0;
  std::uint64_t sent_bytes = 0;      // to the server, as it has counted them
  std::uint64_t received_bytes = 0;  // delivered here
  std::uint64_t retransmitted_packets = 0;
  std::uint64_t window_bytes = 0;
  Duration round_trip{};
  bool omitted = false;  // before the time that counts
  // Of each stream, with several.
  std::vector<std::uint64_t> stream_sent_bytes;
  std::vector<std::uint64_t> stream_received_bytes;
};
[[nodiscard]] measure::Json to_json(const PerfInterval& interval);

// What had been delivered when the time that counts began.
struct PerfOmitted {
  std::uint64_t bytes = 0;
  double seconds = 0;
};

class PerfIntervals {
 public:
  // Zero: one row of the whole run. `omit`: rows of this time at the start are marked, and it ends one.
  PerfIntervals(Duration interval, Duration omit) : interval_(interval), omit_(omit) {}

  void begin(Instant now);
  [[nodiscard]] std::optional<Instant> next_timeout() const { return next_; }
  // The row that ends now, if one does; once a turn.
  [[nodiscard]] std::optional<PerfInterval> poll_row(Instant now, const PerfRun& run);
  // All data has been sent and received: the last row ends here. It has no figures before the results are known.
  void end(Instant now);
  // The last row, from the results of both sides; nothing for a run that never began, or that ended with its last row.
  [[nodiscard]] std::optional<PerfInterval> finish(Instant now, const PerfRun& run);

  [[nodiscard]] const std::vector<PerfInterval>& rows() const { return rows_; }
  [[nodiscard]] const PerfOmitted& omitted_sent() const { return omitted_sent_; }
  [[nodiscard]] const PerfOmitted& omitted_received() const { return omitted_received_; }

 private:
  struct Counts {
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    std::uint64_t retransmitted = 0;
    std::vector<std::uint64_t> stream_sent;
    std::vector<std::uint64_t> stream_received;
  };
  [[nodiscard]] static Counts count(const PerfRun& run);
  [[nodiscard]] PerfInterval close_row(Instant now, const PerfRun& run);
  void schedule();

  static constexpr std::size_t kMostRows = 100'000;

  Duration interval_;
  Duration omit_;
  Instant began_{};
  Instant row_began_{};
  std::optional<Instant> next_;
  std::optional<Instant> ended_;
  bool running_ = false;
  bool omitting_ = false;
  Counts before_;
  std::vector<PerfInterval> rows_;
  PerfOmitted omitted_sent_;
  PerfOmitted omitted_received_;
};

}  // namespace godwit::cli
