#include "cli/admission_options.h"

#include <algorithm>

#include "cli/values.h"

namespace godwit::cli {

bool AdmissionOptions::allows(const PublicKey& key) const {
  return std::ranges::any_of(allow, [&key](const std::string& text) { return PublicKey::from_hex(text) == key; });
}

bool AdmissionOptions::admits(const Connected& connected) const {
  return anyone || (connected.peer->key && allows(*connected.peer->key));
}

void add_admission_options(CLI::App& app, AdmissionOptions& options) {
  CLI::Option* const allow = app.add_option("--allow", options.allow, "let the peer with this key connect")
                                 ->check(check_public_key())
                                 ->allow_extra_args(false)
                                 ->type_name("HEX");
  app.add_flag("--anyone", options.anyone, "let everybody connect who knows this address and key")->excludes(allow);
}

}  // namespace godwit::cli
