// What a running node has counted, in the text format that Prometheus reads (exposition format 0.0.4).
#pragma once

#include <cstddef>
#include <string>

#include "runtime/node.h"
#include "runtime/shards.h"

namespace godwit {

// Series of single connections are written for so many of them; godwit_connections_unlisted counts the others.
inline constexpr std::size_t kListedConnections = 256;

// Everything that the list of counters has (counters.h), closings and drops by reason, and the path of each connection,
// which is labelled by its id and the peer's address. On the thread that drives the node.
[[nodiscard]] std::string metrics_text(const Node& node);
// The same of a group of shards, without single connections.
[[nodiscard]] std::string metrics_text(const ShardsStatistics& group);
// The same of an endpoint without a node.
[[nodiscard]] std::string metrics_text(const Endpoint& endpoint);

}  // namespace godwit
