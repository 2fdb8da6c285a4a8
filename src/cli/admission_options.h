// Who may connect to a listening command: peers with certain keys, or, said in so many words, anyone. For commands that
// require extended sessions, where every peer proves its key.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "crypto/keypair.h"
#include "transport/event.h"

namespace godwit::cli {

struct AdmissionOptions {
  std::vector<std::string> allow;
  bool anyone = false;

  [[nodiscard]] bool given() const { return anyone || !allow.empty(); }
  // Whether the key was named.
  [[nodiscard]] bool allows(const PublicKey& key) const;
  // Whether the peer of an established connection may use what is offered here.
  [[nodiscard]] bool admits(const Connected& connected) const;
};

void add_admission_options(CLI::App& app, AdmissionOptions& options);

}  // namespace godwit::cli
