// Counters of the socket's back end between two readings, as one side of a performance run tells them (perf_side.h).
#pragma once

#include <cstdint>

#include "measure/json.h"
#include "udp/backend.h"

namespace godwit::cli {

struct BackendFigures {
  std::uint64_t runs_sent = 0;
  std::uint64_t datagrams_sent = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t send_calls = 0;
  std::uint64_t blocked_sends = 0;
  std::uint64_t datagrams_discarded = 0;
  std::uint64_t offloaded_datagrams = 0;
  std::uint64_t offload_fallbacks = 0;
  std::uint64_t runs_received = 0;
  std::uint64_t datagrams_received = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t receive_calls = 0;
  std::uint64_t truncated_datagrams = 0;
  std::uint64_t kernel_drops = 0;
  std::uint64_t send_refusals = 0;
  std::uint64_t receive_errors = 0;
  std::uint64_t waits = 0;
  CallOccupancy send_occupancy;
  CallOccupancy receive_occupancy;
};
[[nodiscard]] BackendFigures read_backend_figures(const Backend& backend);
[[nodiscard]] BackendFigures operator-(const BackendFigures& after, const BackendFigures& before);

[[nodiscard]] measure::Json to_json(const BackendFigures& figures);
// Whatever is missing or of another kind is zero.
[[nodiscard]] BackendFigures backend_figures_from_json(measure::JsonReader reader);

}  // namespace godwit::cli
