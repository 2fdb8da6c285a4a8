#include "runtime/resolve.h"

#include <netdb.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>

#include "base/connect_target.h"
#include "runtime/address_text.h"
#include "runtime/connector.h"
#include "udp/sockaddr.h"
#include "wire/limits.h"

namespace godwit {
namespace {

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
    const char* const why = status == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(status);
    return failure(ErrorCode::kNotFound, "cannot look up '" + parts->host + "': " + why);
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

}  // namespace godwit
