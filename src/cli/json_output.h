// Where a command's JSON object goes: standard output with --json, a file with --json-file (decisions 22).
#pragma once

#include "cli/network_options.h"
#include "measure/json.h"

namespace godwit::cli {

// Prints and writes as asked for. False, with an error printed, when the file could not be written.
[[nodiscard]] bool write_json(const measure::Json& value, const OutputOptions& output);

}  // namespace godwit::cli
