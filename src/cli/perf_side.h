// What one side of a performance run measured about itself: read from a Node at the run's begin and end, sent to the
// other side as JSON, put together with the other side's in the result (perf_report.h). The other side's is hostile
// input.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "cli/backend_figures.h"
#include "cli/perf_instruments.h"
#include "runtime/node.h"
#include "support/cpu_time.h"
#include "support/json.h"
#include "transfer/perf_run.h"

namespace godwit::cli {

struct PerfSide {
  std::string backend;
  std::string backend_choice;
  std::string cipher;
  std::string congestion;
  std::string congestion_state;
  std::string session;           // "legacy" or "extended"
  std::string session_fallback;  // why not extended
  std::string build;             // "commit, compiler, type" in one line
  std::string idle;
  std::uint64_t receive_buffer_bytes = 0;
  std::uint64_t window_bytes = 0;  // of each stream to this side

  double cpu_user_seconds = 0;
  double cpu_system_seconds = 0;
  std::uint64_t largest_resident_bytes = 0;
  std::uint64_t voluntary_switches = 0;    // of the process: it went to sleep
  std::uint64_t involuntary_switches = 0;  // the scheduler took the processor away
  BackendStatistics socket;
  std::uint64_t turns = 0;
  ConnectionStatistics connection;                      // of the whole run, handshake included
  std::map<std::string, std::uint64_t> drops;           // of the connection, by reason, without zeros
  std::map<std::string, std::uint64_t> endpoint_drops;  // that belong to no connection
  std::map<std::string, std::uint64_t> faults;          // injected
  std::uint64_t received_bytes = 0;
  double receive_seconds = 0;  // from the first delivered byte to the last
  std::uint64_t sent_bytes = 0;
  double send_seconds = 0;            // from the start to the last confirmation
  std::uint64_t cancelled_bytes = 0;  // handed to the transport and given up at the end
  std::uint32_t renewals = 0;
  PerfInstruments::Figures instruments;
};

// Reads a side's figures as differences over a run.
class PerfSideMeter {
 public:
  // `instruments` may be null.
  PerfSideMeter(const Node& node, std::string idle, PerfInstruments* instruments);
  // Both on the thread that drives the node; end() as often as the figures are wanted.
  void begin();
  [[nodiscard]] PerfSide end(Instant now, const PerfRun& run);

 private:
  const Node& node_;
  std::string idle_;
  PerfInstruments* instruments_;
  BackendStatistics backend_before_;
  DropCounts drops_before_;
  std::uint64_t turns_before_ = 0;
  measure::CpuUsage cpu_before_;
};

[[nodiscard]] measure::Json to_json(const PerfSide& side);
// Whatever is missing or of another kind keeps its default. Nothing when the text is not a JSON object.
[[nodiscard]] std::optional<PerfSide> perf_side_from_json(std::string_view text);

}  // namespace godwit::cli
