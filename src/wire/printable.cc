#include "wire/printable.h"

namespace godwit {

std::string printable(std::string_view text, std::size_t most) {
  std::string line;
  for (const char c : text.substr(0, most)) line.push_back(c >= ' ' && c <= '~' ? c : '?');
  if (text.size() > most) line += "...";
  return line;
}

}  // namespace godwit
