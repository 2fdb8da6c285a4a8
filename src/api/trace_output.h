// The traces that an application asked for. Used by api/ alone.
#pragma once

#include <memory>

#include "godwit/node_group.h"
#include "trace/qlog_sink.h"

namespace godwit::v1 {

// Null when none was asked for. Outlives the endpoint that writes to it.
[[nodiscard]] inline std::unique_ptr<trace::Sink> make_trace(const Options& options) {
  if (!options.trace) return nullptr;
  return std::make_unique<trace::QlogSink>(options.trace);
}
[[nodiscard]] inline std::unique_ptr<trace::Sink> make_trace(const NodeGroupOptions& options, std::size_t shard) {
  if (!options.trace) return nullptr;
  return std::make_unique<trace::QlogSink>(
      [write = options.trace, shard](std::string_view record) { write(shard, record); });
}

}  // namespace godwit::v1
