// The trace that an application asked for with Options::trace. Used by api/ alone.
#pragma once

#include <memory>

#include "godwit/types.h"
#include "trace/qlog_sink.h"

namespace godwit::v1 {

// Null when none was asked for. Outlives the endpoint that writes to it.
[[nodiscard]] inline std::unique_ptr<trace::Sink> make_trace(const Options& options) {
  if (!options.trace) return nullptr;
  return std::make_unique<trace::QlogSink>(options.trace);
}

}  // namespace godwit::v1
