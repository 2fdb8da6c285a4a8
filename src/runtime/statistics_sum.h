// Sums of plain-integer statistics, counter by counter. Used by Shards.
#pragma once

#include "runtime/node.h"
#include "runtime/shard_link.h"
#include "transport/statistics.h"
#include "udp/backend_statistics.h"

namespace godwit {

void add_counters(EndpointStatistics& sum, const EndpointStatistics& more);
void add_counters(BackendStatistics& sum, const BackendStatistics& more);
void add_counters(NodeStatistics& sum, const NodeStatistics& more);
void add_counters(ShardLinkStatistics& sum, const ShardLinkStatistics& more);

}  // namespace godwit
