#include "cli/forward_spec.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <vector>

#include "cli/values.h"

namespace godwit::cli {
namespace {

// At the colons outside brackets.
std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  bool bracketed = false;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i == text.size() || (text[i] == ':' && !bracketed)) {
      parts.push_back(text.substr(begin, i - begin));
      begin = i + 1;
    } else if (text[i] == '[' || text[i] == ']') {
      bracketed = text[i] == '[';
    }
  }
  return parts;
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return port;
}

std::optional<SocketAddress> listen_address(std::string_view host, std::string_view port_text) {
  const auto port = parse_port(port_text);
  if (!port) return std::nullopt;
  if (host == "*") return SocketAddress::ipv6({}, *port);
  if (host.empty() || host == "localhost") return SocketAddress::ipv4({127, 0, 0, 1}, *port);
  return SocketAddress::parse(std::string(host) + ":" + std::to_string(*port));
}

// Without its brackets; nothing for what cannot be a host.
std::optional<std::string> host_of(std::string_view text) {
  const bool bracketed = text.size() > 2 && text.front() == '[' && text.back() == ']';
  if (bracketed) text = text.substr(1, text.size() - 2);
  if (text.empty() || text.size() > 253) return std::nullopt;
  const bool fine = std::ranges::all_of(text, [bracketed](char letter) {
    const bool plain = std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '.' || letter == '-' ||
                       letter == '_' || letter == '%';
    return plain || (bracketed && letter == ':');
  });
  if (!fine) return std::nullopt;
  std::string host(text);
  std::ranges::transform(host, host.begin(), [](char letter) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  });
  return host;
}

}  // namespace

ProtocolText split_protocol(std::string_view text) {
  if (text.ends_with("/udp")) return {.rest = text.substr(0, text.size() - 4), .udp = true};
  if (text.ends_with("/tcp")) text.remove_suffix(4);
  return {.rest = text};
}

std::optional<ListenPlace> parse_listen_place(std::string_view text) {
  const auto [rest, udp] = split_protocol(text);
  const auto address = parse_listen_address(rest);
  if (!address) return std::nullopt;
  return ListenPlace{.address = *address, .udp = udp};
}

std::optional<ForwardSpec> parse_forward(std::string_view whole) {
  const auto [text, udp] = split_protocol(whole);
  const std::vector<std::string_view> parts = split(text);
  if (parts.size() != 3 && parts.size() != 4) return std::nullopt;
  const std::size_t first = parts.size() - 3;
  const auto listen = listen_address(first == 1 ? parts[0] : std::string_view(), parts[first]);
  const std::string target = std::string(parts[first + 1]) + ":" + std::string(parts[first + 2]) + (udp ? "/udp" : "");
  const auto pattern = parse_target(target);
  if (!listen || !pattern || !pattern->port || *pattern->port == 0) return std::nullopt;
  return ForwardSpec{.listen = *listen, .target = target, .udp = udp};
}

std::optional<SocketAddress> parse_listen_address(std::string_view text) {
  const std::vector<std::string_view> parts = split(text);
  if (parts.size() == 1) return listen_address({}, parts[0]);
  if (parts.size() == 2) return listen_address(parts[0], parts[1]);
  return std::nullopt;
}

std::optional<TargetPattern> parse_target(std::string_view whole) {
  const auto [text, udp] = split_protocol(whole);
  const std::vector<std::string_view> parts = split(text);
  if (parts.size() != 2) return std::nullopt;
  auto host = host_of(parts[0]);
  const auto port = parse_port(parts[1]);
  if (!host || (!port && parts[1] != "*")) return std::nullopt;
  return TargetPattern{.host = std::move(*host), .port = port, .udp = udp};
}

bool matches(const TargetPattern& pattern, const TargetPattern& target) {
  return target.port && *target.port != 0 && pattern.host == target.host && pattern.udp == target.udp &&
         (!pattern.port || *pattern.port == *target.port);
}

CLI::Validator check_forward() {
  return check_parsed(parse_forward, "something to forward ([BIND:]PORT:HOST:PORT[/udp])");
}
CLI::Validator check_target_pattern() {
  return check_parsed(parse_target, "a target (HOST:PORT[/udp], or HOST:* for any port)");
}
CLI::Validator check_listen_address() {
  return check_parsed(parse_listen_place, "a place to listen at (PORT, or ADDR:PORT, and /udp)");
}

}  // namespace godwit::cli
