#include "cli/values.h"

#include <netdb.h>
#include <sys/socket.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <memory>

#include "base/connect_target.h"
#include "crypto/keypair.h"
#include "runtime/address_text.h"
#include "runtime/connector.h"
#include "transfer/control.h"
#include "udp/sockaddr.h"
#include "wire/limits.h"

namespace godwit::cli {
namespace {

struct Quantity {
  double value = 0;
  std::string_view unit;
};

std::optional<Quantity> parse_quantity(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc{} || end == text.data() || !std::isfinite(value) || value < 0) return std::nullopt;
  return Quantity{value, text.substr(static_cast<std::size_t>(end - text.data()))};
}

std::optional<double> scale_of(std::string_view unit, double base) {
  if (unit.empty()) return 1.0;
  if (unit.size() > 1) return std::nullopt;
  switch (unit[0]) {
    case 'k':
    case 'K': return base;
    case 'm':
    case 'M': return base * base;
    case 'g':
    case 'G': return base * base * base;
    case 't':
    case 'T': return base * base * base * base;
    default: return std::nullopt;
  }
}

std::optional<std::uint64_t> whole(double value) {
  if (value >= 9.2e18) return std::nullopt;
  return static_cast<std::uint64_t>(value + 0.5);
}

// Without a name of its own: the option names the type.
template <typename Parser>
CLI::Validator check(Parser parser, const char* expected) {
  return {[parser, expected](const std::string& text) {
            return parser(text) ? std::string() : "'" + text + "' is not " + expected;
          },
          ""};
}

struct HostPort {
  std::string host;
  std::string port;
};

// "host:port", "[v6]:port", "[v6]", "host"; a bare IPv6 address has more than one colon and no port.
std::optional<HostPort> split(const std::string& text) {
  if (!text.empty() && text[0] == '[') {
    const std::size_t close = text.find(']');
    if (close == std::string::npos) return std::nullopt;
    const std::string rest = text.substr(close + 1);
    if (!rest.empty() && (rest[0] != ':' || rest.size() == 1)) return std::nullopt;
    return HostPort{text.substr(1, close - 1), rest.empty() ? "" : rest.substr(1)};
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || text.find(':') != colon) return HostPort{text, ""};
  if (colon + 1 == text.size()) return std::nullopt;
  return HostPort{text.substr(0, colon), text.substr(colon + 1)};
}

std::optional<std::uint16_t> parse_port(const std::string& text) {
  if (text.empty()) return wire::kDefaultPort;
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

std::optional<SocketAddress> numeric(const std::string& host, std::uint16_t port) {
  const std::string number = ":" + std::to_string(port);
  if (auto ipv4 = SocketAddress::parse(host + number)) return ipv4;
  return SocketAddress::parse("[" + with_numeric_zone(host) + "]" + number);
}

// An address whose zone cannot be read is no name to look up.
Error zone_error(const std::string& host) {
  return {.code = ErrorCode::kInvalidArgument,
          .message = "'" + host + "' is no link-local address of an interface of this machine (fe80::1%eth0)"};
}

Result<std::vector<SocketAddress>> numeric_peer(const SocketAddress& address) {
  const auto target = connect_target(address);
  if (!target) return std::unexpected(target.error());
  std::vector<SocketAddress> addresses{*target};
  // "[::]" takes IPv4 as well, and alone where IPv6 is switched off on the loopback interface.
  if (address.is_wildcard() && address.is_ipv6()) {
    addresses.push_back(SocketAddress::ipv4({127, 0, 0, 1}, address.port()));
  }
  return addresses;
}

}  // namespace

std::optional<Bandwidth> parse_rate(std::string_view text) {
  const auto quantity = parse_quantity(text);
  if (!quantity) return std::nullopt;
  const auto scale = scale_of(quantity->unit, 1000);
  const auto bits = scale ? whole(quantity->value * *scale) : std::nullopt;
  if (!bits || *bits < 8) return std::nullopt;
  return Bandwidth::from_bits_per_second(*bits);
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  const auto quantity = parse_quantity(text);
  if (!quantity) return std::nullopt;
  const auto scale = scale_of(quantity->unit, 1024);
  return scale ? whole(quantity->value * *scale) : std::nullopt;
}

std::optional<Duration> parse_duration(std::string_view text) {
  const auto quantity = parse_quantity(text);
  if (!quantity) return std::nullopt;
  double seconds = 0;
  if (quantity->unit.empty() || quantity->unit == "s")
    seconds = quantity->value;
  else if (quantity->unit == "ms")
    seconds = quantity->value * 1e-3;
  else if (quantity->unit == "us")
    seconds = quantity->value * 1e-6;
  else if (quantity->unit == "ns")
    seconds = quantity->value * 1e-9;
  else if (quantity->unit == "m")
    seconds = quantity->value * 60;
  else
    return std::nullopt;
  if (seconds > 1e9) return std::nullopt;
  return Duration{static_cast<Duration::rep>(std::llround(seconds * 1e9))};
}

std::optional<double> parse_probability(std::string_view text) {
  const auto quantity = parse_quantity(text);
  if (!quantity) return std::nullopt;
  double value = quantity->value;
  if (quantity->unit == "%")
    value /= 100;
  else if (!quantity->unit.empty())
    return std::nullopt;
  if (value > 1) return std::nullopt;
  return value;
}

Result<std::vector<SocketAddress>> resolve_peer(const std::string& text) {
  const auto parts = split(text);
  const auto port = parts ? parse_port(parts->port) : std::nullopt;
  if (!port || *port == 0 || parts->host.empty()) {
    return failure(ErrorCode::kInvalidArgument,
                   "'" + text + "' is not an address (ADDR:PORT, [ADDR]:PORT or NAME:PORT)");
  }
  if (const auto address = numeric(parts->host, *port)) return numeric_peer(*address);
  if (parts->host.find('%') != std::string::npos) return std::unexpected(zone_error(parts->host));
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_DGRAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  const int status = ::getaddrinfo(parts->host.c_str(), nullptr, &hints, &found);
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  if (status != 0) {
    return failure(ErrorCode::kNotFound, "cannot look up '" + parts->host + "': " + ::gai_strerror(status));
  }
  std::vector<SocketAddress> addresses;
  Error refused{.code = ErrorCode::kNotFound, .message = "'" + parts->host + "' has no address"};
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    const auto address = from_kernel(entry->ai_addr, entry->ai_addrlen);
    if (!address) continue;
    const auto target = connect_target(address->with_port(*port));
    if (target) addresses.push_back(*target);
    if (!target) refused = target.error();
  }
  if (addresses.empty()) return std::unexpected(refused);
  return interleave_families(addresses);
}

Result<SocketAddress> parse_bind(const std::string& text) {
  const auto parts = split(text);
  const auto port = parts ? parse_port(parts->port) : std::nullopt;
  if (port && (parts->host.empty() || parts->host == "*")) return SocketAddress().with_port(*port);
  const auto address = port ? numeric(parts->host, *port) : std::nullopt;
  if (!address && port && parts->host.find('%') != std::string::npos) return std::unexpected(zone_error(parts->host));
  if (!address) {
    return failure(ErrorCode::kInvalidArgument,
                   "'" + text + "' is not an address to bind to (ADDR:PORT or [ADDR]:PORT)");
  }
  return *address;
}

CLI::Validator check_rate() {
  return check(parse_rate, "a rate in bits per second (100M, 2.5G)");
}
CLI::Validator check_message_size() {
  return CLI::Range(kEchoHeader, wire::kShortMessageLimit);
}

CLI::Validator check_size() {
  return check(parse_size, "a size in bytes (64M, 10G)");
}
CLI::Validator check_positive_size() {
  const auto parse = [](std::string_view text) {
    const auto bytes = parse_size(text);
    return bytes && *bytes > 0 ? bytes : std::nullopt;
  };
  return check(parse, "a size of at least one byte (64M, 10G)");
}
CLI::Validator check_duration() {
  return check(parse_duration, "a time (10, 1.5s, 25ms, 100us)");
}
CLI::Validator check_seconds(double least, double most) {
  CLI::Validator check = CLI::Range(least, most);
  return check & CLI::Validator(
                     [](const std::string& text) {
                       const auto end = text.find_first_not_of("+-.eE0123456789");
                       return end == std::string::npos ? std::string() : "'" + text + "' is not a number of seconds";
                     },
                     "");
}
CLI::Validator check_probability() {
  return check(parse_probability, "a probability (0.01 or 1%)");
}
CLI::Validator check_bind() {
  return check(parse_bind, "an address to bind to (ADDR:PORT or [ADDR]:PORT)");
}
CLI::Validator check_public_key() {
  return check(PublicKey::from_hex, "a public key of 64 hexadecimal digits");
}

}  // namespace godwit::cli
