// The two questions that only netlink answers: which network interfaces exist, and whether packet filter tables do.
// Used by the doctor alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace godwit::measure {

struct LinkFacts {
  std::string name;
  bool up = false;
  bool loopback = false;
  std::uint32_t mtu = 0;
  std::string queue_discipline;  // empty when the kernel does not say
  bool has_xdp = false;          // a program sees every packet first
};
[[nodiscard]] Result<std::vector<LinkFacts>> list_links();

// Tables of nftables in this network namespace. kPermission without the right to ask, kUnsupported without nftables.
[[nodiscard]] Result<std::size_t> count_filter_tables();

}  // namespace godwit::measure
