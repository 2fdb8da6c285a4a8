// What a descriptor that people may look at allows: colour, and how wide it is.
#pragma once

#include <cstddef>

namespace godwit::report {

struct TerminalOptions {
  bool colour = false;
  std::size_t width = 0;  // columns; 0: unlimited (a file or a pipe)
};

// For an open descriptor: colour and width of a terminal, neither for anything else. NO_COLOR (https://no-color.org)
// and TERM=dumb switch colour off.
[[nodiscard]] TerminalOptions terminal_options(int descriptor);

}  // namespace godwit::report
