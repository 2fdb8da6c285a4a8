#include "runtime/address_text.h"

#include <net/if.h>

#include <algorithm>

namespace godwit {

std::string with_numeric_zone(std::string_view text) {
  const std::size_t zone = text.find('%');
  if (zone == std::string_view::npos) return std::string(text);
  const std::size_t end = std::min(text.find(']', zone), text.size());
  const std::string name(text.substr(zone + 1, end - zone - 1));
  const unsigned index = ::if_nametoindex(name.c_str());
  if (index == 0) return std::string(text);
  return std::string(text.substr(0, zone + 1)) + std::to_string(index) + std::string(text.substr(end));
}

std::optional<SocketAddress> parse_address_with_zone(std::string_view text) {
  return SocketAddress::parse(with_numeric_zone(text));
}

}  // namespace godwit
