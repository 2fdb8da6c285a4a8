// The ways to have a port mapped (port_mapper.h), each with a function that asks and one that gives back. They wait,
// two seconds at most. An absent library is kUnsupported.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "port_mapping/pcp_codec.h"
#include "port_mapping/port_mapper.h"

namespace godwit {

inline constexpr std::uint32_t kMappingSeconds = 3600;  // asked for

struct PortRequest {
  std::uint16_t port = 0;    // of the socket
  std::uint16_t wanted = 0;  // the public port that would be liked best
  pcp::Nonce nonce{};        // of PCP
};

// Errors of all: kNotFound without an answer, kPermission when refused.
[[nodiscard]] Result<PortMapping> map_by_pcp(const PortRequest& request);
void unmap_by_pcp(const PortRequest& request);

[[nodiscard]] bool has_natpmp();
[[nodiscard]] Result<PortMapping> map_by_natpmp(const PortRequest& request);
void unmap_by_natpmp(const PortRequest& request);

[[nodiscard]] bool has_upnp();
[[nodiscard]] Result<PortMapping> map_by_upnp(const PortRequest& request);
void unmap_by_upnp(std::uint16_t public_port);

}  // namespace godwit
