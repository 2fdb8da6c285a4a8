// What a program may add to `perf`: instruments that read more of a run than the transport counts, and the options that
// go with them. The plain program adds none.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>

#include "runtime/node.h"
#include "support/json.h"
#include "trace/cost.h"

namespace godwit::cli {

// Instruments of one side of a run, on the thread that drives its node.
class PerfInstruments {
 public:
  // The members of a side's JSON of the same names (docs/json.md); null where nothing was read.
  struct Figures {
    measure::Json counters;
    measure::Json cost;
  };

  virtual ~PerfInstruments() = default;
  // Receives the cost probes of the node and of the run; null for none. Lives as long as this object.
  [[nodiscard]] virtual trace::CostSink* cost_sink() = 0;
  virtual void begin() = 0;
  // As often as the figures are wanted; the first time ends the reading of counters.
  [[nodiscard]] virtual Figures end() = 0;
};

class PerfExtension {
 public:
  virtual ~PerfExtension() = default;
  // Adds options to `perf client` or `perf server`. What they set is kept in this object.
  virtual void add_options(CLI::App& command) = 0;
  // Applies the options to the node of a run.
  virtual void configure(NodeConfig& config) const = 0;
  [[nodiscard]] virtual std::unique_ptr<PerfInstruments> make_instruments() const = 0;
};

// The instruments of `extension`, or none where that is null.
[[nodiscard]] inline std::unique_ptr<PerfInstruments> make_instruments(const PerfExtension* extension) {
  return extension == nullptr ? nullptr : extension->make_instruments();
}
[[nodiscard]] inline trace::CostSink* cost_sink_of(PerfInstruments* instruments) {
  return instruments == nullptr ? nullptr : instruments->cost_sink();
}

}  // namespace godwit::cli
