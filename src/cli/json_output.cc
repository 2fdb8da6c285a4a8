#include "cli/json_output.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>

#include "cli/console.h"
#include "support/text_file.h"

namespace godwit::cli {
namespace {

constexpr std::array kCommandSchemas = {CommandSchema{"keygen", "", "godwit-key", 1},
                                        CommandSchema{"listen", "", "godwit-listen-event", 1, true},
                                        CommandSchema{"send", "", "godwit-send", 1},
                                        CommandSchema{"ping", "", "godwit-ping", 1},
                                        CommandSchema{"peers", "list", "godwit-peers", 1},
                                        CommandSchema{"rendezvous", "", "godwit-rendezvous", 1},
                                        CommandSchema{"netcheck", "", "godwit-netcheck", 1},
                                        CommandSchema{"pipe", "", "godwit-pipe", 1},
                                        CommandSchema{"forward", "", "godwit-forward-event", 1, true},
                                        CommandSchema{"perf", "client", "godwit-perf", 2},
                                        CommandSchema{"perf", "server", "godwit-perf-server", 2},
                                        CommandSchema{"top", "", "godwit-top", 1},
                                        CommandSchema{"version", "", "godwit-version", 1},
                                        CommandSchema{"sim", "table", "godwit-simulation-table", 1}};

std::atomic<bool> json_written{false};

// Whether `word` sets the flag `name`, with a value or without, as the parser reads it. A value that is none is an
// error, which is to be told in the form that was asked for.
bool sets_flag(std::string_view word, std::string_view name) {
  if (!word.starts_with(name)) return false;
  word.remove_prefix(name.size());
  if (word.empty()) return true;
  bool set = true;
  return word.front() == '=' && (!CLI::detail::lexical_cast(std::string(word.substr(1)), set) || set);
}

}  // namespace

JsonSchema schema_of(int count, const char* const* arguments, const std::vector<CommandSchema>& more) {
  const auto streams = [](const char* word) { return sets_flag(word, "--json-stream"); };
  if (std::any_of(arguments, arguments + count, streams)) return {"godwit-perf-event", 2, true};
  const auto word = [&](int index) { return index < count ? std::string_view(arguments[index]) : std::string_view(); };
  std::vector<CommandSchema> all(kCommandSchemas.begin(), kCommandSchemas.end());
  all.insert(all.end(), more.begin(), more.end());
  for (const CommandSchema& each : all) {
    if (word(1) != each.command) continue;
    if (each.subcommand.empty() || word(2) == each.subcommand)
      return {std::string(each.schema), each.version, each.lines};
  }
  return {"godwit-error", 1};
}

bool asks_for_json(int count, const char* const* arguments) {
  for (int i = 1; i < count; ++i) {
    const std::string_view word = arguments[i];
    if (word == "--") return false;
    if (sets_flag(word, "--json") || sets_flag(word, "--json-stream")) return true;
  }
  return false;
}

bool write_json(measure::Json value, const OutputOptions& output) {
  if (!output.json && output.json_file.empty()) return true;
  if (value.is_object() && value.value("schema", "") != kResultsSchema && !value.contains("error")) {
    const std::optional<std::string> error = first_error();
    value["error"] = error ? measure::Json(*error) : measure::Json();
  }
  const std::string text = measure::print_json(value);
  if (output.json) {
    print_text(text);
    note_json_written();
  }
  if (output.json_file.empty()) return true;
  const Status written = measure::write_text_file(output.json_file, text);
  if (!written) print_error(written.error().message);
  return written.has_value();
}

void print_json_line(const measure::Json& value) {
  print_text(value.dump(-1, ' ', false, measure::Json::error_handler_t::replace) + "\n");
  note_json_written();
}

void finish_json(const JsonSchema& schema, int exit_code) {
  if (json_written) return;
  const std::string why = "ended with code " + std::to_string(exit_code);
  const measure::Json object = {
      {"schema", schema.name}, {"schema_version", schema.version}, {"error", first_error().value_or(why)}};
  if (schema.lines) return print_json_line(object);
  print_text(measure::print_json(object));
  note_json_written();
}

void note_json_written() {
  json_written = true;
}

CLI::Validator check_writable_file() {
  return {[](const std::string& text) -> std::string {
            const std::filesystem::path path(text);
            std::error_code ignored;
            const bool exists = std::filesystem::exists(path, ignored);
            const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
            if (std::filesystem::is_directory(path, ignored)) return "cannot write " + text + ": it is a directory";
            if (::access(exists ? path.c_str() : folder.c_str(), exists ? W_OK : W_OK | X_OK) == 0) return {};
            return "cannot write " + text + ": " + std::strerror(errno);
          },
          ""};
}

}  // namespace godwit::cli
