// Output of the benchmark programs: a line that cannot be written stops no measurement, and results that are lost are
// an error at the end. One thread.
#pragma once

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>

namespace godwit::bench {

inline constexpr int kOutputLost = 4;  // as godwit's own code for it

// An errno once something could not be written to standard output, else 0.
inline int& output_error() {
  static int error = 0;
  return error;
}

template <typename... Arguments>
void put(std::FILE* to, fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  const std::string text = fmt::format(format, std::forward<Arguments>(arguments)...);
  errno = 0;
  const bool written = std::fwrite(text.data(), 1, text.size(), to) == text.size();
  if (!written && to == stdout && output_error() == 0) output_error() = errno;
}

// The code that the program ends with.
[[nodiscard]] inline int finish_output(int code) {
  errno = 0;
  if (std::fflush(stdout) != 0 && output_error() == 0) output_error() = errno;
  if (output_error() == 0) return code;
  put(stderr, "error: cannot write to standard output: {}\n", std::strerror(output_error()));
  return code == 0 ? kOutputLost : code;
}

}  // namespace godwit::bench
