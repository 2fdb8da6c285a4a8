#include "runtime/statistics_sum.h"

#include <span>

#include "runtime/counters.h"

namespace godwit {
namespace {

template <typename T>
void add_members(T& sum, const T& more, std::span<const Counter<T>> counters) {
  for (const Counter<T>& each : counters) sum.*each.member += more.*each.member;
}

void add(ErrnoCounts& sum, const ErrnoCounts& more) {
  for (const ErrnoCounts::Entry& entry : more.entries()) sum.add(entry.error, entry.count);
  sum.add_other(more.other());
}

void add(CallOccupancy& sum, const CallOccupancy& more) {
  for (std::size_t i = 0; i < CallOccupancy::kClasses; ++i) sum.add(CallOccupancy::most_of(i), more.calls(i));
}

}  // namespace

void add_counters(ConnectionStatistics& sum, const ConnectionStatistics& more) {
  ConnectionStatistics result = more;
  add_members(result, sum, connection_counters());
  result.drops.add(sum.drops);
  sum = result;
}

void add_counters(EndpointStatistics& sum, const EndpointStatistics& more) {
  add_members(sum, more, endpoint_counters());
  sum.connections_closed.add(more.connections_closed);
  sum.drops.add(more.drops);
}

void add_counters(BackendStatistics& sum, const BackendStatistics& more) {
  add_members(sum, more, backend_counters());
  add(sum.send_occupancy, more.send_occupancy);
  add(sum.receive_occupancy, more.receive_occupancy);
  add(sum.send_refusals, more.send_refusals);
  add(sum.receive_errors, more.receive_errors);
}

void add_counters(NodeStatistics& sum, const NodeStatistics& more) {
  add_members(sum, more, node_counters());
}

void add_counters(ShardLinkStatistics& sum, const ShardLinkStatistics& more) {
  add_members(sum, more, shard_link_counters());
}

}  // namespace godwit
