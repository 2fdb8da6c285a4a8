// The two ways to have a port mapped (port_mapper.h), each with a function that asks and one that gives back. They
// wait, a few seconds at most. An absent library is kUnsupported.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "cli/port_mapper.h"

namespace godwit::cli {

inline constexpr std::uint32_t kMappingSeconds = 3600;  // asked for

[[nodiscard]] bool has_natpmp();
// `wanted`: the public port that would be liked best. Errors: kNotFound without an answer, kPermission when refused.
[[nodiscard]] Result<PortMapping> map_by_natpmp(std::uint16_t port, std::uint16_t wanted);
void unmap_by_natpmp(std::uint16_t port);

[[nodiscard]] bool has_upnp();
[[nodiscard]] Result<PortMapping> map_by_upnp(std::uint16_t port, std::uint16_t wanted);
void unmap_by_upnp(std::uint16_t public_port);

}  // namespace godwit::cli
