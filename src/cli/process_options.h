// Options of a measurement that concern the process rather than the network, as iperf3 has them: where the output goes,
// with which time stamps, on which processor, and in the background.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "base/result.h"

namespace godwit::cli {

struct ProcessOptions {
  std::string log_file;
  std::string timestamps;  // a format of strftime(3); empty: none
  std::optional<int> processor;
};

void add_process_options(CLI::App& app, ProcessOptions& options);
// Before anything is printed. Errors: a log file that cannot be written, a processor that this process may not use.
[[nodiscard]] Status apply(const ProcessOptions& options);

// A server in the background: its parent waits until the server listens, so that what comes after it in a script finds
// it there, and ends.
class Daemon {
 public:
  // Forks. Returns in both processes; before any thread is started.
  Daemon();
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // This process is the one that was started, with the exit code that it ends with; nothing in the server.
  [[nodiscard]] std::optional<int> parent_exit_code() const { return parent_exit_code_; }
  // The server listens: its terminal is let go of. Its output goes on only where `keep_output`.
  void ready(bool keep_output);

 private:
  std::optional<int> parent_exit_code_;
  int parent_ = -1;  // a pipe to the parent
};

}  // namespace godwit::cli
