// The command line as a whole. What stands in an extension is treated as the plain program's own commands are: listed
// by --help, with JSON and exit codes in the same tables.
#pragma once

#include <CLI/CLI.hpp>
#include <vector>

#include "cli/exit_code.h"
#include "cli/json_output.h"
#include "cli/perf_instruments.h"

namespace godwit::cli {

struct ProgramExtension {
  std::vector<void (*)(CLI::App& app, int& exit_code)> commands;
  std::vector<CommandSchema> schemas;
  std::vector<ExitCodeText> exit_codes;
  PerfExtension* perf = nullptr;  // outlives the program's run
};

// Parses, runs one subcommand, and returns the exit code of the process (exit_code.h). Errors of the arguments are one
// line and code 2. To be called once, by main().
[[nodiscard]] int run_program(int count, char** arguments, const ProgramExtension& extension);

}  // namespace godwit::cli
