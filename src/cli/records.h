// What a command writes down of its connections while it runs: -v and --log (connection_log.h), --qlog (trace_file.h),
// --keylog.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "base/result.h"
#include "trace/events.h"
#include "trace/key_log.h"

namespace godwit::cli {

struct RecordOptions {
  std::string qlog;     // folder of traces; empty: none
  std::string key_log;  // file of keys; empty: no key leaves the process
  std::string log;      // file for what -v says; empty: standard error
  int verbosity = 0;    // how often -v was given

  // Whether one thread alone may write what is asked for: --qlog, -v or --log; the option's name, or null.
  [[nodiscard]] const char* single_threaded() const;
};

void add_record_options(CLI::App& app, RecordOptions& options);

// Outlives the node that it is given to.
class Records {
 public:
  // Says on standard error that keys are written, if they are. Errors: kInvalidArgument, kSystem.
  [[nodiscard]] static Result<std::unique_ptr<Records>> open(const RecordOptions& options);
  virtual ~Records() = default;
  // Null where nothing is to be written.
  [[nodiscard]] virtual trace::Sink* sink() = 0;
  [[nodiscard]] virtual const std::shared_ptr<trace::KeyLog>& key_log() const = 0;
};

}  // namespace godwit::cli
