// The file that --qlog asks for: what one process traces, as a text sequence that qlog's tools read
// (trace/qlog_sink.h).
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "trace/events.h"

namespace godwit::cli {

class TraceFile {
 public:
  // Makes `folder` if it is not there, and in it godwit-PROCESS.sqlog. Errors: kSystem.
  [[nodiscard]] static Result<std::unique_ptr<TraceFile>> open(const std::string& folder);
  // Says on standard error when the file could not be written whole.
  virtual ~TraceFile() = default;
  // For the thread that drives the node, which this outlives.
  [[nodiscard]] virtual trace::Sink& sink() = 0;
};

}  // namespace godwit::cli
