#include "cli/help.h"

#include <algorithm>
#include <iterator>
#include <string_view>

namespace godwit::cli {

// CLI11 writes the type of the value and then what its validator says of itself, which repeats the type or is all there
// is to know: "TEXT:{auto,gso}" and "UINT:INT in [1 - 256]" become "{auto,gso}" and "INT in [1 - 256]".
std::string type_of(const CLI::Option& option) {
  std::string type = option.get_type_name();
  for (const std::string_view start : {":{", ":INT in [", ":UINT in [", ":FLOAT in [", ":POSITIVE", ":NONNEGATIVE"}) {
    if (const std::size_t found = type.find(start); found != std::string::npos) return type.substr(found + 1);
  }
  return type;
}

std::string HelpFormatter::make_option_opts(const CLI::Option* option) const {
  std::string text;
  const std::string type = type_of(*option);
  if (option->get_type_size() != 0) {
    if (!type.empty()) text += " " + type;
    if (!option->get_default_str().empty()) text += " [" + option->get_default_str() + "]";
    if (option->get_expected_max() == CLI::detail::expected_max_vector_size) text += " ...";
    if (option->get_required()) text += " " + get_label("REQUIRED");
  }
  const auto list = [&text](const std::string& label, const auto& others) {
    if (others.empty()) return;
    text += " " + label + ":";
    for (const CLI::Option* const other : others) text += " " + other->get_name();
  };
  list(get_label("Needs"), option->get_needs());
  list(get_label("Excludes"), option->get_excludes());
  return text;
}

std::vector<ExitCodeText> exit_codes(const std::vector<ExitCodeText>& more) {
  std::vector<ExitCodeText> codes(std::begin(kExitCodes), std::end(kExitCodes));
  codes.insert(codes.end(), more.begin(), more.end());
  std::ranges::sort(codes, {}, &ExitCodeText::code);
  return codes;
}

std::string exit_code_footer(const std::vector<ExitCodeText>& more) {
  std::string text = "Exit codes:";
  for (const ExitCodeText& each : exit_codes(more)) {
    const std::string number = std::to_string(each.code);
    text += "\n  " + number + std::string(5 - number.size(), ' ') + each.meaning;
  }
  return text;
}

}  // namespace godwit::cli
