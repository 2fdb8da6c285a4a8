// The words for kinds of flows and rules of NATs in scenarios, for those who read and those who print them
// (scenario_toml.h).
#pragma once

#include <array>
#include <string_view>

namespace godwit::sim {

// In the order of ExtendedPolicy, of FlowKind, of NatRule and of EcnRule.
inline constexpr std::array<std::string_view, 3> kExtendedPolicies = {"off", "auto", "require"};
inline constexpr std::array<std::string_view, 3> kFlowKinds = {"streams", "messages", "requests"};
inline constexpr std::array<std::string_view, 4> kEcnRules = {"pass", "mark", "clear", "drop"};
inline constexpr std::array<std::string_view, 3> kNatRules = {"endpoint-independent", "address", "address-port"};

}  // namespace godwit::sim
