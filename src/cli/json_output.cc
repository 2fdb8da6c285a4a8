#include "cli/json_output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "cli/console.h"

namespace godwit::cli {

bool write_json(const measure::Json& value, const OutputOptions& output) {
  if (!output.json && output.json_file.empty()) return true;
  const std::string text = measure::print_json(value);
  if (output.json) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
  }
  if (output.json_file.empty()) return true;
  std::FILE* const file = std::fopen(output.json_file.c_str(), "we");
  bool written = file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (file != nullptr) written = std::fclose(file) == 0 && written;
  if (!written) print_error("cannot write " + output.json_file + ": " + std::strerror(errno));
  return written;
}

}  // namespace godwit::cli
