#include "cli/program.h"

#include <exception>
#include <memory>
#include <sstream>
#include <string>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/help.h"
#include "cli/suggestion.h"
#include "cli/version.h"

namespace godwit::cli {
namespace {

int parse_and_run(int count, char** arguments, const ProgramExtension& extension) {
  int exit_code = kSuccess;
  CLI::App app("Encrypted peer-to-peer transport over UDP: moves files and messages, measures itself", "godwit");
  app.require_subcommand(1);
  app.formatter(std::make_shared<HelpFormatter>());
  app.footer(exit_code_footer(extension.exit_codes));
  app.set_version_flag("--version", version_line(), "Print the version and exit");
  add_keygen_command(app, exit_code);
  add_listen_command(app, exit_code);
  add_send_command(app, exit_code);
  add_pipe_command(app, exit_code);
  add_forward_command(app, exit_code);
  add_peers_command(app, exit_code);
  add_rendezvous_command(app, exit_code);
  add_netcheck_command(app, exit_code);
  add_ping_command(app, exit_code);
  add_perf_command(app, exit_code, extension.perf);
  for (const auto add : extension.commands) add(app, exit_code);
  add_top_command(app, exit_code);
  add_sim_command(app, exit_code);
  add_version_command(app, exit_code);
  add_describe_command(app, exit_code, extension.exit_codes);
  try {
    app.parse(count, arguments);
  } catch (const CLI::Success& asked) {
    std::ostringstream text;
    const int code = app.exit(asked, text, text);
    print_text(text.str());
    note_json_written();
    return code;
  } catch (const CLI::ParseError& error) {
    // Of a word that is near another one the parser says only what is missing instead.
    const std::string meant = suggest(app, count, arguments);
    print_error((meant.empty() ? std::string(error.what()) : meant) + " (--help says more)");
    return kUsage;
  }
  return exit_code;
}

int run(int count, char** arguments, const ProgramExtension& extension) {
  try {
    return parse_and_run(count, arguments, extension);
  } catch (const std::exception& error) {
    // Memory exhausted, or the standard library's word on something that no command foresaw.
    print_error(error.what());
    return kFailure;
  }
}

}  // namespace

int run_program(int count, char** arguments, const ProgramExtension& extension) {
  prepare_output();
  const int exit_code = run(count, arguments, extension);
  if (asks_for_json(count, arguments)) finish_json(schema_of(count, arguments, extension.schemas), exit_code);
  return close_output(exit_code);
}

}  // namespace godwit::cli
