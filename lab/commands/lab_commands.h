// The subcommands that the laboratory adds to `godwit`, one file each; in the form of cli/commands.h.
#pragma once

#include <CLI/CLI.hpp>

namespace godwit::cli {

void add_analyze_command(CLI::App& app, int& exit_code);
void add_bench_command(CLI::App& app, int& exit_code);
void add_doctor_command(CLI::App& app, int& exit_code);
void add_report_command(CLI::App& app, int& exit_code);

}  // namespace godwit::cli
