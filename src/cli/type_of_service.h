// `-S`, as iperf3 has it: the type of service (DSCP and ECN bits) of every IP packet that a measurement sends.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>

#include "base/result.h"
#include "runtime/node.h"

namespace godwit::cli {

void add_type_of_service_option(CLI::App& app, std::optional<int>& type_of_service);
// Without one the system's own stays. Errors: kSystem.
[[nodiscard]] Status set_type_of_service(const Node& node, std::optional<int> type_of_service);

}  // namespace godwit::cli
