// The subcommands of `godwit`, one file each. add_* registers one with its options; parsing runs it, and its exit code
// (exit_code.h) is left in `exit_code`.
#pragma once

#include <CLI/CLI.hpp>
#include <vector>

#include "cli/exit_code.h"

namespace godwit::cli {

class PerfExtension;

void add_keygen_command(CLI::App& app, int& exit_code);
void add_listen_command(CLI::App& app, int& exit_code);
void add_send_command(CLI::App& app, int& exit_code);
void add_pipe_command(CLI::App& app, int& exit_code);
void add_forward_command(CLI::App& app, int& exit_code);
void add_peers_command(CLI::App& app, int& exit_code);
void add_rendezvous_command(CLI::App& app, int& exit_code);
void add_netcheck_command(CLI::App& app, int& exit_code);
void add_ping_command(CLI::App& app, int& exit_code);
// `extension` may be null; it outlives the parser.
void add_perf_command(CLI::App& app, int& exit_code, PerfExtension* extension);
void add_sim_command(CLI::App& app, int& exit_code);
void add_top_command(CLI::App& app, int& exit_code);
void add_version_command(CLI::App& app, int& exit_code);
// `app` is the whole program, `more` are the exit codes beyond exit_code.h; both outlive the parser.
void add_describe_command(CLI::App& app, int& exit_code, const std::vector<ExitCodeText>& more);

// Of `perf`.
void add_perf_server_command(CLI::App& app, int& exit_code, PerfExtension* extension);
void add_perf_client_command(CLI::App& app, int& exit_code, PerfExtension* extension);

}  // namespace godwit::cli
