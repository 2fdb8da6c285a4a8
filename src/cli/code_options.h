// One-time codes on the command line (docs/rendezvous.md section 7): --new-code of the side that makes one, --code of
// the side that types it. Whether a side listens or connects has nothing to do with it.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "base/result.h"
#include "rendezvous/code_exchange.h"
#include "runtime/node.h"

namespace godwit::cli {

struct CodeOptions {
  bool make = false;
  std::string code;

  [[nodiscard]] bool given() const { return make || !code.empty(); }
};

void add_code_options(CLI::App& app, CodeOptions& options);

// Errors: kInvalidArgument without a rendezvous (`via`), kUnsupported where this was built without libsodium.
[[nodiscard]] Status check_code(const CodeOptions& options, const std::string& via);

// For a connection from `node`, which outlives it, to the rendezvous with this key. The options have been checked.
[[nodiscard]] CodeExchange make_exchange(const CodeOptions& options, Node& node, const PublicKey& rendezvous);
// Tells the user a code that was made, once it is there; on standard error, since standard output may be for others.
void announce_code(CodeExchange& exchange);

}  // namespace godwit::cli
