#include "base/address.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/bytes.h"
#include "base/keyed_hash.h"

namespace godwit {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

template <typename T>
std::optional<T> parse_number(std::string_view text, int base, T largest) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size() || value > largest) return std::nullopt;
  return static_cast<T>(value);
}

std::optional<std::array<std::uint8_t, 4>> parse_ipv4(std::string_view text) {
  std::array<std::uint8_t, 4> octets{};
  for (std::size_t i = 0; i < 4; ++i) {
    const std::size_t end = i < 3 ? text.find('.') : text.size();
    if (end == std::string_view::npos || end == 0 || end > 3) return std::nullopt;
    const auto octet = parse_number<std::uint8_t>(text.substr(0, end), 10, 255);
    if (!octet) return std::nullopt;
    octets[i] = *octet;
    text.remove_prefix(i < 3 ? end + 1 : end);
  }
  return octets;
}

// RFC 4291 section 2.2: groups of four hexadecimal digits, one "::" for a run of zeros, a dotted IPv4 tail.
std::optional<std::array<std::uint8_t, 16>> parse_ipv6(std::string_view text) {
  std::array<std::uint8_t, 16> head{};
  std::array<std::uint8_t, 16> tail{};
  std::size_t head_size = 0;
  std::size_t tail_size = 0;
  bool elided = false;
  if (text.starts_with("::")) {
    elided = true;
    text.remove_prefix(2);
  }
  while (!text.empty()) {
    auto& part = elided ? tail : head;
    auto& size = elided ? tail_size : head_size;
    const std::size_t end = std::min(text.find(':'), text.size());
    const std::string_view group = text.substr(0, end);
    if (group.find('.') != std::string_view::npos) {
      const auto octets = parse_ipv4(text);
      if (!octets || size + 4 > 16) return std::nullopt;
      std::copy(octets->begin(), octets->end(), part.begin() + static_cast<std::ptrdiff_t>(size));
      size += 4;
      break;
    }
    if (group.empty() || group.size() > 4 || size + 2 > 16) return std::nullopt;
    const auto value = parse_number<std::uint16_t>(group, 16, 0xffff);
    if (!value) return std::nullopt;
    part[size++] = static_cast<std::uint8_t>(*value >> 8);
    part[size++] = static_cast<std::uint8_t>(*value & 0xff);
    text.remove_prefix(end);
    if (text.empty()) break;
    text.remove_prefix(1);
    if (text.empty()) return std::nullopt;  // a single colon at the end
    if (text.front() == ':') {
      if (elided) return std::nullopt;
      elided = true;
      text.remove_prefix(1);
    }
  }
  if (elided ? head_size + tail_size > 14 : head_size != 16) return std::nullopt;
  std::copy_n(tail.begin(), tail_size, head.end() - static_cast<std::ptrdiff_t>(tail_size));
  return head;
}

// RFC 5952: lower case, the longest run of at least two zero groups elided.
std::string print_ipv6(const std::array<std::uint8_t, 16>& octets) {
  std::array<unsigned, 8> groups{};
  for (std::size_t i = 0; i < 8; ++i) groups[i] = static_cast<unsigned>(octets[2 * i] << 8 | octets[2 * i + 1]);
  std::size_t best = 8;
  std::size_t best_length = 1;
  for (std::size_t i = 0; i < 8;) {
    std::size_t length = 0;
    while (i + length < 8 && groups[i + length] == 0) ++length;
    if (length > best_length) {
      best = i;
      best_length = length;
    }
    i += std::max<std::size_t>(length, 1);
  }
  std::string text;
  for (std::size_t i = 0; i < 8;) {
    if (i == best) {
      text += "::";
      i += best_length;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    text += fmt::format("{:x}", groups[i]);
    ++i;
  }
  return text;
}

}  // namespace

SocketAddress SocketAddress::ipv4(std::array<std::uint8_t, 4> octets, std::uint16_t port) {
  SocketAddress address;
  std::copy(octets.begin(), octets.end(), address.octets_.begin());
  address.port_ = port;
  address.family_ = Family::kIpv4;
  return address;
}

SocketAddress SocketAddress::ipv6(std::array<std::uint8_t, 16> octets, std::uint16_t port, std::uint32_t scope_id) {
  if (std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), octets.begin())) {
    return ipv4({octets[12], octets[13], octets[14], octets[15]}, port);
  }
  SocketAddress address;
  address.octets_ = octets;
  address.port_ = port;
  address.family_ = Family::kIpv6;
  if (address.is_link_local()) address.scope_id_ = scope_id;
  return address;
}

bool SocketAddress::is_loopback() const {
  if (is_ipv4()) return octets_[0] == 127;
  constexpr std::array<std::uint8_t, 16> kLoopback = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return is_ipv6() && octets_ == kLoopback;
}

bool SocketAddress::is_private() const {
  if (is_ipv6()) return (octets_[0] & 0xfe) == 0xfc;
  return octets_[0] == 10 || (octets_[0] == 172 && (octets_[1] & 0xf0) == 16) ||
         (octets_[0] == 192 && octets_[1] == 168) || (octets_[0] == 100 && (octets_[1] & 0xc0) == 64);
}

bool SocketAddress::is_multicast() const {
  if (is_ipv6()) return octets_[0] == 0xff;
  if (!is_ipv4()) return false;
  return (octets_[0] & 0xf0) == 0xe0 ||
         std::all_of(octets_.begin(), octets_.begin() + 4, [](std::uint8_t octet) { return octet == 0xff; });
}

std::optional<SocketAddress> SocketAddress::parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon + 1 == text.size()) return std::nullopt;
  const auto port = parse_number<std::uint16_t>(text.substr(colon + 1), 10, 0xffff);
  if (!port) return std::nullopt;
  const std::string_view host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    const std::string_view inner = host.substr(1, host.size() - 2);
    const std::size_t zone = inner.find('%');
    const auto octets = parse_ipv6(inner.substr(0, zone));
    if (!octets) return std::nullopt;
    if (zone == std::string_view::npos) return ipv6(*octets, *port);
    const auto scope_id = parse_number<std::uint32_t>(inner.substr(zone + 1), 10, 0xffffffff);
    if (!scope_id) return std::nullopt;
    const SocketAddress address = ipv6(*octets, *port, *scope_id);
    // A zone on an address that has none is a mistake, not something to leave out.
    return address.is_link_local() ? std::optional(address) : std::nullopt;
  }
  const auto octets = parse_ipv4(host);
  if (!octets) return std::nullopt;
  return ipv4(*octets, *port);
}

SocketAddress SocketAddress::with_port(std::uint16_t port) const {
  SocketAddress address = *this;
  address.port_ = port;
  return address;
}

SocketAddress SocketAddress::prefix() const {
  SocketAddress address = with_port(0);
  if (is_ipv6()) std::fill(address.octets_.begin() + 8, address.octets_.end(), std::uint8_t{0});
  return address;
}

SocketAddress SocketAddress::network() const {
  SocketAddress address = prefix();
  if (is_ipv6()) std::fill(address.octets_.begin() + 6, address.octets_.end(), std::uint8_t{0});
  return address;
}

std::string SocketAddress::to_string() const {
  switch (family_) {
    case Family::kIpv4: return fmt::format("{}.{}.{}.{}:{}", octets_[0], octets_[1], octets_[2], octets_[3], port_);
    case Family::kIpv6:
      if (scope_id_ != 0) return fmt::format("[{}%{}]:{}", print_ipv6(octets_), scope_id_, port_);
      return fmt::format("[{}]:{}", print_ipv6(octets_), port_);
    case Family::kNone: break;
  }
  return "unspecified";
}

std::uint64_t SocketAddress::hash(const HashKey& key) const noexcept {
  std::array<std::uint8_t, 23> bytes{};
  std::ranges::copy(octets_, bytes.begin());
  store_le<std::uint16_t>(bytes.data() + 16, port_);
  bytes[18] = static_cast<std::uint8_t>(family_);
  store_le<std::uint32_t>(bytes.data() + 19, scope_id_);
  return key.hash(bytes);
}

}  // namespace godwit
