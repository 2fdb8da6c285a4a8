// How --help looks: each option with its type once, and the exit codes below every command.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "cli/exit_code.h"

namespace godwit::cli {

class HelpFormatter final : public CLI::Formatter {
 public:
  [[nodiscard]] std::string make_option_opts(const CLI::Option* option) const override;
};

// The kind of value that an option takes, as --help shows it: "FILE", "{auto,gso}", "INT in [1 - 256]".
[[nodiscard]] std::string type_of(const CLI::Option& option);

// The table of exit_code.h with `more` in its place, ordered by number.
[[nodiscard]] std::vector<ExitCodeText> exit_codes(const std::vector<ExitCodeText>& more);
// The same as --help prints it.
[[nodiscard]] std::string exit_code_footer(const std::vector<ExitCodeText>& more);

}  // namespace godwit::cli
