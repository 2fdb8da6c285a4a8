// The options of `godwit perf client`, which of them go together, and the run that they ask for.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "cli/open_node.h"
#include "cli/process_options.h"
#include "transfer/perf_client.h"

namespace godwit::cli {

struct PerfClientOptions {
  NetworkOptions network;
  PeerOptions peer;
  OutputOptions output;
  ProcessOptions process;
  std::optional<int> type_of_service;
  double seconds = 10;
  double omit_seconds = 0;
  std::uint16_t streams = 1;
  bool reverse = false;
  bool bidirectional = false;
  std::string interval = "1";
  std::string target;
  std::string stream_bytes = "16M";
  std::string working_set = "64M";
  bool no_digest = false;
  bool ping_pong = false;
  std::size_t size = 64;
  std::string ping_interval;
  std::size_t outstanding = 1;
  bool json_stream = false;
  CLI::App* command = nullptr;  // which options were given

  [[nodiscard]] bool given(const std::string& option) const { return command->get_option(option)->count() > 0; }
  // Bulk data runs beside an echo only when streams are asked for.
  [[nodiscard]] bool bulk() const {
    return !ping_pong || given("--parallel") || reverse || bidirectional || !target.empty();
  }
  [[nodiscard]] bool sends() const { return bulk() && !reverse; }
  [[nodiscard]] bool receives() const { return bulk() && (reverse || bidirectional); }
  // Between reports on the way; 0: none.
  [[nodiscard]] double interval_seconds() const;
  // Lines for a person go to standard output.
  [[nodiscard]] bool speaks() const { return !output.json && !json_stream; }
};

// `options` outlives the parser's callbacks.
void add_perf_client_options(CLI::App& command, PerfClientOptions& options);
// An option that would change nothing is an error, which says what it needs.
[[nodiscard]] Status check_perf_client_options(const PerfClientOptions& options);
[[nodiscard]] PerfClient::Options make_perf_client(const PerfClientOptions& options, const OpenedNode& opened);

}  // namespace godwit::cli
