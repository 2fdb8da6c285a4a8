// Where a command's JSON goes: standard output with --json, a file with --json-file. With --json there is valid JSON on
// standard output whatever happens: one object, or one a line for commands that report as they go. A command that ends
// without having written its own gets one from finish_json() that says why.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/network_options.h"
#include "support/json.h"

namespace godwit::cli {

struct JsonSchema {
  std::string name;  // "godwit-perf"
  int version = 1;
  bool lines = false;  // objects are printed one a line
};
// Results of measurements: stored and compared, and an object of this schema gets no member `error`.
inline constexpr std::string_view kResultsSchema = "godwit-benchmark-results";

// Which schema the output of a subcommand has.
struct CommandSchema {
  std::string_view command;
  std::string_view subcommand;  // empty: any
  std::string_view schema;
  int version;
  bool lines = false;
};
// The schema of the subcommand that `arguments` names, e.g. {"perf", "client", "--to"}, of this folder or in `more`;
// the one of errors that belong to no command where there is none.
[[nodiscard]] JsonSchema schema_of(int count, const char* const* arguments, const std::vector<CommandSchema>& more);
// Whether an argument asks for JSON on standard output; also where the others are wrong.
[[nodiscard]] bool asks_for_json(int count, const char* const* arguments);

// Prints and writes as asked for. An object that has no member `error` gets one: first_error(), or null; objects of
// other kinds stay as they are. False, with an error printed, when the file could not be written.
[[nodiscard]] bool write_json(measure::Json value, const OutputOptions& output);
// One object on one line of standard output, for a command that prints them as it goes.
void print_json_line(const measure::Json& value);
// At the end of a command that was asked for JSON: prints {"schema", "schema_version", "error"} unless write_json() has
// printed an object, or note_json_written() was called by a command that prints several.
void finish_json(const JsonSchema& schema, int exit_code);
void note_json_written();

// A file that can be written, or made, now: found out before the work rather than after it.
[[nodiscard]] CLI::Validator check_writable_file();

}  // namespace godwit::cli
