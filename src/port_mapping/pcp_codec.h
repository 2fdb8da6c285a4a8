// The MAP request of the Port Control Protocol (RFC 6887, sections 7 and 11.1) and its answer. Values <-> bytes.
// Invariant: decoding is total: any bytes yield an answer or nothing.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/address.h"
#include "base/bytes.h"

namespace godwit::pcp {

inline constexpr std::uint16_t kPort = 5351;
inline constexpr std::size_t kMapSize = 60;
inline constexpr std::size_t kMostBytes = 1100;  // of any message, section 7
// Says that an answer is to this request, and that a change of a mapping comes from whoever has made it.
using Nonce = std::array<std::uint8_t, 12>;

enum class ResultCode : std::uint8_t {
  kSuccess = 0,
  kUnsupportedVersion = 1,  // the router has NAT-PMP, or a later version
  kNotAuthorized = 2,
  kNoResources = 8,
};

// For UDP. `client`: the IPv4 address of this machine as the router sees it; `wanted` 0: any public port. A lifetime of
// 0 gives the mapping back.
[[nodiscard]] std::array<std::uint8_t, kMapSize> encode_map(const SocketAddress& client, const Nonce& nonce,
                                                            std::uint16_t port, std::uint16_t wanted,
                                                            std::uint32_t lifetime_seconds);

struct MapAnswer {
  ResultCode code = ResultCode::kSuccess;  // another value of the wire is another refusal
  std::uint32_t lifetime_seconds = 0;
  SocketAddress mapped;  // of a success
};
// The answer to the request with this nonce and port; nothing for anything else. An answer of NAT-PMP, whose header is
// shorter, is kUnsupportedVersion.
[[nodiscard]] std::optional<MapAnswer> decode_map(ByteView bytes, const Nonce& nonce, std::uint16_t port);

}  // namespace godwit::pcp
