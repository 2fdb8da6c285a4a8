// `godwit keygen`: a new X25519 key in a file of mode 0600, and its public half on standard output.

#include <memory>
#include <string>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/json_output.h"
#include "cli/key_file.h"
#include "runtime/system_random.h"

namespace godwit::cli {
namespace {

struct KeygenOptions {
  std::string out;
  bool force = false;
  bool show = false;
  bool insecure = false;
  OutputOptions output;

  [[nodiscard]] KeyFileTrust trust() const { return insecure ? KeyFileTrust::kAnybody : KeyFileTrust::kOwnerOnly; }
};

int run_keygen(const KeygenOptions& options) {
  std::filesystem::path path = options.out;
  if (path.empty()) {
    const auto standard = default_key_path();
    if (!standard) {
      print_error(standard.error().message);
      return kUsage;
    }
    path = *standard;
  }
  SystemRandom random;
  auto key = options.show ? load_key(path, options.trust()) : create_key(path, random, options.force);
  if (!key) {
    std::error_code ignored;
    const bool exists = !options.show && std::filesystem::exists(path, ignored);
    print_error(exists ? "the key file " + path.string() +
                             " exists already; --show prints its public key, --force replaces it"
                       : key.error().message);
    return kUsage;
  }
  const std::string text = key->keys.public_key().to_hex();
  if (!options.output.json) print_line(text);
  return write_json({{"schema", "godwit-key"}, {"schema_version", 1}, {"public_key", text}}, options.output) ? kSuccess
                                                                                                             : kFailure;
}

}  // namespace

void add_keygen_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<KeygenOptions>();
  CLI::App* const command =
      app.add_subcommand("keygen", "Makes an X25519 key, writes it to a file of mode 0600 and prints the public key");
  command->add_option("--out", options->out, "file to write; default ~/.config/godwit/key")->type_name("FILE");
  command->add_flag("--force", options->force, "replace a file that exists");
  command->add_flag("--show", options->show, "print the public key of the file instead of making one");
  command->add_flag("--insecure-key", options->insecure, "show a key of a file that others may read or change");
  add_output_options(*command, options->output);
  command->callback([options, &exit_code] { exit_code = run_keygen(*options); });
}

}  // namespace godwit::cli
