// `godwit describe`, which --help leaves out: what --help knows of every command, as JSON for the tools that write
// manual pages and completions (tools/make_manual.py). What --help hides is hidden here as well.

#include <set>
#include <string>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/exit_code.h"
#include "cli/help.h"
#include "cli/json_output.h"
#include "support/build_facts.h"
#include "support/json.h"

namespace godwit::cli {
namespace {

measure::Json names_of(const std::set<CLI::Option*>& options) {
  measure::Json names = measure::Json::array();
  for (const CLI::Option* const option : options) names.push_back(option->get_name());
  return names;
}

measure::Json describe_option(const CLI::Option& option) {
  const bool takes_value = option.get_type_size() != 0;
  return {{"short", option.get_snames()},
          {"long", option.get_lnames()},
          {"positional", option.get_positional() ? measure::Json(option.get_name(true)) : measure::Json()},
          {"group", option.get_group()},
          {"type", takes_value ? measure::Json(type_of(option)) : measure::Json()},
          {"default", takes_value ? option.get_default_str() : std::string()},
          {"repeats", takes_value && option.get_expected_max() == CLI::detail::expected_max_vector_size},
          {"required", option.get_required()},
          {"needs", names_of(option.get_needs())},
          {"excludes", names_of(option.get_excludes())},
          {"description", option.get_description()}};
}

measure::Json describe_command(const CLI::App& app) {
  measure::Json options = measure::Json::array();
  for (const CLI::Option* const option : app.get_options()) {
    if (!option->get_group().empty()) options.push_back(describe_option(*option));
  }
  measure::Json commands = measure::Json::array();
  for (const CLI::App* const command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!command->get_group().empty()) commands.push_back(describe_command(*command));
  }
  return {
      {"name", app.get_name()}, {"description", app.get_description()}, {"options", options}, {"commands", commands}};
}

}  // namespace

void add_describe_command(CLI::App& app, int& exit_code, const std::vector<ExitCodeText>& more) {
  CLI::App* const command = app.add_subcommand("describe", "Prints what --help knows of every command, as JSON");
  command->group("");
  command->callback([&app, &exit_code, &more] {
    measure::Json codes = measure::Json::array();
    for (const ExitCodeText& each : exit_codes(more)) codes.push_back({{"code", each.code}, {"meaning", each.meaning}});
    print_text(measure::print_json({{"schema", "godwit-commands"},
                                    {"schema_version", 1},
                                    {"version", measure::build_facts().version},
                                    {"exit_codes", codes},
                                    {"program", describe_command(app)}}));
    exit_code = kSuccess;
  });
}

}  // namespace godwit::cli
