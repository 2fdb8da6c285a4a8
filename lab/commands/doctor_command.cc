// `godwit doctor`: is this machine fit to measure on, what does it cost, and how is it mended? (measure/environment.h)

#include <unistd.h>

#include <memory>
#include <string>

#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/json_output.h"
#include "commands/lab_commands.h"
#include "commands/lab_exit_code.h"
#include "crypto/packet_cipher.h"
#include "measure/environment.h"
#include "measure/fingerprint.h"
#include "report/terminal.h"

namespace godwit::cli {
namespace {

int code_of(const measure::EnvironmentReport& report) {
  switch (report.exit_code()) {
    case 0: return kSuccess;
    case 1: return kMachineCosts;
    default: return kMachineUnfit;
  }
}

}  // namespace

void add_doctor_command(CLI::App& app, int& exit_code) {
  struct Options {
    bool complaints = false;
    OutputOptions output;
  };
  auto options = std::make_shared<Options>();
  CLI::App* const command =
      app.add_subcommand("doctor", "Looks at all that makes figures of this machine worse, noisier or void");
  command->add_flag("--complaints", options->complaints, "leave out what is in order");
  add_output_options(*command, options->output);
  command->callback([options, &exit_code] {
    const measure::EnvironmentReport report = measure::examine_environment();
    if (!options->output.json) {
      print_text(report::print_environment(report, report::terminal_options(STDOUT_FILENO), !options->complaints));
    }
    const measure::Json json =
        doctor_json(report, measure::take_fingerprint(std::string(cipher_name(preferred_cipher()))));
    exit_code = write_json(json, options->output) ? code_of(report) : kFailure;
  });
}

}  // namespace godwit::cli
