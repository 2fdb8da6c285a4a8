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

// The table of exit_code.h with `more` in its place, ordered by number.
[[nodiscard]] std::string exit_code_footer(const std::vector<ExitCodeText>& more);

}  // namespace godwit::cli
