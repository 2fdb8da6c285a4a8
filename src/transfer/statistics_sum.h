// The sum of two connections' statistics, for a run that went over several connections one after another.
#pragma once

#include "transport/statistics.h"

namespace godwit {

// Adds every counter of `more` to `sum`; the state of the path and the names become those of `more`.
void add_counters(ConnectionStatistics& sum, const ConnectionStatistics& more);

}  // namespace godwit
