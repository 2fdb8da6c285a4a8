// `godwit version`: what this program was built from.

#include "cli/version.h"

#include <memory>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/json_output.h"
#include "code/cpace.h"
#include "crypto/packet_cipher.h"
#include "port_mapping/port_mapper.h"
#include "support/build_facts.h"
#include "wire/version.h"

namespace godwit::cli {
namespace {

int run_version(const OutputOptions& output) {
  const measure::BuildFacts build = measure::build_facts();
  const std::string cipher(cipher_name(preferred_cipher()));
  const std::string mapping = port_mapping_protocols();
  if (!output.json) {
    print_line("godwit " + build.version);
    print_line("commit " + build.commit + (build.dirty ? " (dirty)" : ""));
    print_line("built by " + build.compiler + ", " + build.build_type + ", " + build.instruction_set +
               (build.sanitizers.empty() ? "" : ", sanitizers " + build.sanitizers));
    print_line("cipher " + cipher);
    print_line(std::string("one-time codes: ") + (cpace::available() ? "yes" : "no, built without libsodium"));
    print_line("port mapping: " + mapping);
    for (const auto& [name, version] : build.libraries) print_line(name + " " + version);
  }
  measure::Json libraries = measure::Json::object();
  for (const auto& [name, version] : build.libraries) libraries[name] = version;
  const measure::Json result = {{"schema", "godwit-version"},
                                {"schema_version", 1},
                                {"version", build.version},
                                {"commit", build.commit_known ? measure::Json(build.commit) : measure::Json()},
                                {"dirty", build.dirty},
                                {"compiler", build.compiler},
                                {"build_type", build.build_type},
                                {"flags", build.flags},
                                {"sanitizers", build.sanitizers},
                                {"instruction_set", build.instruction_set},
                                {"cipher", cipher},
                                {"one_time_codes", cpace::available()},
                                {"port_mapping", mapping.empty() ? measure::Json() : measure::Json(mapping)},
                                {"libraries", libraries}};
  return write_json(result, output) ? kSuccess : kFailure;
}

}  // namespace

std::string version_line() {
  const measure::BuildFacts build = measure::build_facts();
  return "godwit " + build.version + " (commit " + build.commit + (build.dirty ? ", dirty)" : ")");
}

void add_version_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<OutputOptions>();
  CLI::App* const command = app.add_subcommand("version", "Prints what this program was built from");
  add_output_options(*command, *options);
  command->callback([options, &exit_code] { exit_code = run_version(*options); });
}

}  // namespace godwit::cli
