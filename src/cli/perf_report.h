// The result of a performance run, put together from what both sides measured: as JSON (docs/json.md) and as lines for
// a person. Goodput is what the receiver counted; a result exists only where byte counts and digests of both ends
// agree.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/perf_intervals.h"
#include "cli/perf_side.h"
#include "support/histogram.h"
#include "transfer/echo.h"

namespace godwit::cli {

// One direction.
struct PerfDirection {
  std::string name;                   // "client_to_server", "server_to_client"
  std::uint64_t delivered_bytes = 0;  // in the time that counts
  PerfOmitted omitted;                // before it
  std::uint64_t digest = 0;
  const PerfSide* sender = nullptr;
  const PerfSide* receiver = nullptr;

  std::vector<std::uint64_t> stream_bytes;  // of each stream, of the whole run

  // From the first byte to the last at the receiver; of what came in one piece, as long as the sender took.
  [[nodiscard]] double seconds() const;
  [[nodiscard]] double goodput_bits_per_second() const;
  [[nodiscard]] double datagrams_per_send_call() const;
};

struct PerfPingPong {
  measure::Histogram latency;  // nanoseconds
  PingPong::Options options;
  Duration elapsed{};  // from the start to the last reply
  std::uint64_t sent = 0;
  std::uint64_t answered = 0;
  std::uint64_t late = 0;
};

struct PerfReport {
  PerfSide client;
  PerfSide server;
  bool digest = true;
  std::uint16_t streams = 1;
  std::optional<Bandwidth> rate;
  std::uint64_t sent_digest = 0;  // of this side
  std::uint64_t received_digest = 0;
  bool sends = false;
  bool receives = false;
  std::vector<std::uint64_t> stream_sent_bytes;  // of each stream of this side
  std::vector<std::uint64_t> stream_received_bytes;
  std::vector<PerfInterval> intervals;
  PerfOmitted omitted_sent;
  PerfOmitted omitted_received;
  std::optional<PerfPingPong> ping_pong;

  [[nodiscard]] std::vector<PerfDirection> directions() const;
};

[[nodiscard]] measure::Json to_json(const PerfReport& report);
void print_report(const PerfReport& report);
void print_interval(const PerfInterval& interval, bool sends, bool receives);

}  // namespace godwit::cli
