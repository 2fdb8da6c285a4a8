// Counters of the socket's back end between two readings, as one side of a performance run tells them (perf_side.h).
// Refusals and errors are told as totals, not by errno.
#pragma once

#include "support/json.h"
#include "udp/backend_statistics.h"

namespace godwit::cli {

[[nodiscard]] BackendStatistics difference(const BackendStatistics& after, const BackendStatistics& before);

[[nodiscard]] measure::Json to_json(const BackendStatistics& counted);
// Whatever is missing or of another kind is zero.
[[nodiscard]] BackendStatistics backend_statistics_from_json(measure::JsonReader reader);

}  // namespace godwit::cli
