#include "support/terminal_options.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace godwit::report {

TerminalOptions terminal_options(int descriptor) {
  TerminalOptions options;
  if (::isatty(descriptor) == 0) return options;
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  const bool dumb = term == nullptr || std::string_view(term) == "dumb";
  options.colour = (no_color == nullptr || *no_color == '\0') && !dumb;
  winsize size{};
  if (::ioctl(descriptor, TIOCGWINSZ, &size) == 0) options.width = size.ws_col;
  return options;
}

}  // namespace godwit::report
