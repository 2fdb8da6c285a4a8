// The command line: parses, runs one subcommand, returns its exit code. Errors of the arguments are one line and
// code 2.

#include <CLI/CLI.hpp>
#include <exception>
#include <memory>
#include <sstream>
#include <string>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/help.h"
#include "cli/json_output.h"
#include "cli/suggestion.h"
#include "cli/version.h"

namespace {

namespace cli = godwit::cli;

int parse_and_run(int count, char** arguments) {
  int exit_code = cli::kSuccess;
  CLI::App app("Encrypted peer-to-peer transport over UDP: moves files and messages, measures itself", "godwit");
  app.require_subcommand(1);
  app.formatter(std::make_shared<cli::HelpFormatter>());
  app.footer(cli::exit_code_footer());
  app.set_version_flag("--version", cli::version_line(), "Print the version and exit");
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
  } catch (const CLI::Success& asked) {
    std::ostringstream text;
    const int code = app.exit(asked, text, text);
    cli::print_text(text.str());
    cli::note_json_written();
    return code;
  } catch (const CLI::ParseError& error) {
    cli::print_error(std::string(error.what()) + cli::suggest(app, count, arguments) + " (--help says more)");
    return cli::kUsage;
  }
  return exit_code;
}

int run(int count, char** arguments) {
  try {
    return parse_and_run(count, arguments);
  } catch (const std::exception& error) {
    // Memory exhausted, or the standard library's word on something that no command foresaw.
    cli::print_error(error.what());
    return cli::kFailure;
  }
}

}  // namespace

int main(int count, char** arguments) {
  cli::prepare_output();
  const int exit_code = run(count, arguments);
  if (cli::asks_for_json(count, arguments)) cli::finish_json(cli::schema_of(count, arguments), exit_code);
  return cli::close_output(exit_code);
}
