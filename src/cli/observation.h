// What others can look at while a command runs: --metrics over HTTP, --control for `godwit top`. Both ask the thread
// that drives the node, which answers between two turns; nothing is kept, and nothing costs time until somebody asks.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "base/result.h"
#include "runtime/node.h"
#include "runtime/shards.h"
#include "support/json_fwd.h"

namespace godwit::cli {

struct ObservationOptions {
  std::string metrics;  // ADDR:PORT, or PORT of the loopback interface; empty: none
  std::string control;  // path of a socket; empty: none
};

void add_observation_options(CLI::App& app, ObservationOptions& options);

// Closed before the node that it looks at.
class Observation {
 public:
  virtual ~Observation() = default;
};

// Null where nothing is to be observed. Says on standard error where the metrics are. Errors: those of
// open_metrics_server() and ControlSocket::open().
[[nodiscard]] Result<std::unique_ptr<Observation>> observe(const ObservationOptions& options, Node& node);
[[nodiscard]] Result<std::unique_ptr<Observation>> observe(const ObservationOptions& options, Shards& shards);

// The object that a control socket gives (docs/json.md, godwit-live).
[[nodiscard]] measure::Json describe_live(const Node& node);

}  // namespace godwit::cli
