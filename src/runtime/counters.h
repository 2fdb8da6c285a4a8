// The one list of what is counted, by name: sums over shards and connections (statistics_sum.h) and metrics for others
// (metrics_text.h) go through it, so that a counter is in both or does not compile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "runtime/node.h"
#include "runtime/shard_link.h"
#include "transport/statistics.h"
#include "udp/backend_statistics.h"

namespace godwit {

template <typename T>
struct Counter {
  std::string_view name;  // of the member
  std::uint64_t T::* member;
  std::string_view help;  // one line
  bool level = false;     // goes down as well
};

using ConnectionCounter = Counter<ConnectionStatistics>;
using EndpointCounter = Counter<EndpointStatistics>;
using BackendCounter = Counter<BackendStatistics>;
using NodeCounter = Counter<NodeStatistics>;
using ShardLinkCounter = Counter<ShardLinkStatistics>;

// Everything of these structures that is a plain number and may be added; reasons and classes are counted beside them.
// Of ConnectionStatistics what describes the path at this moment is left out.
[[nodiscard]] std::span<const ConnectionCounter> connection_counters();
[[nodiscard]] std::span<const EndpointCounter> endpoint_counters();
[[nodiscard]] std::span<const BackendCounter> backend_counters();
[[nodiscard]] std::span<const NodeCounter> node_counters();
[[nodiscard]] std::span<const ShardLinkCounter> shard_link_counters();

}  // namespace godwit
