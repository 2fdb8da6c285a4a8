// Sums of plain-integer statistics, counter by counter. Used by Shards, and by what goes over several connections one
// after another.
#pragma once

#include "runtime/node.h"
#include "runtime/shard_link.h"
#include "transport/statistics.h"
#include "udp/backend_statistics.h"

namespace godwit {

// Adds every counter of `more` to `sum`; the state of the path and the names become those of `more`.
void add_counters(ConnectionStatistics& sum, const ConnectionStatistics& more);
void add_counters(EndpointStatistics& sum, const EndpointStatistics& more);
void add_counters(BackendStatistics& sum, const BackendStatistics& more);
void add_counters(NodeStatistics& sum, const NodeStatistics& more);
void add_counters(ShardLinkStatistics& sum, const ShardLinkStatistics& more);

}  // namespace godwit
