// What is forwarded and what may be, as people write it: "[BIND:]PORT:HOST:PORT" as ssh has it, and "HOST:PORT" with a
// star for any port; "/udp" behind it means datagrams, and nothing or "/tcp" means connections.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/address.h"

namespace godwit::cli {

// Whether the text ends in "/udp", and what stands before that or "/tcp".
struct ProtocolText {
  std::string_view rest;
  bool udp = false;
};
[[nodiscard]] ProtocolText split_protocol(std::string_view text);

struct ForwardSpec {
  SocketAddress listen;  // loopback unless the text says otherwise
  std::string target;    // "HOST:PORT", "HOST:PORT/udp"
  bool udp = false;
};

// "8080:host:80", "192.0.2.1:8080:host:80", "[::1]:8080:[2001:db8::1]:80", "*:8080:host:80". Nothing for what is not
// like that; names of targets are not looked up.
[[nodiscard]] std::optional<ForwardSpec> parse_forward(std::string_view text);
// Where to listen: "PORT" at loopback, "ADDR:PORT", "[ADDR]:PORT", "*:PORT" everywhere.
[[nodiscard]] std::optional<SocketAddress> parse_listen_address(std::string_view text);
// The same with a protocol.
struct ListenPlace {
  SocketAddress address;
  bool udp = false;
  friend bool operator==(const ListenPlace&, const ListenPlace&) = default;
};
[[nodiscard]] std::optional<ListenPlace> parse_listen_place(std::string_view text);

// A host, and a port or any.
struct TargetPattern {
  std::string host;  // in lower case, an IPv6 address without its brackets
  std::optional<std::uint16_t> port;
  bool udp = false;
};
// "host:22", "[2001:db8::1]:22", "host:*", "host:53/udp".
[[nodiscard]] std::optional<TargetPattern> parse_target(std::string_view text);
// Whether `target`, which has a port, is one of `pattern`'s.
[[nodiscard]] bool matches(const TargetPattern& pattern, const TargetPattern& target);

[[nodiscard]] CLI::Validator check_forward();
[[nodiscard]] CLI::Validator check_target_pattern();
[[nodiscard]] CLI::Validator check_listen_address();

}  // namespace godwit::cli
