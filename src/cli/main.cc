// The command line: parses, runs one subcommand, returns its exit code. Errors of the arguments are one line and
// code 2.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"

namespace {

constexpr const char* kFooter =
    "Exit codes: 0 done; 1 failed or not verified; 2 wrong arguments, key or file; 3 the peer could not be reached or "
    "did\n"
    "not prove its key; 130 interrupted.";

int parse_and_run(int count, char** arguments) {
  namespace cli = godwit::cli;
  int exit_code = cli::kSuccess;
  CLI::App app("Encrypted peer-to-peer transport over UDP: moves files and messages, measures itself", "godwit");
  app.require_subcommand(1);
  app.footer(kFooter);
  cli::add_keygen_command(app, exit_code);
  cli::add_listen_command(app, exit_code);
  cli::add_send_command(app, exit_code);
  cli::add_ping_command(app, exit_code);
  cli::add_perf_command(app, exit_code);
  cli::add_analyze_command(app, exit_code);
  cli::add_bench_command(app, exit_code);
  cli::add_doctor_command(app, exit_code);
  cli::add_report_command(app, exit_code);
  cli::add_sim_command(app, exit_code);
  cli::add_version_command(app, exit_code);
  try {
    app.parse(count, arguments);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::CallForAllHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    cli::print_error(std::string(error.what()) + " (--help says more)");
    return cli::kUsage;
  }
  return exit_code;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    return parse_and_run(count, arguments);
  } catch (const std::exception& error) {
    // Memory exhausted, or the standard library's word on something that no command foresaw.
    std::fprintf(stderr, "godwit: error: %s\n", error.what());
    return godwit::cli::kFailure;
  }
}
