// `godwit perf`: the parent of `perf server` and `perf client`.

#include "cli/commands.h"

namespace godwit::cli {

void add_perf_command(CLI::App& app, int& exit_code, PerfExtension* extension) {
  CLI::App* const command =
      app.add_subcommand("perf", "Measures goodput and latency between two processes, as iperf3 does");
  command->require_subcommand(1);
  add_perf_server_command(*command, exit_code, extension);
  add_perf_client_command(*command, exit_code, extension);
}

}  // namespace godwit::cli
