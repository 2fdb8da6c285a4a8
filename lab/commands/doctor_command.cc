// `godwit doctor`: is this machine fit to measure on, what does it cost, and how is it fixed? (measure/environment.h)

#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/json_output.h"
#include "cli/network_options.h"
#include "commands/cipher_speed.h"
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
    std::string cipher = "auto";
    OutputOptions output;
  };
  auto options = std::make_shared<Options>();
  CLI::App* const command =
      app.add_subcommand("doctor", "Looks at all that makes figures of this machine worse, noisier or void");
  command->add_flag("--complaints", options->complaints, "leave out what is in order");
  command->add_option("--cipher", options->cipher, "measure this implementation of AES-128-GCM alone")
      ->check(CLI::IsMember(cipher_names()))
      ->capture_default_str();
  add_output_options(*command, options->output);
  command->callback([options, &exit_code] {
    const measure::EnvironmentReport report = measure::examine_environment();
    const std::vector<CipherSpeed> ciphers = measure_cipher_speeds(parse_cipher_name(options->cipher));
    if (!options->output.json) {
      const report::TerminalOptions terminal = report::terminal_options(STDOUT_FILENO);
      print_text(report::print_environment(report, terminal, !options->complaints));
      if (!options->complaints) print_text("\n" + report::print_table(cipher_table(ciphers), terminal));
    }
    measure::Json json = doctor_json(report, measure::take_fingerprint(std::string(cipher_name(preferred_cipher()))));
    json["ciphers"] = to_json(ciphers);
    exit_code = write_json(json, options->output) ? code_of(report) : kFailure;
  });
}

}  // namespace godwit::cli
